"""What is drawn for a training clip: bounds, order, and which people are halved."""

from __future__ import annotations

import numpy as np
import pytest

from posegraph.config import AugmentConfig
from posegraph.data.augment import CropDraw, plain_crop, random_crop
from posegraph.geometry import fit_aspect, scale_box
from posegraph.skeleton import Skeleton

COCO = Skeleton.load("coco17")
UPPER = np.isin(np.arange(17), [COCO.index[joint] for joint in COCO.upper_body])
HW = (256, 192)
BOX = np.array([100.0, 50.0, 60.0, 160.0])
NOTHING = {"half_body": 0.0, "scale": 0.0, "rotation_probability": 0.0, "flip": 0.0}
# Upper body on the left half of the box, lower body on the right.
POINTS = np.stack([np.where(UPPER, 110.0, 140.0) + np.arange(17) / 4, 60.0 + 9 * np.arange(17)], axis=1)


def draw(seed: int, annotated: np.ndarray | None = None, box_scale: float = 1.25, **settings: object) -> CropDraw:
    given = np.ones(17, dtype=bool) if annotated is None else annotated
    config = AugmentConfig(**{**NOTHING, **settings})
    return random_crop(np.random.default_rng(seed), BOX, POINTS, given, COCO, config, HW, box_scale)


def test_with_everything_off_it_is_the_crop_of_evaluation() -> None:
    plain = plain_crop(BOX, HW, 1.25)
    assert plain.region_xywh.tolist() == [55.0, 30.0, 150.0, 200.0]
    for seed in range(5):
        drawn = draw(seed)
        assert np.array_equal(drawn.region_xywh, plain.region_xywh)
        assert (drawn.rotation, drawn.flip) == (plain.rotation, plain.flip) == (0.0, False)


def test_the_same_seed_draws_the_same() -> None:
    for seed in (0, 1, (3, 4, 5)):
        one, other = (draw(seed, **AugmentConfig().model_dump()) for _ in range(2))
        assert np.array_equal(one.region_xywh, other.region_xywh)
        assert (one.rotation, one.flip) == (other.rotation, other.flip)


def test_switching_one_off_does_not_change_the_others() -> None:
    for seed in range(20):
        every = draw(seed, scale=0.35, rotation_probability=0.6, flip=0.5)
        assert draw(seed, scale=0.35, flip=0.5).flip == every.flip
        assert np.array_equal(draw(seed, scale=0.35).region_xywh, every.region_xywh)
        assert draw(seed, rotation_probability=0.6).rotation == every.rotation


def test_scales_and_rotations_have_their_spread_and_bounds() -> None:
    drawn = [draw(seed, **AugmentConfig().model_dump() | {"half_body": 0.0}) for seed in range(600)]
    scale = np.array([one.region_xywh[3] for one in drawn]) / 200
    assert (scale.min(), scale.max()) == pytest.approx((0.65, 1.35))
    assert 0.25 < np.mean((scale > 0.66) & (scale < 0.9)) + np.mean((scale > 1.1) & (scale < 1.34)) < 0.55
    rotation = np.array([one.rotation for one in drawn])
    assert 0.34 < np.mean(rotation == 0) < 0.46
    assert np.abs(rotation).max() == 90
    assert 30 < np.std(rotation[rotation != 0]) < 50
    assert 0.44 < np.mean([one.flip for one in drawn]) < 0.56
    centres = np.array([one.region_xywh[:2] + one.region_xywh[2:] / 2 for one in drawn])
    np.testing.assert_allclose(centres, np.broadcast_to([130.0, 130.0], centres.shape))


def half_boxes(annotated: np.ndarray) -> list[list[float]]:
    """The two regions that a half body may give, enlarged by 1.5."""
    regions = []
    for half in (UPPER & annotated, ~UPPER & annotated):
        low, high = POINTS[half].min(axis=0), POINTS[half].max(axis=0)
        regions.append(scale_box(fit_aspect(np.concatenate([low, high - low]), HW), 1.5).tolist())
    return regions


def test_half_bodies_are_the_extent_of_the_upper_or_lower_joints() -> None:
    everything = np.ones(17, dtype=bool)
    found = [draw(seed, half_body=1.0).region_xywh.tolist() for seed in range(40)]
    assert {tuple(region) for region in found} == {tuple(region) for region in half_boxes(everything)}
    assert 8 < sum(region == half_boxes(everything)[0] for region in found) < 32


@pytest.mark.parametrize(("count", "halved"), [(8, False), (9, True), (17, True)])
def test_half_body_needs_more_than_eight_joints(count: int, halved: bool) -> None:
    annotated = np.zeros(17, dtype=bool)
    annotated[np.random.default_rng(0).permutation(17)[:count]] = True
    whole = plain_crop(BOX, HW, 1.25).region_xywh.tolist()
    found = {tuple(draw(seed, annotated, half_body=1.0).region_xywh.tolist()) for seed in range(10)}
    assert (tuple(whole) not in found) == halved


def test_a_half_with_too_few_joints_gives_way_to_the_other() -> None:
    annotated = UPPER.copy()  # 11 of coco17's joints, none of the lower body
    assert annotated.sum() > 8
    low, high = POINTS[UPPER].min(axis=0), POINTS[UPPER].max(axis=0)
    expected = scale_box(fit_aspect(np.concatenate([low, high - low]), HW), 1.5)
    for seed in range(10):
        np.testing.assert_allclose(draw(seed, annotated, half_body=1.0).region_xywh, expected)


def test_a_half_body_without_extent_leaves_the_whole_person() -> None:
    flat = np.full((17, 2), 33.0)
    config = AugmentConfig(**{**NOTHING, "half_body": 1.0})
    drawn = random_crop(np.random.default_rng(0), BOX, flat, np.ones(17, dtype=bool), COCO, config, HW, 1.25)
    assert drawn.region_xywh.tolist() == plain_crop(BOX, HW, 1.25).region_xywh.tolist()


def test_the_half_body_rate() -> None:
    whole = tuple(plain_crop(BOX, HW, 1.25).region_xywh.tolist())
    rate = np.mean([tuple(draw(seed, half_body=0.3).region_xywh.tolist()) != whole for seed in range(400)])
    assert 0.24 < rate < 0.36
