"""The One-Euro filter against closed forms and an implementation of its own; jitter and lag with known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from posegraph.data.people import FramePoses
from posegraph.engine.smoothing import JitterMeter, LagMeter, OneEuro

HEIGHT = 200.0  # of everybody's box


def poses(points: object, ids: list[int] | None = None, confidence: object = 1.0) -> FramePoses:
    """People with ``points [n, J, 2]`` in boxes of 80 x 200 px."""
    keypoints = np.array(points, dtype=np.float64)
    n, J = keypoints.shape[:2]
    scores = np.broadcast_to(np.asarray(confidence, dtype=np.float64), (n, J)).copy()
    boxes = np.tile([0.0, 0.0, 80.0, HEIGHT], (n, 1))
    return FramePoses(np.array(ids or range(1, n + 1), dtype=np.int64), boxes, np.ones(n), keypoints, scores)


def x_of(smoothed: FramePoses) -> float:
    return float(smoothed.keypoints_px[0, 0, 0])


class ScalarOneEuro:
    """Algorithm 1 of Casiez, Roussel and Vogel (2012), for one number."""

    def __init__(self, min_cutoff: float, beta: float, d_cutoff: float) -> None:
        self.min_cutoff, self.beta, self.d_cutoff = min_cutoff, beta, d_cutoff
        self.value: float | None = None

    def __call__(self, value: float, time_s: float) -> float:
        if self.value is None:
            self.value, self.slope, self.time_s = value, 0.0, time_s
            return value
        step = time_s - self.time_s
        weight = self.weight(self.d_cutoff, step)
        self.slope = weight * (value - self.value) / step + (1 - weight) * self.slope
        weight = self.weight(self.min_cutoff + self.beta * abs(self.slope), step)
        self.value = weight * value + (1 - weight) * self.value
        self.time_s = time_s
        return self.value

    @staticmethod
    def weight(cutoff: float, step: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau / step)


def test_it_is_the_filter_of_the_paper_for_every_joint_of_every_track() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.08, 60))
    signal = np.cumsum(rng.normal(size=(60, 3, 2)), axis=0)  # in person's heights; 3 people, 2 joints
    order = [rng.permutation(3) for _ in times]
    smooth = OneEuro(1.3, 4.0, 0.8)
    reference = [[ScalarOneEuro(1.3, 4.0, 0.8) for _ in range(2)] for _ in range(3)]
    # Along a diagonal: direction must not matter, and a place off the line must stay on it.
    along = np.array([0.6, -0.8])
    for values, time_s, people in zip(signal, times, order, strict=True):
        points = values[people][..., None] * along * HEIGHT + 100
        found = smooth(poses(points, people.tolist(), confidence=0.3), time_s)
        wanted = [[reference[one][joint](values[one, joint], time_s) for joint in range(2)] for one in people]
        assert_allclose(found.keypoints_px, np.array(wanted)[..., None] * along * HEIGHT + 100, atol=1e-9)
        assert_array_equal(found.track_ids, people)


def test_the_first_position_and_a_person_at_rest_are_not_changed() -> None:
    smooth = OneEuro()
    for frame in range(10):
        assert smooth(poses([[[3.25, -7.5]]]), frame / 25).keypoints_px.tolist() == [[[3.25, -7.5]]]


def test_a_step_is_followed_as_an_exponential_does() -> None:
    smooth = OneEuro(min_cutoff=2.0, beta=0.0)
    smooth(poses([[[0.0, 0.0]]]), 0.0)
    weight = 1 / (1 + 25 / (4 * math.pi))
    for frame in range(1, 30):
        found = x_of(smooth(poses([[[10.0, 0.0]]]), frame / 25))
        assert found == pytest.approx(10 * (1 - (1 - weight) ** frame), abs=1e-9)


@pytest.mark.parametrize("speed", [20.0, 400.0])  # px a second
def test_a_steady_motion_is_followed_at_the_distance_of_its_cutoff(speed: float) -> None:
    """It stays behind by ``v / (2 pi f)``; the slope that ``f`` is made of is measured from the smoothed past."""
    smooth = OneEuro(min_cutoff=1.0, beta=3.0, forget_s=5)
    step = 1 / 50
    behind = [speed * frame * step - x_of(smooth(poses([[[speed * frame * step, 0.0]]]), frame * step))
              for frame in range(2000)]  # fmt: skip
    slope = (behind[-1] + speed * step) / step / HEIGHT
    assert behind[-1] == pytest.approx(speed / (2 * math.pi * (1 + 3 * slope)), rel=1e-6)


def test_resolution_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    small, large = OneEuro(), OneEuro()
    for frame in range(20):
        one = poses(rng.normal(size=(2, 5, 2)) * 20)
        times_3 = one._replace(keypoints_px=3 * one.keypoints_px, boxes_xywh=3 * one.boxes_xywh)
        found = large(times_3, frame / 25).keypoints_px
        assert_allclose(found, 3 * small(one, frame / 25).keypoints_px, rtol=1e-12)


def test_only_positions_are_changed_and_the_input_is_not() -> None:
    smooth, first, second = OneEuro(), poses([[[0.0, 0.0]]], [7], 0.4), poses([[[9.0, 0.0]]], [7], 0.6)
    smooth(first, 0.0)
    found = smooth(second, 0.1)
    assert second.keypoints_px.tolist() == [[[9.0, 0.0]]]
    assert 0 < x_of(found) < 9
    for name in ("track_ids", "boxes_xywh", "box_scores", "keypoint_scores"):
        assert_array_equal(getattr(found, name), getattr(second, name))


def test_confidence_weighs_the_new_against_the_old() -> None:
    plain = 1 / (1 + 25 / (2 * math.pi))  # min_cutoff 1 at 25 frames a second

    def after(old: float, new: float) -> tuple[float, OneEuro]:
        smooth = OneEuro(beta=0.0)
        smooth(poses([[[0.0, 0.0]]], confidence=old), 0.0)
        return x_of(smooth(poses([[[1.0, 0.0]]], confidence=new), 1 / 25)), smooth

    assert after(0.9, 0.9)[0] == pytest.approx(plain)
    doubtful, smooth = after(0.9, 0.1)
    assert doubtful == pytest.approx(plain * 0.1 / (plain * 0.1 + (1 - plain) * 0.9))
    assert after(0.1, 0.9)[0] == pytest.approx(plain * 0.9 / (plain * 0.9 + (1 - plain) * 0.1))
    # What is remembered has become less sure, by the plain weight.
    trust = 0.9 * (1 - plain) + 0.1 * plain
    share = plain * 0.5 / (plain * 0.5 + (1 - plain) * trust)
    again = x_of(smooth(poses([[[1.0, 0.0]]], confidence=0.5), 2 / 25))
    assert again == pytest.approx(doubtful + share * (1 - doubtful))


def test_a_joint_that_stays_doubtful_is_not_left_behind() -> None:
    smooth = OneEuro(beta=0.0)
    smooth(poses([[[0.0, 0.0]]], confidence=0.9), 0.0)
    places = [x_of(smooth(poses([[[10.0, 0.0]]], confidence=0.1), frame / 25)) for frame in range(1, 50)]
    assert places[2] < 2, "a moment's doubt"
    assert places[-1] > 9.5, "two seconds of it"


def test_a_gap_counts_as_the_time_that_it_is() -> None:
    smooth = OneEuro(beta=0.0)
    smooth(poses([[[0.0, 0.0]], [[0.0, 0.0]]], [1, 2]), 0.0)
    smooth(poses([[[1.0, 0.0]]], [2]), 0.2)  # person 1 is hidden
    found = smooth(poses([[[1.0, 0.0]]], [1]), 0.4)
    assert x_of(found) == pytest.approx(1 / (1 + 1 / (2 * math.pi * 0.4)))


def test_a_joint_without_a_position_has_none_and_is_remembered() -> None:
    smooth = OneEuro(beta=0.0)
    smooth(poses([[[0.0, 0.0], [5.0, 5.0]]]), 0.0)
    hidden = smooth(poses([[[np.nan, np.nan], [5.0, 5.0]]]), 0.1)
    assert np.isnan(hidden.keypoints_px[0, 0]).all()
    assert hidden.keypoints_px[0, 1].tolist() == [5.0, 5.0]
    found = smooth(poses([[[1.0, 0.0], [5.0, 5.0]]]), 0.3)
    assert x_of(found) == pytest.approx(1 / (1 + 1 / (2 * math.pi * 0.3)))


def test_tracks_are_forgotten() -> None:
    smooth = OneEuro(forget_s=0.5)
    smooth(poses([[[0.0, 0.0]], [[0.0, 0.0]]], [1, 2]), 0.0)
    smooth(poses([[[0.0, 0.0]]], [2]), 0.5)
    assert x_of(smooth(poses([[[9.0, 0.0]]], [1]), 0.51)) == 9.0, "away for longer than half a second"
    for number in range(5000):
        smooth(poses([[[0.0, 0.0]]], [10 + number]), 1 + number / 25)
    assert len(smooth._rows) <= 1 + 0.5 * 25 + 1
    smooth.reset()
    assert x_of(smooth(poses([[[7.0, 0.0]]], [5009]), 201.0)) == 7.0


def test_nobody_and_people_of_no_track() -> None:
    smooth = OneEuro()
    assert smooth(FramePoses.nobody(17), 0.0).keypoints_px.shape == (0, 17, 2)
    strangers = poses([[[0.0, 0.0]], [[50.0, 0.0]]], [-1, -1])
    smooth(strangers, 0.1)
    moved = strangers._replace(keypoints_px=strangers.keypoints_px + 9)
    assert_array_equal(smooth(moved, 0.2).keypoints_px, moved.keypoints_px)


@pytest.mark.parametrize("later", [0.0, -1.0])
def test_a_clock_that_stands_still_or_goes_back_does_no_harm(later: float) -> None:
    smooth = OneEuro(beta=0.0)
    smooth(poses([[[0.0, 0.0]]]), 10.0)
    assert x_of(smooth(poses([[[1.0, 0.0]]]), 10.0 + later)) == pytest.approx(1 / (1 + 1000 / (2 * math.pi)))


@pytest.mark.parametrize("bad", [{"min_cutoff": 0}, {"beta": -1}, {"d_cutoff": math.nan}, {"forget_s": math.inf}])
def test_settings_make_sense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(bad))} is .*; expected a number"):
        OneEuro(**bad)


def test_trembling_at_rest_is_smoothed_away() -> None:
    rng = np.random.default_rng(2)
    raw, steady, smooth = JitterMeter(), JitterMeter(), OneEuro()
    for frame in range(200):
        shaken = poses(rng.normal(size=(1, 17, 2)) * 0.003 * HEIGHT + 100)
        raw.add(frame, shaken)
        steady.add(frame, smooth(shaken, frame / 25))
    assert steady.mean() < 0.35 * raw.mean()


def test_jitter_is_the_acceleration_in_persons_sizes() -> None:
    meter = JitterMeter()
    assert meter.mean() is None
    # x = 0, 1, 4, 9: an acceleration of 2 px; a joint at rest beside it.
    for frame in range(4):
        meter.add(frame, poses([[[float(frame**2), 0.0], [5.0, 5.0]]]))
    assert meter.mean() == pytest.approx((2 / HEIGHT + 0) / 2)
    # After a gap in the numbers, and for a track that just began, nothing is measured.
    meter.add(9, poses([[[500.0, 0.0], [5.0, 5.0]]]))
    meter.add(10, poses([[[0.0, 0.0], [5.0, 5.0]]], [8]))
    meter.add(11, poses([[[900.0, 0.0], [5.0, 5.0]]], [8]))
    assert meter.mean() == pytest.approx(1 / HEIGHT)


def test_lag_is_the_number_of_frames_behind() -> None:
    meter = LagMeter()
    assert meter.mean() is None
    for frame in range(5):
        now, late = poses([[[3.0 * frame, 0.0]]]), poses([[[3.0 * (frame - 1.5), 0.0]]])
        meter.add(frame, now, late)
    assert meter.mean() == pytest.approx(1.5)
    # One that does not move, in 20 of 21 joints, does not count.
    still = poses([[[1.0, 1.0]]], [2])
    meter.add(5, still, still)
    meter.add(6, still, still)
    assert meter.mean() == pytest.approx(1.5)
