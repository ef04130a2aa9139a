"""Precision-recall curves: by hand, and their areas are the AP."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegraph.data import TrackSet
from posegraph.metrics import posetrack_ap, precision_recall

FAR = (500.0, 500.0)


def ranked(build: SimpleNamespace, scores: list[float], right: list[bool], people: int) -> tuple[TrackSet, TrackSet]:
    """Joint a of some people, and one prediction with each score; joint b of another person, found."""
    video = build.video(1)
    truth = [build.person(row, 0, [(100.0 * row, 0.0), None]) for row in range(people)]
    truth.append(build.person(50, 0, [None, (0.0, 900.0)]))
    found = [
        build.person(row, 0, [(100.0 * row, 0.0) if ok else FAR, None], scores=[score, score])
        for row, (score, ok) in enumerate(zip(scores, right, strict=True))
    ]
    found.append(build.person(50, 0, [None, (0.0, 900.0)], scores=[0.5, 0.5]))
    return build.tracks(truth, video), build.tracks(found, video)


def test_a_curve_by_hand(build: SimpleNamespace) -> None:
    curves = precision_recall(*ranked(build, [0.7, 0.9, 0.8], [True, True, False], people=4))
    curve = curves.per_joint["a"]
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7]
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == [0.25, 0.25, 0.5]
    assert curve.highest_from_here == pytest.approx([1, 2 / 3, 2 / 3])
    assert curve.area == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    levels = curve.at_recall(np.array([0.1, 0.25, 0.4, 0.6]))
    assert levels["precision"] == pytest.approx([1, 1, 2 / 3, 0])
    assert levels["threshold"] == pytest.approx([0.9, 0.9, 0.7, np.nan], nan_ok=True)


def test_the_curve_of_a_group_is_the_mean_of_its_joints(build: SimpleNamespace) -> None:
    curves = precision_recall(*ranked(build, [0.7, 0.9, 0.8], [True, True, False], people=4))
    assert curves.per_joint["b"].recall.tolist() == [1]
    group = curves.per_group["Both"]
    assert group.recall.tolist() == [0.25, 0.5, 1]
    assert group.precision == pytest.approx([1, (2 / 3 + 1) / 2, 1 / 2])
    assert group.threshold is None


def test_joints_without_ground_truth_have_a_curve_without_recall_and_no_part_in_a_group(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(0, 0, [(0.0, 0.0), None])], video)
    found = build.tracks([build.person(0, 0, [(0.0, 0.0), FAR], scores=[1, 1])], video)
    curves = precision_recall(truth, found)
    assert curves.no_ground_truth == ("b",)
    assert np.isnan(curves.per_joint["b"].recall).all()
    assert curves.per_group["Both"].area == 1
    assert set(curves.figures["per_joint"]) == {"a"}


@pytest.mark.parametrize("side", ["empty", "random"])
def test_areas_are_the_reported_ap(build: SimpleNamespace, side: str) -> None:
    rng = np.random.default_rng(1)
    videos = [build.video(3, name=name) for name in ("one", "two")]
    truth, found = [], []
    for video in videos:
        keys = [(person, frame) for person in range(4) for frame in range(3)]
        truth.append(build.tracks([build.person(*key, rng.uniform(0, 60, (2, 2)).tolist()) for key in keys], video))
        guesses = [
            build.person(*key, rng.uniform(0, 60, (2, 2)).tolist(), scores=rng.random(2).tolist()) for key in keys
        ]
        found.append(build.tracks(guesses if side == "random" else [], video))
    both = build.merge(*truth), build.merge(*found)
    curves, ap = precision_recall(*both), posetrack_ap(*both)
    assert (ap.ap["a"] > 0) == (side == "random")
    for name, curve in curves.per_joint.items():
        assert 100 * curve.area == pytest.approx(ap.ap[name], abs=1e-9)
    for group, curve in curves.per_group.items():
        assert 100 * curve.area == pytest.approx(ap.table[group], abs=1e-9)
