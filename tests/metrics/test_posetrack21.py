"""Where PoseTrack21's PosemAP is not poseval's AP."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegraph.metrics import pose_map, posetrack_ap


def test_a_joint_exists_only_where_x_and_y_are_above_0(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(1, 0, [(5, 5), (5, 5)]), build.person(2, 0, [(90, 0), (90, 5)])], video)
    found = build.tracks(
        [
            build.person(1, 0, [(5, -1), (6, 6)], scores=[0.9, 0.9]),
            build.person(2, 0, [(90, 1), (90, 6)], scores=[0.8, 0.8]),
        ],
        video,
    )
    official, other = posetrack_ap(truth, found), pose_map(truth, found)
    assert (official.ap["a"], official.ap["b"]) == (100, 100)
    # One of the two annotated a remains, and the prediction of the other person is wrong for it.
    assert (other.ap["a"], other.precision["a"], other.recall["a"]) == (0, 0, 0)
    assert other.ap["b"] == 100


def test_a_joint_without_ground_truth_is_0_and_counted(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(1, 0, [(5, 5), None])], video)
    found = build.tracks([build.person(1, 0, [(5, 5), (9, 9)], scores=[1, 1])], video)
    assert np.isnan(posetrack_ap(truth, found).ap["b"])
    result = pose_map(truth, found)
    assert result.ap == {"a": 100, "b": 0, "total": 50}
    assert result.recall == {"a": 100, "b": 0, "total": 50}
    assert result.no_ground_truth == ("b",)
    assert result.table == {"Both": 50, "A": 100, "Mean": 50}
    assert result.table_with_ground_truth == {"Both": 100, "A": 100, "Mean": 100}


def test_labelled_frames_count_with_people_or_without_and_others_do_not(build: SimpleNamespace) -> None:
    video = build.video(3, labeled=[True, True, False])
    truth = build.tracks([build.person(1, 0, [(5, 5), None]), build.person(1, 2, [(5, 5), None])], video)
    guesses = [build.person(1, frame, [(5, 5), None], scores=[0.5 + frame / 10, 0.0]) for frame in range(3)]
    found = build.tracks(guesses, video)
    # Frame 1 has nobody and its prediction ranks before that of frame 0; frame 2 is not labelled.
    assert pose_map(truth, found).ap["a"] == pytest.approx(50)
    assert posetrack_ap(truth, found).ap["a"] == pytest.approx(100)
