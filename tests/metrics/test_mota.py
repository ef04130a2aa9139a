"""MOTA: hand-made histories, poseval's quirks, and py-motmetrics as a second implementation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegraph.data import TrackSet
from posegraph.metrics import MOTA, mota

HERE, THERE, BETWEEN = (0.0, 0.0), (100.0, 0.0), (12.0, 0.0)
Row = tuple[int, int, Any]
"""Track id, frame and point of joint a."""


def sides(build: SimpleNamespace, truth: list[Row], found: list[Row], frames: int) -> tuple[TrackSet, TrackSet]:
    video = build.video(frames)
    return tuple(
        build.tracks([build.person(track, frame, [point, None]) for track, frame, point in rows], video)
        for rows in (truth, found)
    )


def of_a(result: MOTA) -> dict[str, int]:
    return {kind: counts["a"] for kind, counts in result.counts.items()}


def test_a_perfect_tracker_and_the_last_frame_that_never_counts(build: SimpleNamespace) -> None:
    rows = [(1, frame, HERE) for frame in range(4)]
    truth, found = sides(build, rows, rows[:3], 4)
    result = mota(truth, found)
    assert of_a(result) == {"misses": 0, "switches": 0, "false_positives": 0, "objects": 3, "detections": 3}
    assert (result.num_frames, result.too_short) == (3, ())
    for figures in (result.mota, result.precision, result.recall, result.motp):
        assert (figures["a"], figures["total"]) == (100, 100 if figures is not result.motp else 50)
    assert np.isnan(result.mota["b"])
    assert result.motp["b"] == 0  # poseval's rule: 0 without a detection
    assert result.no_ground_truth == ("b",)
    assert result.averaged == ("a",)
    assert np.isnan(result.table["Both"])
    assert result.table["Mean"] == result.table_with_ground_truth["Mean"] == 100


def test_miss_false_positive_and_switch_cost_one_each(build: SimpleNamespace) -> None:
    truth = [(1, frame, HERE) for frame in range(6)]
    found = [(7, 0, HERE), (7, 1, THERE), (7, 2, HERE), (8, 3, HERE), (8, 4, HERE)]
    result = mota(*sides(build, truth, found, 6))
    assert of_a(result) == {"misses": 1, "switches": 1, "false_positives": 1, "objects": 5, "detections": 4}
    assert result.mota["a"] == pytest.approx(40)
    assert (result.precision["a"], result.recall["a"]) == (80, 80)


def test_a_person_keeps_its_track_though_another_is_nearer(build: SimpleNamespace) -> None:
    truth = [(1, 0, HERE), (1, 1, HERE), (1, 2, HERE)]
    found = [(7, 0, HERE), (7, 1, BETWEEN), (9, 1, HERE)]
    result = mota(*sides(build, truth, found, 3))
    assert of_a(result) == {"misses": 0, "switches": 0, "false_positives": 1, "objects": 2, "detections": 2}


def test_new_people_are_assigned_for_the_least_sum_of_distances(build: SimpleNamespace) -> None:
    # Greedy would match 1 with 7 (0 px) and leave 2 without: only 7 is near it.
    truth = [(1, 0, HERE), (2, 0, BETWEEN), (1, 1, HERE)]
    found = [(7, 0, (1.0, 0.0)), (8, 0, (-13.0, 0.0)), (7, 1, HERE)]
    result = mota(*sides(build, truth, found, 2))
    assert of_a(result) == {"misses": 0, "switches": 0, "false_positives": 0, "objects": 2, "detections": 2}
    # Every near pair once (1, 13 and 11 of 30 px), every match again (13 and 11).
    assert result.motp["a"] == pytest.approx(100 * (1 - (1 + 13 + 11 + 13 + 11) / 30 / 2))


def test_a_frame_in_which_one_side_has_nobody_is_one_miss_and_one_false_positive_of_every_joint(
    build: SimpleNamespace,
) -> None:
    truth = [(1, 0, HERE), (2, 0, THERE), (1, 1, HERE), (1, 2, HERE)]
    result = mota(*sides(build, truth, [(7, 1, HERE)], 3))
    assert of_a(result) == {"misses": 1, "switches": 0, "false_positives": 1, "objects": 2, "detections": 1}
    assert result.mota == pytest.approx({"a": 0, "b": -100, "total": -50})
    assert result.no_ground_truth == ("b",)
    assert result.table_with_ground_truth["Both"] == 0


def test_videos_with_one_frame_count_nothing_and_are_named(build: SimpleNamespace) -> None:
    one = build.tracks([build.person(1, 0, [HERE, HERE])], build.video(1, name="one"))
    two = build.tracks([build.person(1, frame, [HERE, HERE]) for frame in (0, 1)], build.video(2, name="two"))
    alone = mota(one, one)
    assert (alone.too_short, alone.num_frames) == (("one",), 0)
    assert all(np.isnan(value) for figures in (alone.mota, alone.motp, alone.table) for value in figures.values())
    both = build.merge(one, two)
    assert mota(both, both).too_short == ("one",)
    assert mota(both, both).mota == mota(two, two).mota == {"a": 100, "b": 100, "total": 100}


def test_track_ids_start_anew_in_every_video(build: SimpleNamespace) -> None:
    clips = [build.video(3, name=name) for name in ("one", "two")]
    truth = [build.tracks([build.person(1, frame, [HERE, None]) for frame in range(3)], clip) for clip in clips]
    found = [
        build.tracks([build.person(track, frame, [HERE, None]) for frame in range(3)], clip)
        for track, clip in zip((5, 6), clips, strict=True)
    ]
    assert mota(build.merge(*truth), build.merge(*found)).counts["switches"]["a"] == 0


# --- py-motmetrics, whose accumulator poseval uses, on the same frames ----------------------------------------------

spots = st.sampled_from([(0.0, 0.0), (7.0, 0.0), (11.0, 3.0), (13.0, -5.0), (40.0, 0.0), (47.0, 2.0)])
side = st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 3)), spots, min_size=1, max_size=20)


def by_motmetrics(truth: dict[Any, Any], found: dict[Any, Any]) -> dict[str, float]:
    mm = pytest.importorskip("motmetrics")
    accumulator = mm.MOTAccumulator(auto_id=True)
    for frame in sorted({frame for frame, _ in truth})[:-1]:
        people, guesses = ({track: spot for (at, track), spot in s.items() if at == frame} for s in (truth, found))
        if not guesses:
            accumulator.update([0], [0], np.full((1, 1), np.nan))
            continue
        distance = np.array([[np.hypot(*np.subtract(p, g)) / 30 for g in guesses.values()] for p in people.values()])
        accumulator.update(list(people), list(guesses), np.where(distance <= 0.5, distance, np.nan))
    names = {"misses": "num_misses", "switches": "num_switches", "false_positives": "num_false_positives",
             "objects": "num_objects", "detections": "num_detections"}  # fmt: skip
    found = mm.metrics.create().compute(accumulator, metrics=list(names.values()), return_dataframe=False)
    return {name: found[key] for name, key in names.items()} | {"distance": accumulator.events["D"].sum()}


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(side, side, st.randoms(use_true_random=False))
def test_equals_py_motmetrics(build: SimpleNamespace, truth: Any, found: Any, random: Any) -> None:
    # No two distances are equal, so that there is one best assignment.
    found = {key: (x + random.uniform(-0.4, 0.4), y + random.uniform(-0.4, 0.4)) for key, (x, y) in found.items()}
    if len({frame for frame, _ in truth}) < 2:
        return
    truth, found = (dict(sorted(one.items())) for one in (truth, found))
    rows = [[(track, frame, spot) for (frame, track), spot in one.items()] for one in (truth, found)]
    result = mota(*sides(build, *rows, frames=6))
    expected = by_motmetrics(truth, found)
    distance = expected.pop("distance")
    assert of_a(result) == expected
    if expected["detections"]:
        assert result.motp["a"] == pytest.approx(100 * (1 - distance / expected["detections"]))
