"""Crops made where the model computes: of an image its bytes move there once, however many people are in it.

# N crops, n of them of one image
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from posegraph.data.crops import MEAN_RGB, STD_RGB
from posegraph.data.video import Image
from posegraph.geometry import inverse


def device_crops(
    images: Sequence[Image], matrices: Sequence[NDArray[np.float64]], input_hw: tuple[int, int], device: torch.device
) -> Tensor:
    """Warp BGR images, each by its affine ``[2, 3]`` into the crop, to ImageNet-normalised RGB ``[N, 3, H_in, W_in]``.

    As :func:`~posegraph.data.crops.crop_frames` does, zero outside the image. That one rounds places to 1/32 of a pixel
    and colours to bytes, which this one does not: crops of photographs differ by a level or two.

    Args:
        images: An image that is given several times is copied to the device once.
    """
    rows: dict[int, list[int]] = defaultdict(list)
    for row, image in enumerate(images):
        rows[id(image)].append(row)
    crops = torch.empty(len(images), 3, *input_hw, device=device)
    for same in rows.values():
        back = torch.from_numpy(np.stack([inverse(matrices[row]) for row in same])).float()
        crops[same] = _warped(_moved(torch.from_numpy(images[same[0]]), device), back.to(device), input_hw)
    return crops


def _moved(pixels: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda":  # only from pinned memory a copy runs beside what is computed
        pixels = pixels.pin_memory()
    return pixels.to(device, non_blocking=True)


def _warped(pixels: Tensor, back: Tensor, input_hw: tuple[int, int]) -> Tensor:
    """BGR ``[H, W, 3]`` bytes, affines ``[n, 2, 3]`` from crop to image -> ``[n, 3, H_in, W_in]``."""
    device = pixels.device
    mean, std = (torch.from_numpy(values).to(device).view(3, 1, 1) for values in (MEAN_RGB, STD_RGB))
    normalised = (pixels.flip(-1).permute(2, 0, 1).float() / 255 - mean) / std
    row, column = torch.meshgrid(*(torch.arange(size, device=device).float() for size in input_hw), indexing="ij")
    places = torch.einsum("nij,hwj->nhwi", back, torch.stack([column, row, torch.ones_like(row)], dim=-1))
    image_wh = torch.tensor([pixels.size(1), pixels.size(0)], device=device)
    # From pixel centres to grid_sample's -1 and 1 at the image's outer edges.
    grid = (2 * places + 1) / image_wh - 1
    return F.grid_sample(normalised.expand(len(back), -1, -1, -1), grid, align_corners=False)
