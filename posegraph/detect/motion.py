"""Where a standing camera saw something move.

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

MOST_MOVING = 0.4
"""Share of the frame above which the camera itself moves, or the light changed: nothing is then known."""


class Motion:
    """The last frames, small and grey. What moves depends on these alone, so a run can be taken up from them."""

    def __init__(self) -> None:
        self._last: deque[NDArray[np.uint8]] = deque(maxlen=BACK + 1)
        self._image_hw: tuple[int, int] | None = None

    def add(self, image: Image) -> None:
        """Take note of the next frame, BGR ``[H, W, 3]``; one of another size is the first."""
        image_hw = (image.shape[0], image.shape[1])
        if image_hw != self._image_hw:
            self.reset()
        self._image_hw = image_hw
        scale = min(LONGER_SIDE / max(image_hw), 1.0)
        size_wh = [max(round(side * scale), 1) for side in image_hw[::-1]]
        small = cv2.cvtColor(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        self._last.append(cv2.blur(small, (3, 3)).astype(np.uint8, copy=False))

    def share(self, boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """``[n]`` the share of each box that moves in the last frame; None where that cannot be told."""
        if len(self._last) < 2 or self._image_hw is None:
            return None
        moving = cv2.absdiff(self._last[-1], self._last[0]) >= LEAST_STEP
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

    def reset(self) -> None:
        """Forget all frames."""
        self._last.clear()
        self._image_hw = None
