"""One person's pose over a frame.

# J joints, B bones
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.skeleton import Skeleton
from posegraph.visualize.colors import CENTRE, Color, bone_colors, joint_colors
from posegraph.visualize.text import Label

LOW_CONFIDENCE = 0.3
"""Joints below are drawn hollow, their bones dashed."""

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
Flags = NDArray[np.bool_]
_Fixed = tuple[int, int]
"""A point in OpenCV's fixed-point numbers."""

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
    text: int

    @classmethod
    def of(cls, points: Points, image_height: int) -> _Pen:
        extent = float(np.ptp(points, axis=0).max())
        # Beyond full HD, what is seen of a picture is smaller than its pixels say.
        finer = max(1.0, image_height / 1080)
        bone = int(np.clip(round(extent / 100), 1, round(6 * finer)))
        return cls(
            bone=bone,
            dot=float(np.clip(extent / 75, 1.5, 7 * finer)),
            rim=1 if bone < 4 else 2,
            text=round(float(np.clip(extent / 16, np.clip(image_height / 30, 8, 11), 18 * finer))),
        )


@dataclass(frozen=True, eq=False)
class Figure:
    """A person as drawn: what is where, how sure, and in which colours. Made by :meth:`of`.

    Fields:
        points: ``[J, 2]`` image pixels.
        drawn: ``[J]``, the joints that have a position.
        sure: ``[J]``; other joints are hollow, and their bones dashed.
        bones: ``B`` pairs of joints.
        bone_colors: ``B`` colours.
        joint_colors: ``J`` colours.
        label_color: Behind the label.
        pen: Widths.
    """

    points: Points
    drawn: Flags
    sure: Flags
    bones: tuple[tuple[int, int], ...]
    bone_colors: list[Color]
    joint_colors: list[Color]
    label_color: Color
    pen: _Pen

    @classmethod
    def of(
        cls,
        keypoints_px: NDArray[Any],
        skeleton: Skeleton,
        image_height: int,
        *,
        confidence: NDArray[Any] | None = None,
        seen: NDArray[Any] | None = None,
        color: Color | None = None,
    ) -> Figure | None:
        """The figure of a pose, its arguments those of :func:`draw_pose`; None where no joint has a position."""
        points = np.asarray(keypoints_px, dtype=np.float64)
        drawn = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
        if not drawn.any():
            return None
        points = np.clip(points, -_FARTHEST_PX, _FARTHEST_PX)
        sure = np.ones(len(points), dtype=bool)
        if confidence is not None:
            sure &= np.asarray(confidence) >= LOW_CONFIDENCE
        if seen is not None:
            sure &= np.asarray(seen, dtype=bool)
        return cls(
            points=points,
            drawn=drawn,
            sure=sure,
            bones=skeleton.bone_rows,
            bone_colors=bone_colors(skeleton) if color is None else [color] * len(skeleton.bones),
            joint_colors=joint_colors(skeleton),
            label_color=color or CENTRE,
            pen=_Pen.of(points[drawn], image_height),
        )

    def paint(self, canvas: Image) -> None:
        """Draw bones and joints into ``[H, W, 3]`` in place, on a rim that darkens what is under them."""
        left, top, right, bottom = self._region(canvas)
        if left >= right or top >= bottom:
            return
        region = canvas[top:bottom, left:right]
        at = [_fixed(point) for point in (self.points - (left, top)).tolist()]
        dark, black = region.copy(), (0, 0, 0)
        self._paint_bones(dark, at, [black] * len(self.bones), self.pen.bone + 2 * self.pen.rim)
        for row in np.flatnonzero(self.drawn).tolist():
            _circle(dark, at[row], self.pen.dot + self.pen.rim, black, cv2.FILLED)
        cv2.addWeighted(region, 1 - _HALO, dark, _HALO, 0, dst=region)
        self._paint_bones(region, at, self.bone_colors, self.pen.bone)
        self._paint_joints(region, at)

    def label(self, text: str, image_hw: tuple[int, int]) -> Label:
        """``text`` above the person, inside the image."""
        drawn = self.points[self.drawn]
        x, y = drawn[drawn[:, 1].argmin()].tolist()
        return Label.above(text, x, y - 2 * self.pen.dot - 3, self.pen.text, self.label_color, image_hw)

    def _region(self, canvas: Image) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part of the canvas that the figure reaches into."""
        drawn, margin = self.points[self.drawn], math.ceil(self.pen.dot) + self.pen.bone + 2 * self.pen.rim + 1
        low, high = np.floor(drawn.min(axis=0)) - margin, np.ceil(drawn.max(axis=0)) + margin
        limit = (canvas.shape[1], canvas.shape[0])
        left, top = np.clip(low, 0, limit).astype(int).tolist()
        right, bottom = np.clip(high, 0, limit).astype(int).tolist()
        return left, top, right, bottom

    def _paint_bones(self, canvas: Image, at: list[_Fixed], colors: list[Color], thickness: int) -> None:
        for (first, second), color in zip(self.bones, colors, strict=True):
            if not (self.drawn[first] and self.drawn[second]):
                continue
            if self.sure[first] and self.sure[second]:
                _line(canvas, at[first], at[second], color, thickness)
            else:
                _dashed_line(canvas, at[first], at[second], color, thickness, 4 * self.pen.bone + 3)

    def _paint_joints(self, canvas: Image, at: list[_Fixed]) -> None:
        pen = self.pen
        for row in np.flatnonzero(self.drawn).tolist():
            color = self.joint_colors[row]
            if self.sure[row]:
                _circle(canvas, at[row], pen.dot, color, cv2.FILLED)
            else:
                _circle(canvas, at[row], pen.dot, (255, 255, 255), cv2.FILLED)
                _circle(canvas, at[row], pen.dot, color, max(1, pen.bone // 2))


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
    canvas = image_bgr.copy()
    figure = Figure.of(keypoints_px, skeleton, len(canvas), confidence=confidence, seen=seen, color=color)
    if figure is not None:
        figure.paint(canvas)
        if label is not None:
            figure.label(label, (canvas.shape[0], canvas.shape[1])).paint(canvas)
    return canvas


def _dashed_line(canvas: Image, start: _Fixed, end: _Fixed, color: Color, thickness: int, dash_px: int) -> None:
    length_px = min(math.hypot(end[0] - start[0], end[1] - start[1]) / 2**_SUBPIXEL_BITS, 2000.0)
    # An odd number of equal pieces, every other one drawn, so that both ends are drawn.
    pieces = 2 * int(length_px / (2 * dash_px)) + 1
    at = [(start[0] + (end[0] - start[0]) * n // pieces, start[1] + (end[1] - start[1]) * n // pieces)
          for n in range(pieces + 1)]  # fmt: skip
    for piece in range(0, pieces, 2):
        _line(canvas, at[piece], at[piece + 1], color, thickness)


def _line(canvas: Image, start: _Fixed, end: _Fixed, color: Color, thickness: int) -> None:
    cv2.line(canvas, start, end, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _circle(canvas: Image, centre: _Fixed, radius_px: float, color: Color, thickness: int) -> None:
    cv2.circle(canvas, centre, round(radius_px * 2**_SUBPIXEL_BITS), color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(point: list[float]) -> _Fixed:
    # A joint without a position is never drawn.
    x, y = (0.0 if value != value else value for value in point)
    return round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS)
