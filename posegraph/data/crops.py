"""From images to the crops that models see: one affine, ImageNet's normalisation, zero outside the image.

# T frames
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from posegraph.data.video import Image
from posegraph.geometry import inverse, transform

MEAN_RGB = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD_RGB = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# [3, 256], of each channel what its bytes become: looked up in one pass, where arithmetic on the crop takes several.
_NORMALISED = np.ascontiguousarray(((np.arange(256, dtype=np.float32)[:, None] / 255 - MEAN_RGB) / STD_RGB).T)


def crop_frames(
    images: Sequence[Image], matrix: NDArray[np.float64], out: Tensor, tone: NDArray[np.uint8] | None = None
) -> None:
    """Warp BGR images by one affine, to ImageNet-normalised RGB ``out [T, 3, H_in, W_in]``; zero outside the image.

    ``tone [3, 256]`` is what becomes of each byte of red, green and blue; None: they stay.
    """
    table = _NORMALISED if tone is None else np.take_along_axis(_NORMALISED, tone.astype(np.intp), axis=1)
    height, width = input_hw = (out.size(2), out.size(3))
    border = tuple(float(value) for value in np.round(MEAN_RGB[::-1] * 255))
    masks: dict[tuple[int, int], NDArray[np.bool_] | None] = {}
    for crop, image in zip(out.numpy(), images, strict=True):
        warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=border)
        for channel, plane in enumerate(crop):
            cv2.LUT(cv2.extractChannel(warped, 2 - channel), table[channel], dst=plane)
        image_hw = image.shape[0], image.shape[1]
        if image_hw not in masks:
            masks[image_hw] = _outside(matrix, input_hw, image_hw)
        mask = masks[image_hw]
        if mask is not None:
            np.copyto(crop, 0, where=mask)


def _outside(
    matrix: NDArray[np.float64], input_hw: tuple[int, int], image_hw: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """Crop pixels ``[H_in, W_in]`` that see nothing of the image: there even the border colour's rounding must go.

    None where all see some of it.
    """
    height, width = input_hw
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=np.float64)
    back = inverse(matrix)
    limit = np.array([image_hw[1], image_hw[0]])
    seen = transform(corners, back)
    if (seen > -1).all() and (seen < limit).all():
        return None
    column, row = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    outside = np.zeros(input_hw, dtype=bool)
    for (across, down, offset), end in zip(back, limit, strict=True):
        place = (across * column + offset) + down * row
        outside |= (place <= -1) | (place >= end)
    return outside
