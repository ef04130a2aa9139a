"""Boxes and crops: UDP's corners, literal rotations and flips, and a dot that must land where the affine says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from posegraph.geometry import (
    denormalise,
    extent_xywh,
    fit_aspect,
    image_to_crop,
    inverse,
    normalise,
    scale_box,
    transform,
)

INPUT_HW = (256, 192)
REGION = np.array([30.0, 10.0, 75.0, 100.0])
LEFT, TOP, RIGHT, BOTTOM = 30.0, 10.0, 105.0, 110.0
CORNERS = np.array([[LEFT, TOP], [RIGHT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM]])


def box(*xywh: float) -> np.ndarray:
    return np.array(xywh)


def test_edges_of_the_region_are_the_centres_of_the_outer_pixels() -> None:
    moved = transform(CORNERS, image_to_crop(REGION, INPUT_HW))
    np.testing.assert_allclose(moved, [[0, 0], [191, 0], [0, 255], [191, 255]], atol=1e-10)


def test_a_flip_mirrors_the_corners() -> None:
    moved = transform(CORNERS, image_to_crop(REGION, INPUT_HW, flip=True))
    np.testing.assert_allclose(moved, [[191, 0], [0, 0], [191, 255], [0, 255]], atol=1e-10)


def test_the_centre_stays_the_centre() -> None:
    for rotation in (0.0, 30.0, -90.0):
        for flip in (False, True):
            moved = transform(np.array([67.5, 60.0]), image_to_crop(REGION, INPUT_HW, rotation, flip))
            np.testing.assert_allclose(moved, [95.5, 127.5], atol=1e-10)


@pytest.mark.parametrize(
    ("rotation", "flip", "expected"),
    [
        (0.0, False, [20.0, 10.0]),  # 10 right of the centre (10, 10) of a 20 x 20 region, crop of 21 x 21: 1 pixel = 1
        (90.0, False, [10.0, 20.0]),  # clockwise on the screen: right goes down
        (-90.0, False, [10.0, 0.0]),
        (180.0, False, [0.0, 10.0]),
        (0.0, True, [0.0, 10.0]),
        (90.0, True, [10.0, 20.0]),  # turned first, mirrored after
        (45.0, True, [10 - 10 / 2**0.5, 10 + 10 / 2**0.5]),
    ],
)
def test_rotation_and_flip_of_a_point_on_the_right(rotation: float, flip: bool, expected: list[float]) -> None:
    matrix = image_to_crop(box(0, 0, 20, 20), (21, 21), rotation, flip)
    np.testing.assert_allclose(transform(np.array([20.0, 10.0]), matrix), expected, atol=1e-12)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0.0, 33.0, -90.0])
def test_inverse_brings_points_back(rotation: float, flip: bool) -> None:
    matrix = image_to_crop(REGION, INPUT_HW, rotation, flip)
    points = np.random.default_rng(0).uniform(-50, 200, (5, 7, 2))
    np.testing.assert_allclose(transform(transform(points, matrix), inverse(matrix)), points, atol=1e-10)


def test_aspect_is_extended_about_the_centre_and_no_side_shrinks() -> None:
    assert fit_aspect(box(100, 50, 30, 80), INPUT_HW).tolist() == [85, 50, 60, 80]
    assert fit_aspect(box(0, 0, 90, 40), INPUT_HW).tolist() == [0, -40, 90, 120]
    assert fit_aspect(box(1, 2, 75, 100), INPUT_HW).tolist() == [1, 2, 75, 100]


def test_aspect_then_enlargement_by_a_quarter() -> None:
    assert scale_box(fit_aspect(box(100, 50, 30, 80), INPUT_HW), 1.25).tolist() == [77.5, 40, 75, 100]


def test_normalised_units_have_the_outer_pixel_centres_at_0_and_1() -> None:
    points = np.array([[0.0, 0.0], [191.0, 255.0], [95.5, 51.0]])
    assert normalise(points, INPUT_HW).tolist() == [[0, 0], [1, 1], [0.5, 0.2]]
    np.testing.assert_allclose(denormalise(normalise(points, INPUT_HW), INPUT_HW), points)


def test_extent() -> None:
    assert extent_xywh(np.array([[3.0, 9.0], [-1.0, 4.0], [2.0, 5.0]])).tolist() == [-1, 4, 4, 5]
    assert extent_xywh(np.array([[3.0, 9.0]])).tolist() == [3, 9, 0, 0]


@pytest.mark.parametrize(("rotation", "flip"), [(0.0, False), (25.0, False), (0.0, True), (-40.0, True)])
def test_a_dot_in_the_image_is_in_the_crop_where_the_affine_says(rotation: float, flip: bool) -> None:
    y, x = np.mgrid[:120, :140]
    dot = np.array([81.0, 47.0])
    image = (255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / 18)).astype(np.float32)
    matrix = image_to_crop(REGION, INPUT_HW, rotation, flip)
    crop = cv2.warpAffine(image, matrix, (INPUT_HW[1], INPUT_HW[0]), flags=cv2.INTER_LINEAR)
    rows, columns = np.mgrid[: INPUT_HW[0], : INPUT_HW[1]]
    found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(found, transform(dot, matrix), atol=0.05)
