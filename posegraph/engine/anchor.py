"""Where a stream looks at a person: a crop that stays in its place while the person stays inside it.

A crop that does not move makes the frames before it, cropped and encoded when they were new, the clip's past as they
are. Boxes and regions are (x, y, w, h) in image pixels; a region is what a crop shows, of the input's aspect ratio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegraph.config import StreamConfig
from posegraph.data.augment import plain_crop

Float = NDArray[np.float64]
MEMORY = 0.7
"""What a frame leaves of the motion estimated before it."""
AHEAD = 10
"""Frames after which a person is expected in the middle of a crop placed anew."""


class Anchor:
    """The crop region of one track.

    Args:
        box_xywh: The track's first box. The region is the one that evaluation takes for it.
        frame: Its number.
        settings, input_hw, box_scale: When to move, the crop's size, and its enlargement of the box.
    """

    def __init__(
        self, box_xywh: Float, frame: int, settings: StreamConfig, input_hw: tuple[int, int], box_scale: float
    ) -> None:
        self.settings, self.input_hw, self.box_scale = settings, input_hw, box_scale
        self.region_xywh = self._own_region(box_xywh)
        self._motion = np.zeros(2)  # of the box's centre, pixels a frame
        self._middle, self._frame = _middle(box_xywh), frame

    def follow(self, box_xywh: Float, frame: int) -> bool:
        """Look at the track's next box, in a later frame. True where the region had to be placed anew."""
        step = (_middle(box_xywh) - self._middle) / (frame - self._frame)
        self._motion = MEMORY * self._motion + (1 - MEMORY) * step
        self._middle, self._frame = _middle(box_xywh), frame
        if self._holds(box_xywh):
            return False
        region = self._own_region(box_xywh)
        room = _room(region, box_xywh) * self.settings.hysteresis * self.settings.lead
        region[:2] += np.clip(self._motion * AHEAD, -room, room)
        moved = not np.array_equal(region, self.region_xywh)
        self.region_xywh = region
        return moved

    def _own_region(self, box_xywh: Float) -> Float:
        return plain_crop(box_xywh, self.input_hw, self.box_scale).region_xywh

    def _holds(self, box_xywh: Float) -> bool:
        hysteresis, (low, high) = self.settings.hysteresis, self.settings.size_range
        if hysteresis == 0:
            return False
        off = np.abs(_middle(box_xywh) - _middle(self.region_xywh))
        size = self.region_xywh[3] / self._own_region(box_xywh)[3]
        return bool((off <= hysteresis * _room(self.region_xywh, box_xywh)).all() and low <= size <= high)


def _middle(box_xywh: Float) -> Float:
    middle: Float = box_xywh[:2] + box_xywh[2:] / 2
    return middle


def _room(region_xywh: Float, box_xywh: Float) -> Float:
    """``[2]`` how far the box can go from the region's middle, in x and y, and touch no edge."""
    room: Float = (region_xywh[2:] - box_xywh[2:]) / 2
    return room
