"""Jitter: literal accelerations, and what it does not see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posegraph.metrics import jitter
from posegraph.skeleton import PCKReference, Skeleton

STANDING = [(50.0, 50.0)] * 5


def clip(build: SimpleNamespace, points: list[Any], track: int = 1, **fields: Any) -> Any:
    """Joint a through a video, one frame a point; None: the person is not there."""
    video = build.video(5)
    people = [
        build.person(track, frame, [point, None], **fields) for frame, point in enumerate(points) if point is not None
    ]
    return build.tracks(people, video)


def test_one_displaced_frame(build: SimpleNamespace) -> None:
    moved = [(50, 50), (50, 50), (53, 54), (50, 50), (50, 50)]  # 5 px of a head size of 30 px
    result = jitter(clip(build, STANDING), clip(build, moved))
    # Second differences 1, -2, 1 times the displacement, in three triples.
    assert result.per_joint["a"] == pytest.approx((5 + 10 + 5) / 3 / 30)
    assert np.isnan(result.per_joint["b"])
    assert result.measured == {"a": 3, "b": 0}
    assert result.table == pytest.approx({"Both": 20 / 90, "A": 20 / 90, "Mean": 20 / 90})
    assert (result.reference, result.no_ground_truth, dict(result.skipped)) == ("head_box", ("b",), {})


def test_offset_drift_and_the_truth_itself_are_0_however_the_person_moves(build: SimpleNamespace) -> None:
    truth = [(0, 0), (9, 1), (10, 20), (3, 3), (4, 4)]
    offset = [(x + 8, y - 6) for x, y in truth]
    drift = [(x + 2 * frame, y) for frame, (x, y) in enumerate(truth)]
    for found in (truth, offset, drift):
        assert jitter(clip(build, truth), clip(build, found)).table["Mean"] == pytest.approx(0, abs=1e-12)


def test_a_still_prediction_of_an_accelerating_person_errs_by_the_acceleration(build: SimpleNamespace) -> None:
    truth = [(1.5 * frame**2, 0.0) for frame in range(5)]  # 3 px a frame squared
    found = [(7.0, 0.0)] * 5
    assert jitter(clip(build, truth), clip(build, found), match="track_id").per_joint["a"] == pytest.approx(3 / 30)


def test_three_consecutive_frames_of_both_are_needed(build: SimpleNamespace) -> None:
    gap = [*STANDING[:2], None, *STANDING[:2]]
    for truth, found, count in ((STANDING, gap, 0), (gap, STANDING, 0), (STANDING, STANDING[:4], 2)):
        assert jitter(clip(build, truth), clip(build, found)).measured["a"] == count


def test_each_frame_takes_the_prediction_that_fits_whatever_its_id(build: SimpleNamespace) -> None:
    video = build.video(3)
    truth = clip(build, STANDING[:3])
    found = build.tracks([build.person(frame + 10, frame, [STANDING[0], None]) for frame in range(3)], video)
    truth = build.tracks([build.person(1, frame, [STANDING[0], None]) for frame in range(3)], video)
    assert jitter(truth, found).measured["a"] == 1
    assert jitter(truth, found, match="track_id").measured["a"] == 0


def test_two_people_are_kept_apart(build: SimpleNamespace) -> None:
    video = build.video(3)
    still = [build.person(1, frame, [(50, 50), None]) for frame in range(3)]
    other = [build.person(2, frame, [(500, 50), None]) for frame in range(3)]
    shaken = [build.person(2, frame, [(500 + x, 50), None]) for frame, x in enumerate((0, 6, 0))]
    result = jitter(build.tracks(still + other, video), build.tracks(still + shaken, video))
    assert (result.measured["a"], result.per_joint["a"]) == (2, pytest.approx((0 + 12 / 30) / 2))


def test_the_reference_without_head_boxes_is_the_skeletons(build: SimpleNamespace) -> None:
    moved = [(50, 50), (50, 50), (53, 54), (50, 50), (50, 50)]
    by_box = jitter(clip(build, STANDING, head=None), clip(build, moved, head=None))
    assert (by_box.reference, by_box.per_joint["a"]) == ("box", pytest.approx(20 / 3 / 100))
    bone = Skeleton(name="bone", joints=("a", "b"), pck_reference=PCKReference(kind="joints", joints=("a", "b")))
    video = build.video(3)

    def pair(b: list[Any], shift: float = 0.0) -> Any:
        people = [build.person(1, frame, [(shift * (frame == 1), 0), b[frame]], head=None) for frame in range(len(b))]
        return build.tracks(people, video, bone)

    result = jitter(pair([(40, 0)] * 3), pair([(40, 0)] * 3, shift=4))
    assert (result.reference, result.per_joint["a"]) == ("joints", pytest.approx(8 / 40))
    lacking = jitter(pair([(40, 0), None, (40, 0)]), pair([(40, 0)] * 3))
    assert lacking.measured == {"a": 0, "b": 0}
    assert dict(lacking.skipped) == {"frames around a person without a reference length (a to b)": 1}
