"""PCK by hand, with each reference length and each way of matching people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import UNKNOWN, PersonTrack, TrackSet, Video, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.metrics import pck
from posegraph.skeleton import PCKReference, Skeleton

VIDEO = Video(
    name="clip",
    source=Path("clip.json"),
    frame_files=("0.jpg", "1.jpg"),
    image_ids=np.array([0, 1]),
    image_hw=np.zeros((2, 2), dtype=np.int64),
    labeled=np.ones(2, dtype=np.bool_),
    ignore_regions=((), ()),
)


def skeleton(**reference: Any) -> Skeleton:
    return Skeleton(
        name="fly", joints=("a", "b", "c"), groups={"AB": ("a", "b"), "C": ("c",)},
        pck_reference=PCKReference(**reference),
    )  # fmt: skip


def track(track_id: int, points: list[Any], box: Any = (0, 0, 50, 100), head: Any = (np.nan,) * 4) -> PersonTrack:
    given = np.array([[point is not None for point in points]])
    return PersonTrack(
        video=VIDEO,
        track_id=track_id,
        frame=np.array([0]),
        keypoints_px=np.array([[point or (0, 0) for point in points]], dtype=np.float64),
        annotated=given,
        visibility=np.full(given.shape, UNKNOWN, dtype=np.int8),
        boxes_xywh=np.array([box], dtype=np.float64),
        head_boxes_xywh=np.array([head], dtype=np.float64),
        keypoint_scores=np.full(given.shape, np.nan),
        scores=np.array([np.nan]),
    )


def tracks(of: Skeleton, *people: PersonTrack) -> TrackSet:
    return TrackSet(of, (VIDEO,), people)


def test_box_reference_is_the_longer_side() -> None:
    fly = skeleton(kind="box")
    truth = tracks(fly, track(0, [(0, 0), (100, 0), None]))
    result = pck(truth, tracks(fly, track(0, [(12, 16), (100, 20.5), (5, 5)])))  # within 0.2 x 100 = 20 px
    assert result.per_joint == pytest.approx({"a": 100, "b": 0, "c": np.nan}, nan_ok=True)
    assert result.table == pytest.approx({"AB": 50, "C": np.nan, "Mean": 50}, nan_ok=True)
    assert (result.alpha, result.reference, result.num_joints_scored, dict(result.skipped)) == (
        0.2,
        "box",
        2,
        {},
    )
    assert pck(truth, tracks(fly, track(0, [(12, 16), (100, 20.5), None])), alpha=0.25).table["Mean"] == 100


def test_head_box_reference_is_0_6_of_the_diagonal() -> None:
    fly = skeleton(kind="head_box")
    truth = tracks(fly, track(0, [(0, 0), (100, 0), None], head=(1, 2, 30, 40)))  # 30 px; alpha 0.5: 15 px
    result = pck(truth, tracks(fly, track(0, [(15, 0), (100, 15.1), None])), alpha=0.5)
    assert result.per_joint == pytest.approx({"a": 100, "b": 0, "c": np.nan}, nan_ok=True)


def test_joints_reference_and_people_without_it_are_skipped_and_counted() -> None:
    fly = skeleton(kind="joints", joints=("a", "b"))
    people: list[list[Any]] = [
        [(0, 0), (30, 40), (9, 9)],
        [(0, 0), None, (9, 9)],
        [(7, 7), (7, 7), (9, 9)],
        [None, None, None],
    ]
    truth = tracks(fly, *(track(row, points) for row, points in enumerate(people)))
    guess: list[Any] = [(0, 10), (30, 51), (9, 9)]  # within 0.2 x 50 = 10 px
    result = pck(truth, tracks(fly, *(track(row, guess) for row in range(4))))
    assert result.per_joint == {"a": 100, "b": 0, "c": 100}
    assert result.num_joints_scored == 3
    assert dict(result.skipped) == {"person without a reference length (a to b)": 2}


def test_people_are_matched_by_track_id_else_by_best_fit() -> None:
    fly = skeleton(kind="box")
    one, two = [(0, 0), (0, 0), (0, 0)], [(500, 0), (500, 0), (500, 0)]
    truth = tracks(fly, track(0, one), track(1, two))
    swapped = tracks(fly, track(1, one), track(0, two))
    assert pck(truth, swapped).table["Mean"] == 0
    assert pck(truth, swapped, match="best").table["Mean"] == 100
    tracker_ids = tracks(fly, track(100, two), track(101, one), track(102, one))
    assert pck(truth, tracker_ids).table["Mean"] == 100
    assert pck(truth, tracker_ids, match="track_id").table["Mean"] == 0


def test_what_is_not_predicted_is_not_found() -> None:
    fly = skeleton(kind="box")
    truth = tracks(fly, track(0, [(0, 0), (0, 0), (0, 0)]), track(1, [(9, 9), None, None]))
    result = pck(truth, tracks(fly, track(0, [(0, 0), None, (0, 0)])))
    assert result.per_joint == {"a": 50, "b": 0, "c": 100}
    assert pck(truth, tracks(fly)).table["Mean"] == 0


def test_alpha_must_be_above_0() -> None:
    fly = skeleton(kind="box")
    with pytest.raises(PoseGraphError, match=r"alpha: found 0, expected a number above 0; 0\.2 is usual"):
        pck(tracks(fly), tracks(fly), alpha=0)


def test_real_coco_style_file_is_its_own_prediction(real_data: Path) -> None:
    truth = read_tracks(real_data / "handball_coco/handball.json")
    result = pck(truth, truth)
    assert set(result.per_joint.values()) == {100.0}
    assert result.num_joints_scored == int(sum(track.annotated.sum() for track in truth))
