"""Where a standing camera saw something move, and what stands out from the background behind it.

# n boxes, h x w small image
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.video import Image

LONGER_SIDE = 160
"""Pixels of the images that are compared."""

BACK = 4
"""Frames between the two that are compared: from one frame to the next, who walks slowly hardly moves."""

LEAST_STEP = 15
"""Grey levels by which a pixel that moves differs; noise stays below."""

MEMORY, SAMPLED = 64, 4
"""Frames of which each fourth tells the background: its median, where who walks on is seldom twice."""

LEAST_CONTRAST = 25
"""Levels of any colour by which what stands before the background differs."""

GAP = 5
"""Pixels of the small image, less one, across which parts of a silhouette are joined: a belt has the floor's colour."""

LEAST_FILLED, LEAST_HEIGHT = 0.2, 0.1
"""Of a silhouette's box that is filled, and of the frame's shorter side that its longer side has; less is no person."""

MOST_MOVING = 0.4
"""Share of the frame above which the camera itself moves, or the light changed: nothing is then known."""


class Motion:
    """The last frames, small. What moves depends on these alone, so a run can be taken up from them."""

    def __init__(self) -> None:
        self._last: deque[NDArray[np.uint8]] = deque(maxlen=MEMORY + 1)
        self._image_hw: tuple[int, int] | None = None

    def add(self, image: Image) -> None:
        """Take note of the next frame, BGR ``[H, W, 3]``; one of another size is the first."""
        image_hw = (image.shape[0], image.shape[1])
        if image_hw != self._image_hw:
            self.reset()
        self._image_hw = image_hw
        scale = min(LONGER_SIDE / max(image_hw), 1.0)
        size_wh = [max(round(side * scale), 1) for side in image_hw[::-1]]
        small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
        self._last.append(cv2.blur(small, (3, 3)).astype(np.uint8, copy=False))

    def share(self, boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """``[n]`` the share of each box that moves in the last frame; None where that cannot be told."""
        if len(self._last) < 2 or self._image_hw is None:
            return None
        now, before = (
            cv2.cvtColor(self._last[row], cv2.COLOR_BGR2GRAY) for row in (-1, max(-1 - BACK, -len(self._last)))
        )
        moving = cv2.absdiff(now, before) >= LEAST_STEP
        if moving.mean() > MOST_MOVING:
            return None
        sums = cv2.integral(moving.astype(np.uint8))  # [h + 1, w + 1]
        scale = np.array(moving.shape[::-1]) / np.array(self._image_hw[::-1])
        low, high = (
            np.clip(np.round(corner * scale), 0, moving.shape[::-1]).astype(np.intp)
            for corner in (boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:])
        )
        (x0, y0), (x1, y1) = low.T, high.T
        inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
        shares: NDArray[np.float64] = inside / np.maximum((x1 - x0) * (y1 - y0), 1)
        return shares

    def silhouettes(self) -> NDArray[np.float64]:
        """``[n, 4]`` boxes of what stands out in the last frame from the background of ``MEMORY`` frames, large first.

        A person who walks through is one of them, in one piece; one who stands still is background after a while. None
        where the camera moves, and in a first frame.
        """
        if len(self._last) < 2 or self._image_hw is None:
            return np.zeros((0, 4))
        now = self._last[-1]
        background = np.median(np.stack(list(self._last)[::-SAMPLED]), axis=0)
        outside = (np.abs(now - background).max(axis=2) >= LEAST_CONTRAST).astype(np.uint8)
        if outside.mean() > MOST_MOVING:
            return np.zeros((0, 4))
        whole = cv2.morphologyEx(outside, cv2.MORPH_CLOSE, np.ones((GAP, GAP), np.uint8))
        _, _, parts, _ = cv2.connectedComponentsWithStats(whole)
        parts = parts[1:]  # the first is what is not marked
        boxes = parts[:, :4] * np.tile(np.array(self._image_hw[::-1]) / np.array(now.shape[1::-1]), 2)
        filled = parts[:, cv2.CC_STAT_AREA] / np.maximum(parts[:, 2] * parts[:, 3], 1)
        boxes = boxes[(filled >= LEAST_FILLED) & (boxes[:, 2:].max(axis=1) >= LEAST_HEIGHT * min(self._image_hw))]
        large_first: NDArray[np.float64] = boxes[np.argsort(-boxes[:, 2:].prod(axis=1), kind="stable")]
        return large_first

    def reset(self) -> None:
        """Forget all frames."""
        self._last.clear()
        self._image_hw = None
