"""What is drawn at random for a training clip: one draw, the same for all its frames (spec section 11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.config import AugmentConfig
from posegraph.geometry import extent_xywh, fit_aspect, scale_box
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class CropDraw:
    """Where and how a clip is cropped.

    Fields:
        region_xywh: Image pixels, of the input's aspect ratio.
        rotation: Degrees.
        flip: Mirrored.
        tone: ``[3, 256]``, what becomes of each byte of red, green and blue; None: they stay.
    """

    region_xywh: NDArray[np.float64]
    rotation: float = 0.0
    flip: bool = False
    tone: NDArray[np.uint8] | None = None


def plain_crop(box_xywh: NDArray[np.float64], input_hw: tuple[int, int], box_scale: float) -> CropDraw:
    """The crop of evaluation: aspect ratio extended, then enlarged."""
    return CropDraw(scale_box(fit_aspect(box_xywh, input_hw), box_scale))


def random_crop(
    rng: np.random.Generator,
    box_xywh: NDArray[np.float64],
    keypoints_px: NDArray[np.float64],
    annotated: NDArray[np.bool_],
    skeleton: Skeleton,
    settings: AugmentConfig,
    input_hw: tuple[int, int],
    box_scale: float,
) -> CropDraw:
    """Half body, scale, rotation, flip, in this order, then the crop's shift, and its colours.

    The shift is not of spec section 11: a stream's crop stays where it is while the box moves in it, and shows people
    off its middle. The box stays inside the crop, so upright people are shifted sideways more than up and down. Every
    number is drawn whether or not it is used, so that one setting does not shift the draws of the others.
    """
    halve, upper = rng.random() < settings.half_body, rng.random() < 0.5
    low, high = settings.scale_range
    scale = float(np.clip(1 + settings.scale * rng.standard_normal(), low, high))
    turn, angle = rng.random() < settings.rotation_probability, settings.rotation * rng.standard_normal()
    flip = bool(rng.random() < settings.flip)
    shift = settings.shift * rng.uniform(-1, 1, size=2)
    tone = random_tone(rng, settings.colour) if settings.colour else None
    if halve and annotated.sum() > settings.half_body_joints:
        half = _half_body(keypoints_px, annotated, skeleton, upper)
        if half is not None:
            box_xywh, box_scale = half, settings.half_body_scale
    region = scale_box(fit_aspect(box_xywh, input_hw), box_scale * scale)
    region[:2] += shift * np.maximum(region[2:] - box_xywh[2:], 0) / 2
    rotation = float(np.clip(angle, -settings.rotation_max, settings.rotation_max)) if turn else 0.0
    return CropDraw(region, rotation, flip, tone)


def random_tone(rng: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """``[3, 256]``: other exposure, contrast, gamma and tint, as another camera would see the scene.

    At strength 1 the standard deviations are 0.3 of a doubling in exposure and gamma, 25% in contrast, and 10% in the
    exposure of a single channel.
    """
    exposure, gamma, contrast = np.exp2(strength * np.array([0.3, 0.3, 0.32]) * rng.standard_normal(3))
    tint = 1 + strength * 0.1 * rng.standard_normal((3, 1))
    level = (np.arange(256) / 255) ** gamma * exposure * tint
    level = 0.5 + contrast * (level - 0.5)
    tone: NDArray[np.uint8] = np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8)
    return tone


def _half_body(
    keypoints_px: NDArray[np.float64], annotated: NDArray[np.bool_], skeleton: Skeleton, upper: bool
) -> NDArray[np.float64] | None:
    in_upper = np.isin(np.arange(skeleton.num_joints), [skeleton.index[joint] for joint in skeleton.upper_body])
    wanted, other = (in_upper, ~in_upper) if upper else (~in_upper, in_upper)
    for half in (wanted, other):
        points = keypoints_px[half & annotated]
        # Three points span a body part; two may lie on one line and give a box without area.
        if len(points) >= 3:
            box = extent_xywh(points)
            return box if box[2] > 0 and box[3] > 0 else None
    return None
