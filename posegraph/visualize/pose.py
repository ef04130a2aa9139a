"""One person's pose over a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.skeleton import Skeleton
from posegraph.visualize.colors import CENTRE, Color, bone_colors, joint_colors
from posegraph.visualize.text import put_label

LOW_CONFIDENCE = 0.3
"""Joints below are drawn hollow, their bones dashed."""

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SUBPIXEL_BITS = 4
_FARTHEST_PX = 1e5
"""OpenCV's coordinates are 32-bit: a wild prediction is drawn from the image's edge, not wrapped around."""
_HALO = 0.5
"""How much the rim around bones and joints darkens the frame, so that they stand out from bright clothes."""


@dataclass(frozen=True)
class _Pen:
    """Widths in pixels, from the person's size: thin enough to leave a small head readable."""

    bone: int
    dot: float
    rim: int
    text: float

    @classmethod
    def of(cls, points: Points) -> _Pen:
        extent = float(np.ptp(points, axis=0).max())
        bone = int(np.clip(round(extent / 100), 1, 6))
        return cls(
            bone=bone,
            dot=float(np.clip(extent / 75, 1.5, 7)),
            rim=1 if bone < 4 else 2,
            text=float(np.clip(extent / 16, 11, 18)),
        )


@dataclass(frozen=True, eq=False)
class _Figure:
    """What is drawn where: ``points [J, 2]``; which joints are ``drawn [J]`` at all and which are ``sure [J]``."""

    points: Points
    drawn: Flags
    sure: Flags
    bones: tuple[tuple[int, int], ...]
    pen: _Pen


def draw_pose(
    image_bgr: Image,
    keypoints_px: NDArray[Any],
    skeleton: Skeleton,
    *,
    confidence: NDArray[Any] | None = None,
    seen: NDArray[Any] | None = None,
    color: Color | None = None,
    label: str | None = None,
) -> Image:
    """A copy of the frame with one person's pose drawn over it.

    Args:
        image_bgr: ``[H, W, 3]`` uint8.
        keypoints_px: ``[J, 2]`` in image pixels; rows with NaN are not drawn, nor are their bones.
        skeleton: Bones and sides: left, right and centre have a colour each.
        confidence: ``[J]``; below :data:`LOW_CONFIDENCE` a joint is hollow and its bones are dashed.
        seen: ``[J]`` bool; an occluded joint is drawn as one of low confidence.
        color: The person's own colour, for bones and label where several people are drawn; joints keep their side's.
        label: Written above the person.
    """
    points = np.asarray(keypoints_px, dtype=np.float64)
    drawn = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
    canvas = image_bgr.copy()
    if not drawn.any():
        return canvas
    points = np.clip(points, -_FARTHEST_PX, _FARTHEST_PX)
    sure = np.ones(len(points), dtype=bool)
    if confidence is not None:
        sure &= np.asarray(confidence) >= LOW_CONFIDENCE
    if seen is not None:
        sure &= np.asarray(seen, dtype=bool)
    pen = _Pen.of(points[drawn])
    figure = _Figure(points, drawn, sure, skeleton.bone_rows, pen)
    _darken_under(canvas, figure)
    own = None if color is None else [color] * len(skeleton.bones)
    _draw_bones(canvas, figure, own or bone_colors(skeleton), pen.bone)
    _draw_joints(canvas, figure, joint_colors(skeleton))
    if label is not None:
        top = points[drawn][points[drawn][:, 1].argmin()]
        put_label(canvas, label, top[0], top[1] - 2 * pen.dot - 3, pen.text, color or CENTRE)
    return canvas


def _darken_under(canvas: Image, figure: _Figure) -> None:
    """Darken a rim around everything that will be drawn, in place."""
    mask: Image = np.zeros(canvas.shape[:2], dtype=np.uint8)
    white = (255, 255, 255)
    _draw_bones(mask, figure, [white] * len(figure.bones), figure.pen.bone + 2 * figure.pen.rim)
    for point in figure.points[figure.drawn]:
        _circle(mask, point, figure.pen.dot + figure.pen.rim, white, cv2.FILLED)
    x, y, width, height = cv2.boundingRect(mask)
    under = canvas[y : y + height, x : x + width]
    under[:] = under * (1 - _HALO * mask[y : y + height, x : x + width, None] / 255.0)


def _draw_bones(canvas: Image, figure: _Figure, colors: list[Color], thickness: int) -> None:
    dash = 4.0 * figure.pen.bone + 3.0
    for (first, second), color in zip(figure.bones, colors, strict=True):
        if not (figure.drawn[first] and figure.drawn[second]):
            continue
        start, end = figure.points[first], figure.points[second]
        if figure.sure[first] and figure.sure[second]:
            _line(canvas, start, end, color, thickness)
        else:
            _dashed_line(canvas, start, end, color, thickness, dash)


def _draw_joints(canvas: Image, figure: _Figure, colors: list[Color]) -> None:
    pen = figure.pen
    for row in np.flatnonzero(figure.drawn):
        centre = figure.points[row]
        if figure.sure[row]:
            _circle(canvas, centre, pen.dot, colors[row], cv2.FILLED)
        else:
            _circle(canvas, centre, pen.dot, (255, 255, 255), cv2.FILLED)
            _circle(canvas, centre, pen.dot, colors[row], max(1, pen.bone // 2))


def _dashed_line(canvas: Image, start: Points, end: Points, color: Color, thickness: int, dash: float) -> None:
    length = min(float(np.hypot(*(end - start))), 2000.0)
    # An odd number of equal pieces, every other one drawn, so that both ends are drawn.
    pieces = 2 * int(length / (2.0 * dash)) + 1
    at = np.linspace(0.0, 1.0, pieces + 1)[:, None] * (end - start) + start
    for piece in range(0, pieces, 2):
        _line(canvas, at[piece], at[piece + 1], color, thickness)


def _line(canvas: Image, start: Points, end: Points, color: Color, thickness: int) -> None:
    cv2.line(canvas, _fixed(start), _fixed(end), color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _circle(canvas: Image, centre: Points, radius: float, color: Color, thickness: int) -> None:
    scaled = round(radius * 2**_SUBPIXEL_BITS)
    cv2.circle(canvas, _fixed(centre), scaled, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(point: Points) -> tuple[int, int]:
    """OpenCV's fixed-point coordinates."""
    x, y = np.round(point * 2**_SUBPIXEL_BITS).astype(int).tolist()
    return x, y
