"""Parts of the annotated joints, with answers that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.metrics.posetrack_ap import posetrack_ap
from posegraph.metrics.splits import split_scores
from posegraph.skeleton import Skeleton

SKELETON = Skeleton.from_dict({"name": "two", "joints": ["a", "b"], "bones": [["a", "b"]]})
HEAD = 5.0 / 0.6  # box of 3:4 with this diagonal: a head size of 5 px, right within 2.5 px


def video(frames: int) -> Video:
    return Video(
        "v", Path("v.json"), tuple(f"{frame}.jpg" for frame in range(frames)), np.arange(frames),
        np.full((frames, 2), 100), np.ones(frames, dtype=np.bool_), ((),) * frames,
    )  # fmt: skip


def track(
    of: Video, number: int, points: list[list[float]], visible: list[list[int]], scores: list[list[float]] | None = None
) -> PersonTrack:
    """One person in every frame: ``points [N][x_a, x_b]`` on the line y = 10 + 40 x number; visibility -2: no joint."""
    N = len(points)
    x, seen = np.array(points, dtype=np.float64), np.array(visible, dtype=np.int8)
    given = seen > -2
    head = np.array([10, 10, 0.6 * HEAD, 0.8 * HEAD])
    return PersonTrack(
        video=of,
        track_id=number,
        frame=np.arange(N),
        keypoints_px=np.stack([x, np.full((N, 2), 10.0 + 40 * number)], axis=-1) * given[..., None],
        annotated=given,
        visibility=np.maximum(seen, -1),
        boxes_xywh=np.tile([0.0, 40.0 * number, 90.0, 30.0], (N, 1)),
        head_boxes_xywh=np.tile(head, (N, 1)),
        keypoint_scores=np.full((N, 2), np.nan) if scores is None else np.array(scores, dtype=np.float64),
        scores=np.full(N, np.nan),
    )


def tracks(*some: PersonTrack) -> TrackSet:
    return TrackSet(SKELETON, (some[0].video,), some)


def test_every_part_has_its_own_ground_truth_and_predictions() -> None:
    of = video(2)
    # Joint a: seen, seen in both frames of person 0; seen, occluded of person 1. Joint b: occluded but once.
    truth = tracks(
        track(of, 0, [[10, 50], [10, 50]], [[1, 0], [1, 1]]),
        track(of, 1, [[10, 50], [10, 50]], [[1, 0], [0, -2]]),
    )
    found = tracks(
        track(of, 0, [[11, 50], [30, 50]], [[-1, -1]] * 2, [[0.9, 0.9], [0.8, 0.8]]),
        track(of, 1, [[10, 70], [12, 50]], [[-1, -1]] * 2, [[0.7, 0.95], [0.6, 0.99]]),
    )
    parts = split_scores(truth, found)
    assert (parts.visible.num_joints, parts.occluded.num_joints) == (4, 3)
    # Visible a: right .9, wrong .8, right .7 -> precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3: 1/3 + 2/9.
    # Visible b: one, right. b of person 1 in frame 1 is annotated nowhere: in no part.
    assert parts.visible.ap == pytest.approx({"Mean": 100 * (5 / 9 + 1) / 2})
    assert parts.visible.pck == pytest.approx({"Mean": 100 * (2 / 3 + 1) / 2})
    # Occluded a: one, right. Occluded b: wrong .95 before right .9 -> precision 1/2 at recall 1/2.
    assert parts.occluded.ap == pytest.approx({"Mean": 100 * (1 + 1 / 4) / 2})
    assert parts.occluded.pck == pytest.approx({"Mean": 100 * (1 + 1 / 2) / 2})


def test_fast_is_the_quarter_that_moved_the_farthest_in_head_sizes() -> None:
    of = video(3)
    # Moves in px: a 1, 2; b 3, 40. Head size 5: speeds .2, .4, .6, 8; the 75th percentile is .6 + .25 * 7.4 = 2.45.
    truth = tracks(track(of, 0, [[10, 20], [11, 23], [13, 63]], [[1, 1], [0, 1], [1, 0]]))
    near = track(of, 0, [[10, 20], [11, 23], [13, 60.6]], [[-1, -1]] * 3, [[0.5, 0.5]] * 3)
    parts = split_scores(truth, tracks(near))
    assert parts.fast_from == pytest.approx(2.45)
    assert parts.fast.num_joints == 1
    assert parts.fast.ap == {"Mean": 100.0}
    far = track(of, 0, [[10, 20], [11, 23], [13, 60.4]], [[-1, -1]] * 3, [[0.5, 0.5]] * 3)
    assert split_scores(truth, tracks(far)).fast.pck == {"Mean": 0.0}


def test_a_joint_without_a_frame_before_it_has_no_speed() -> None:
    of = video(3)
    gone = tracks(track(of, 0, [[10, 20], [0, 0], [90, 99]], [[1, 1], [-2, -2], [1, 1]]))
    parts = split_scores(gone, gone)
    assert np.isnan(parts.fast_from)
    assert parts.fast.num_joints == 0
    assert np.isnan(parts.fast.ap["Mean"])


def test_parts_that_are_all_are_the_posetrack_ap() -> None:
    rng = np.random.default_rng(0)
    of = video(40)
    truth = tracks(track(of, 0, [[10, 50]] * 40, [[1, 1]] * 40))
    moved = (np.array([[10, 50]]) + rng.normal(0, 2, (40, 2))).tolist()
    found = tracks(track(of, 0, moved, [[-1, -1]] * 40, rng.random((40, 2)).tolist()))
    wanted = posetrack_ap(truth, found)
    assert wanted.ap["total"] < 90
    assert split_scores(truth, found).visible.ap["Mean"] == pytest.approx(wanted.ap["total"])
