"""Crops by torch are those of OpenCV, up to its rounding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from posegraph.data import device_crops as module
from posegraph.data.crops import MEAN_RGB, STD_RGB, crop_frames
from posegraph.data.device_crops import device_crops
from posegraph.geometry import image_to_crop

HW = (128, 96)
CPU = torch.device("cpu")


def levels(crop: Tensor) -> np.ndarray:
    """``[..., H, W, 3]`` RGB, 0 to 255."""
    return (crop.movedim(-3, -1).numpy() * STD_RGB + MEAN_RGB) * 255


def photograph(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_a_crop_that_is_the_image_itself() -> None:
    image = np.random.default_rng(0).integers(0, 255, (*HW, 3), dtype=np.uint8)
    crops = device_crops([image], [np.array([[1.0, 0, 0], [0, 1, 0]])], HW, CPU)
    np.testing.assert_allclose(levels(crops)[0], image[..., ::-1], atol=2e-2)


def test_places_between_pixels_are_not_rounded() -> None:
    row, column = np.mgrid[:200, :200]
    image = np.stack([column, row, np.full_like(row, 100)], axis=-1).astype(np.uint8)  # BGR
    region = np.array([20.25, 30.5, 47.5, 63.5])  # a step of 0.5 pixels in the crop
    red, green, blue = levels(device_crops([image], [image_to_crop(region, HW)], HW, CPU))[0].transpose(2, 0, 1)
    np.testing.assert_allclose(red, 100, atol=1e-2)
    np.testing.assert_allclose(green, np.broadcast_to(30.5 + 0.5 * np.arange(128)[:, None], HW), atol=2e-2)
    np.testing.assert_allclose(blue, np.broadcast_to(20.25 + 0.5 * np.arange(96), HW), atol=2e-2)


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_near_the_crops_of_opencv(rotation: float) -> None:
    images = [photograph(0), photograph(1), photograph(0)]
    regions = [[40, 20, 90, 120], [-50, -60, 240, 320], [900, 900, 90, 120]]  # inside, around, and off the image
    matrices = [image_to_crop(np.array(region, dtype=np.float64), HW, rotation) for region in regions]
    expected = torch.empty(3, 3, *HW)
    for image, matrix, out in zip(images, matrices, expected, strict=True):
        crop_frames([image], matrix, out.unsqueeze(0))
    found = device_crops(images, matrices, HW, CPU)
    apart = np.abs(levels(found) - levels(expected))
    assert apart.max() < 6
    assert apart.mean() < 0.5
    assert ((found == 0) == (expected == 0)).float().mean() > 0.999
    assert not found[2].any()


def test_an_image_of_several_people_is_moved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []
    move = module._moved
    monkeypatch.setattr(module, "_moved", lambda pixels, device: (moved.append(len(pixels)), move(pixels, device))[1])
    one, other = photograph(0), photograph(1)[:200]
    regions = [[40, 20, 90, 120], [10, 10, 60, 80], [50, 20, 90, 120]]
    matrices = [image_to_crop(np.array(region, dtype=np.float64), HW) for region in regions]
    crops = device_crops([one, other, one], matrices, HW, CPU)
    assert moved == [240, 200]
    for image, matrix, crop in zip([one, other, one], matrices, crops, strict=True):
        torch.testing.assert_close(crop, device_crops([image], [matrix], HW, CPU)[0])


def test_on_a_gpu_bytes_move_from_pinned_memory_without_waiting() -> None:
    calls: list[object] = []

    class Pixels:
        """Takes the part of a tensor where there is no GPU."""

        def pin_memory(self) -> Pixels:
            calls.append("pinned")
            return self

        def to(self, device: torch.device, non_blocking: bool) -> Pixels:
            calls.append((device.type, non_blocking))
            return self

    module._moved(Pixels(), torch.device("cuda"))  # type: ignore[arg-type]
    assert calls == ["pinned", ("cuda", True)]
