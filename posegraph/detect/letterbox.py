"""Images as the input of a detector's network, and its boxes back in image pixels."""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.video import Image

Fit = Literal["top_left", "centred", "stretched"]
"""How an image gets the network's shape: its own aspect ratio kept, beside or between grey bars, or not kept."""

GREY = 114
"""Of the bars: what the YOLO family is trained with."""


class Fitted(NamedTuple):
    """An image in the network's shape: ``x_input = x_image * scale_x + left``.

    Fields:
        pixels: BGR ``[h, w, 3]`` uint8.
        scale_xy: ``[2]``.
        offset_xy: ``[2]`` left and top bar.
    """

    pixels: Image
    scale_xy: NDArray[np.float64]
    offset_xy: NDArray[np.float64]

    def to_image(self, boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corners ``[n, 4]`` in input pixels as ``(x, y, w, h)`` in image pixels."""
        low, high = ((corner - self.offset_xy) / self.scale_xy for corner in np.split(boxes_xyxy, 2, axis=1))
        return np.concatenate([low, high - low], axis=1)


def fitted(image: Image, size_hw: tuple[int, int], fit: Fit) -> Fitted:
    """Resize an image to ``size_hw``, with bars where its aspect ratio is kept."""
    size_wh = np.array(size_hw[::-1])
    image_wh = np.array(image.shape[1::-1])
    if fit == "stretched":
        pixels = cv2.resize(image, size_wh.tolist(), interpolation=cv2.INTER_LINEAR)
        return Fitted(pixels.astype(np.uint8, copy=False), (size_wh / image_wh).astype(np.float64), np.zeros(2))
    scale = (size_wh / image_wh).min()
    # YOLOX cuts off the fraction, the centred letterbox rounds it.
    new_wh = (image_wh * scale).astype(int) if fit == "top_left" else np.round(image_wh * scale).astype(int)
    new_wh = np.clip(new_wh, 1, size_wh)
    left, top = (size_wh - new_wh) // 2 if fit == "centred" else (0, 0)
    canvas = np.full((*size_hw, 3), GREY, dtype=np.uint8)
    canvas[top : top + new_wh[1], left : left + new_wh[0]] = cv2.resize(
        image, new_wh.tolist(), interpolation=cv2.INTER_LINEAR
    )
    return Fitted(canvas, np.full(2, scale), np.array([left, top], dtype=np.float64))
