"""What is drawn for a training clip: bounds, order, and which people are halved."""

from __future__ import annotations

import numpy as np
import pytest

from posegraph.config import AugmentConfig
from posegraph.data.augment import CropDraw, plain_crop, random_crop, random_tone
from posegraph.geometry import fit_aspect, scale_box
from posegraph.skeleton import Skeleton

COCO = Skeleton.load("coco17")
UPPER = np.isin(np.arange(17), [COCO.index[joint] for joint in COCO.upper_body])
HW = (256, 192)
BOX = np.array([100.0, 50.0, 60.0, 160.0])
NOTHING = {"half_body": 0.0, "scale": 0.0, "rotation_probability": 0.0, "flip": 0.0, "shift": 0.0}
# Upper body on the left half of the box, lower body on the right.
POINTS = np.stack([np.where(UPPER, 110.0, 140.0) + np.arange(17) / 4, 60.0 + 9 * np.arange(17)], axis=1)


def draw(seed: int, annotated: np.ndarray | None = None, box_scale: float = 1.25, **settings: object) -> CropDraw:
    given = np.ones(17, dtype=bool) if annotated is None else annotated
    config = AugmentConfig(**{**NOTHING, **settings})
    return random_crop(np.random.default_rng(seed), BOX, POINTS, given, COCO, config, HW, box_scale)


def centre(drawn: CropDraw) -> np.ndarray:
    return drawn.region_xywh[:2] + drawn.region_xywh[2:] / 2


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
        every = draw(seed, scale=0.35, rotation_probability=0.6, flip=0.5, shift=0.5)
        assert draw(seed, scale=0.35, flip=0.5).flip == every.flip
        assert np.array_equal(draw(seed, scale=0.35, shift=0.5).region_xywh, every.region_xywh)
        assert draw(seed, rotation_probability=0.6).rotation == every.rotation
        room = np.maximum(every.region_xywh[2:] - BOX[2:], 0) / 2  # another scale leaves other room for the same draw
        share = (centre(draw(seed, shift=0.5)) - 130) / [45, 20]
        np.testing.assert_allclose(centre(every) - 130, share * room, atol=1e-9)


def test_without_the_shift_every_draw_is_that_of_before_there_was_one() -> None:
    drawn = draw(7, **AugmentConfig().model_dump() | {"half_body": 0.0, "shift": 0.0})
    rng = np.random.default_rng(7)
    rng.random(2)  # half body
    height = 200 * np.clip(1 + 0.35 * rng.standard_normal(), 0.65, 1.35)
    turned, angle = rng.random() < 0.6, 45 * rng.standard_normal()
    assert drawn.region_xywh[3] == pytest.approx(height)
    assert drawn.rotation == (np.clip(angle, -90, 90) if turned else 0.0)
    assert drawn.flip == (rng.random() < 0.5)
    np.testing.assert_allclose(centre(drawn), [130.0, 130.0])


def test_the_shift_is_a_share_of_the_room_around_the_box() -> None:
    # BOX is 60 x 160 about (130, 130); its crop, 150 x 200, leaves 45 pixels left and right, 20 above and below.
    offsets = np.array([centre(draw(seed, shift=1.0)) - 130 for seed in range(400)])
    for share in (0.5, 0.25):
        halved = [centre(draw(seed, shift=share)) - 130 for seed in range(400)]
        np.testing.assert_allclose(halved, share * offsets, atol=1e-9)
    inside = offsets / [45, 20]
    assert 0.98 < np.abs(inside).max() < 1
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=0.09)
    np.testing.assert_allclose(inside.std(axis=0), 3**-0.5, atol=0.04)  # uniform between -1 and 1
    assert abs(np.corrcoef(inside.T)[0, 1]) < 0.15
    assert {tuple(draw(seed, shift=1.0).region_xywh[2:]) for seed in range(5)} == {(150.0, 200.0)}


def test_a_crop_without_room_is_not_shifted() -> None:
    # 0.4 x (120 x 160): narrower and lower than the box.
    for seed in range(10):
        np.testing.assert_allclose(centre(draw(seed, box_scale=0.4, shift=1.0)), [130, 130])
        assert np.abs(centre(draw(seed, box_scale=1.0, shift=1.0)) - 130)[1] == pytest.approx(0, abs=1e-9)
    assert np.abs(centre(draw(0, box_scale=1.0, shift=1.0)) - 130)[0] > 1


def test_scales_and_rotations_have_their_spread_and_bounds() -> None:
    drawn = [draw(seed, **AugmentConfig().model_dump() | {"half_body": 0.0, "shift": 0.0}) for seed in range(600)]
    scale = np.array([one.region_xywh[3] for one in drawn]) / 200
    assert (scale.min(), scale.max()) == pytest.approx((0.65, 1.35))
    assert 0.25 < np.mean((scale > 0.66) & (scale < 0.9)) + np.mean((scale > 1.1) & (scale < 1.34)) < 0.55
    rotation = np.array([one.rotation for one in drawn])
    assert 0.34 < np.mean(rotation == 0) < 0.46
    assert np.abs(rotation).max() == 90
    assert 30 < np.std(rotation[rotation != 0]) < 50
    assert 0.44 < np.mean([one.flip for one in drawn]) < 0.56
    centres = np.array([centre(one) for one in drawn])
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


def test_colours_are_the_last_draw_and_off_by_default() -> None:
    plain, coloured = draw(3, scale=0.35, flip=0.5, shift=0.5), draw(3, scale=0.35, flip=0.5, shift=0.5, colour=1.0)
    assert plain.tone is None
    assert coloured.tone is not None
    assert (coloured.flip, coloured.region_xywh.tolist()) == (plain.flip, plain.region_xywh.tolist())
    assert np.array_equal(coloured.tone, draw(3, scale=0.35, flip=0.5, shift=0.5, colour=1.0).tone)


def test_tones_rise_with_the_level_and_spread_with_the_strength() -> None:
    tones = np.stack([random_tone(np.random.default_rng(seed), 1.0) for seed in range(400)]).astype(float)
    assert (np.diff(tones, axis=-1) >= 0).all()
    # The middle grey keeps its place on average; exposure, gamma and tint move it, contrast hardly does.
    assert abs(np.median(tones[..., 128]) - 128) < 12
    weak = np.stack([random_tone(np.random.default_rng(seed), 0.1) for seed in range(400)]).astype(float)
    assert 5 < tones[..., 128].std() / weak[..., 128].std() < 15
    # Small changes are linear: the exposure doubles 2^(0.03 z), gamma lowers by ln 2 x 0.03 z x level x ln level.
    middle = weak[:, 0, 128] / 128
    expected = np.log(2) * 0.03 * np.array([1.0, np.log(0.502)])
    assert np.log(middle).std() == pytest.approx(np.hypot(np.linalg.norm(expected), 0.01), rel=0.15)
