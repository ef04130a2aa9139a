"""Boxes and the affine map between image and crop: the only file that converts one into the other.

The mapping is UDP's ("unbiased data processing", with which ViTPose was trained): the edges of the enlarged box land
on the pixel centres ``0`` and ``W_in - 1`` of the crop, and the heatmap grid has the same corners, so that
``x_heatmap / (W - 1) = x_crop / (W_in - 1) = x_norm``. Spec section 1.

Boxes are ``(x, y, w, h)`` in image pixels; sizes are ``(height, width)``; points are ``(x, y)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def fit_aspect(box_xywh: Float, input_hw: tuple[int, int]) -> Float:
    """Extend a box about its centre to the aspect ratio of the input; neither side shrinks."""
    x, y, w, h = box_xywh
    aspect = input_hw[1] / input_hw[0]
    new_w, new_h = max(w, h * aspect), max(h, w / aspect)
    return np.array([x + (w - new_w) / 2, y + (h - new_h) / 2, new_w, new_h])


def scale_box(box_xywh: Float, factor: float) -> Float:
    """Enlarge (or shrink) a box about its centre."""
    x, y, w, h = box_xywh
    return np.array([x + w * (1 - factor) / 2, y + h * (1 - factor) / 2, w * factor, h * factor])


def image_to_crop(region_xywh: Float, input_hw: tuple[int, int], rotation: float = 0.0, flip: bool = False) -> Float:
    """Affine matrix ``[2, 3]`` from image pixels to crop pixels.

    Args:
        region_xywh: What the crop shows, already of the input's aspect ratio.
        input_hw: Size of the crop.
        rotation: Degrees by which the content turns about the region's centre, clockwise on the screen.
        flip: Mirror the crop horizontally, after the rotation.
    """
    x, y, w, h = region_xywh
    height, width = input_hw
    angle = np.deg2rad(rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    sx, sy = (width - 1) / w, (height - 1) / h
    linear = np.array([[cos * sx, -sin * sx], [sin * sy, cos * sy]])
    offset = np.array([(width - 1) / 2, (height - 1) / 2]) - linear @ np.array([x + w / 2, y + h / 2])
    matrix = np.column_stack([linear, offset])
    if flip:
        matrix[0] = -matrix[0]
        matrix[0, 2] += width - 1
    return matrix


def inverse(matrix: Float) -> Float:
    """The inverse of an affine matrix ``[2, 3]``."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def transform(points: Float, matrix: Float) -> Float:
    """Apply an affine matrix ``[2, 3]`` to points ``[..., 2]``."""
    moved: Float = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def normalise(points_px: Float, size_hw: tuple[int, int]) -> Float:
    """Pixels of a grid -> [0, 1] between its first and last pixel centre."""
    norm: Float = points_px / np.array([size_hw[1] - 1, size_hw[0] - 1])
    return norm


def denormalise(points_norm: Float, size_hw: tuple[int, int]) -> Float:
    """The inverse of :func:`normalise`."""
    pixels: Float = points_norm * np.array([size_hw[1] - 1, size_hw[0] - 1])
    return pixels


def extent_xywh(points_px: Float) -> Float:
    """The tight box around points ``[N, 2]``, N >= 1."""
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    return np.concatenate([low, high - low])
