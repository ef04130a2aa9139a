"""From pixels to what a model sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.data.crops import MEAN_RGB, STD_RGB, crop_frames
from posegraph.geometry import image_to_crop

HW = (128, 96)


def cropped(image: np.ndarray, matrix: np.ndarray) -> torch.Tensor:
    out = torch.full((1, 3, *HW), float("nan"))
    crop_frames([image], matrix, out)
    return out[0]


def test_normalisation_is_imagenets_in_rgb_order() -> None:
    image = np.full((50, 50, 3), (10, 100, 200), np.uint8)  # BGR
    crop = cropped(image, image_to_crop(np.array([10.0, 10.0, 15.0, 20.0]), HW))
    expected = [(200 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (10 / 255 - 0.406) / 0.225]
    torch.testing.assert_close(crop, torch.tensor(expected).view(3, 1, 1).expand_as(crop))


def test_every_level_of_every_channel() -> None:
    """A crop that is the image itself, one pixel each level."""
    levels = np.arange(HW[0] * HW[1]).reshape(HW) % 256
    image = np.stack([levels, 255 - levels, (levels * 7) % 256], axis=-1).astype(np.uint8)
    crop = cropped(image, np.array([[1.0, 0, 0], [0, 1, 0]]))
    expected = (image[..., ::-1].astype(np.float32) / 255 - MEAN_RGB) / STD_RGB
    assert np.array_equal(crop.permute(1, 2, 0).numpy(), expected)


def test_a_tone_changes_levels_before_they_are_normalised_and_not_the_padding() -> None:
    tone = np.stack([np.arange(256), np.full(256, 7), 255 - np.arange(256)]).astype(np.uint8)  # red, green, blue
    image, out = np.full((128, 48, 3), (10, 100, 200), np.uint8), torch.empty(1, 3, *HW)
    crop_frames([image], np.array([[1.0, 0, 0], [0, 1, 0]]), out, tone)  # the image is the crop's left half
    expected = (np.array([200, 7, 245]) / 255 - MEAN_RGB) / STD_RGB
    np.testing.assert_allclose(out[0, :, 64, 20], expected, rtol=1e-6)
    assert (out[0, :, :, 48:] == 0).all()


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_padding_is_exactly_zero(rotation: float) -> None:
    image = np.full((40, 30, 3), 255, np.uint8)
    region = np.array([-30.0, -40.0, 90.0, 120.0])  # the image is its middle third
    matrix = image_to_crop(region, HW, rotation)
    crop = cropped(image, matrix)
    x, y = np.meshgrid(np.arange(HW[1]), np.arange(HW[0]))
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    back = np.stack([x, y, np.ones_like(x)], axis=-1) @ inverse[:2].T
    outside = ((back <= -1) | (back >= [30, 40])).any(axis=-1)
    inside = ((back >= 0.1) & (back <= [28.9, 38.9])).all(axis=-1)
    assert 0.7 < outside.mean() < 0.95
    assert (crop[:, torch.from_numpy(outside)] == 0).all()
    assert (crop[:, torch.from_numpy(inside)] > 2).all()


def test_a_crop_wholly_outside_is_all_zero() -> None:
    image = np.full((40, 30, 3), 255, np.uint8)
    assert not cropped(image, image_to_crop(np.array([500.0, 500.0, 75.0, 100.0]), HW)).any()


def test_frames_of_different_sizes_are_padded_each_by_its_own() -> None:
    small, large = np.full((40, 30, 3), 255, np.uint8), np.full((200, 200, 3), 255, np.uint8)
    out = torch.full((3, 3, *HW), float("nan"))
    crop_frames([small, large, small], np.array([[1.0, 0, 0], [0, 1, 0]]), out)
    assert (out[:, 0] > 2).sum(dim=(1, 2)).tolist() == [40 * 30, HW[0] * HW[1], 40 * 30]
    assert (out[0] == 0).sum() == 3 * (HW[0] * HW[1] - 40 * 30)
    assert torch.equal(out[0], out[2])
