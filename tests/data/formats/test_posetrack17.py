"""Reading the PoseTrack17 layout: literal small files, every error, and poseval's own readings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import UNKNOWN, TrackSet, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton


def point(joint: int, x: float, y: float, **fields: Any) -> dict[str, Any]:
    return {"id": [joint], "x": [x], "y": [y], **{key: [value] for key, value in fields.items()}}


def rect(*points: Any, track_id: Any = (0,), **fields: Any) -> dict[str, Any]:
    corners = {"x1": [10], "y1": [20], "x2": [40], "y2": [60]}
    return {"track_id": list(track_id), "annopoints": [{"point": list(points)}], **corners, **fields}


def frame(*rects: Any, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"image": [{"name": f"images/000342_mpii/{number:08d}.jpg"}], "annorect": list(rects), **fields}


def read(tmp_path: Path, frames: Any, **options: Any) -> TrackSet:
    path = tmp_path / "000342_mpii.json"
    path.write_text(json.dumps({"annolist": frames}))
    return read_tracks(path, keep_empty=True, **options)


def test_reads_a_small_file(tmp_path: Path) -> None:
    one = rect(point(13, 1.5, 2, is_visible=1), point(0, 3, 4, is_visible=0), point(14, 0, 0), score=[0.5])
    tracks = read(tmp_path, [frame(one), frame(number=2, is_labeled=[0])])
    (track,), (video,) = tracks.tracks, tracks.videos
    assert (tracks.skeleton.name, video.name, video.layout) == ("posetrack15", "000342_mpii", "posetrack17")
    assert video.frame_files == ("images/000342_mpii/00000001.jpg", "images/000342_mpii/00000002.jpg")
    assert video.image_ids.tolist() == [10003420001, 10003420002]  # as poseval numbers them
    assert video.labeled.tolist() == [True, False]
    assert (track.track_id, track.frame.tolist(), track.scores.tolist()) == (0, [0], [0.5])
    given = {
        joint: track.keypoints_px[0, row].tolist()
        for joint, row in tracks.skeleton.index.items()
        if track.annotated[0, row]
    }
    assert given == {"nose": [1.5, 2], "right_ankle": [3, 4], "head_top": [0, 0]}
    assert track.visibility[0, [13, 0, 14, 1]].tolist() == [1, 0, UNKNOWN, UNKNOWN]
    assert track.head_boxes_xywh.tolist() == [[10, 20, 30, 40]]
    np.testing.assert_allclose(track.boxes_xywh, [[-0.45, -0.6, 3.9, 5.2]])  # the extent x 1.3
    assert np.isnan(track.keypoint_scores).all()


def test_scores_and_people_without_an_id(tmp_path: Path) -> None:
    frames = [
        frame(rect(point(3, 1, 2, score=0.25), point(4, 3, 4)), rect(point(3, 5, 6), track_id=()), rect(track_id=[4]))
    ]
    tracks = read(tmp_path, frames)
    assert [(track.track_id, track.track_id_given) for track in tracks] == [(0, True), (5, False), (4, True)]
    np.testing.assert_array_equal(tracks.tracks[0].keypoint_scores[0, 3:5], [0.25, np.nan])
    assert not tracks.tracks[2].annotated.any()


def test_bare_values_are_read_as_lists_of_one(tmp_path: Path) -> None:
    bare = {"id": 5, "x": 7, "y": 8, "is_visible": True, "score": 0.5}
    one = {"track_id": 2, "annopoints": {"point": bare}, "x1": 4, "y1": 3, "x2": 1, "y2": 2, "score": 1}
    (track,) = read(tmp_path, [{"image": {"name": "a/1.jpg"}, "annorect": [one], "is_labeled": 1}])
    assert (track.track_id, track.scores.tolist(), track.visibility[0, 5]) == (2, [1], 1)
    assert track.keypoints_px[0, 5].tolist() == [7, 8]
    assert track.head_boxes_xywh.tolist() == [[1, 2, 3, 1]]  # whatever the order of the corners


def test_points_that_do_not_count_are_counted(tmp_path: Path) -> None:
    points = [point(2, 1, 1), point(2, 9, 9), point(15, 1, 1), {"x": [1], "y": [1]}, point(3, 1, float("nan"))]
    tracks = read(tmp_path, [frame(rect(*points))])
    assert tracks.tracks[0].keypoints_px[0, 2].tolist() == [1, 1]  # poseval takes the first
    assert tracks.tracks[0].annotated.sum() == 1
    assert dict(tracks.skipped) == {
        "second point of a joint (the first one counts)": 1,
        "point whose id is no joint": 2,
        "joint at NaN or infinity (taken as not annotated)": 1,
    }


def test_rows_are_matched_by_name(tmp_path: Path) -> None:
    skeleton = Skeleton.load("posetrack17")
    (track,) = read(tmp_path, [frame(rect(point(12, 1, 2), point(13, 3, 4)))], skeleton=skeleton)
    assert track.keypoints_px[0, skeleton.index["head_bottom"]].tolist() == [1, 2]
    assert track.keypoints_px[0, skeleton.index["nose"]].tolist() == [3, 4]
    assert track.annotated.sum() == 2


def test_ignore_regions(tmp_path: Path) -> None:
    corners = [{"x": [0], "y": [0]}, {"x": [4.5], "y": [0]}, {"x": 4, "y": 4}]
    (video,) = read(tmp_path, [frame(ignore_regions=[{"point": corners}]), frame(number=2)]).videos
    assert [[polygon.tolist() for polygon in polygons] for polygons in video.ignore_regions] == [
        [[[0, 0], [4.5, 0], [4, 4]]],
        [],
    ]


def test_frames_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    frames = [frame(rect(point(1, 1, 1)), number=9), frame(rect(point(1, 1, 1)), number=8)]
    tracks = read(tmp_path, frames)
    assert tracks.videos[0].frame_files == ("images/000342_mpii/00000008.jpg", "images/000342_mpii/00000009.jpg")
    assert tracks.tracks[0].frame.tolist() == [0, 1]
    assert tracks.tracks[0].file_row is not None
    assert tracks.tracks[0].file_row.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["a_bonn/00000003.jpg", "a_bonn/00000004.jpg"], [3, 4]),
        (["000002_bonn/3.jpg", "000002_bonn/4.jpg"], [20000020003, 20000020004]),
        (["x.jpg", "y.jpg"], [0, 1]),
    ],
)
def test_image_ids_where_the_names_give_none(tmp_path: Path, names: list[str], ids: list[int]) -> None:
    frames = [{"image": [{"name": name}], "annorect": []} for name in names]
    assert read(tmp_path, frames).videos[0].image_ids.tolist() == ids


FRAME = "annolist[0]"
PERSON = "annolist[0].annorect[0]"


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (3, "annolist: found 3, expected a list of frames"),
        ([7], "annolist[0]: found 7, expected an object"),
        ([{"annorect": []}], f"{FRAME}.image[0].name: found nothing, expected the name of an image"),
        ([{"image": [{"name": 3}]}], f"{FRAME}.image[0].name: found 3"),
        ([{"image": [{"name": "a"}, {"name": "b"}]}], f"{FRAME}.image[0].name: found a list of 2"),
        ([frame(is_labeled="yes")], f"{FRAME}.is_labeled: found 'yes', expected a number"),
        ([frame() | {"annorect": 3}], f"{FRAME}.annorect: found 3, expected a list of people"),
        ([frame(4)], f"{PERSON}: found 4, expected an object"),
        ([frame(rect(), rect(track_id=["a"]))], "annolist[0].annorect[1].track_id: found 'a', expected a whole number"),
        ([frame(rect(track_id=[1, 2]))], f"{PERSON}.track_id: found a list of 2, expected one value"),
        ([frame(rect(x1=["3"]))], f"{PERSON}.x1: found '3', expected a number"),
        ([frame(rect(x2=[]))], f"{PERSON}.x2: found nothing, expected all of x1, y1, x2, y2"),
        ([frame(rect(score=[{}]))], f"{PERSON}.score: found an object, expected a number"),
        ([frame(rect() | {"annopoints": "x"})], f"{PERSON}.annopoints: found 'x', expected one object in a list"),
        (
            [frame(rect() | {"annopoints": [{"point": 3}]})],
            f"{PERSON}.annopoints[0].point: found 3, expected a list of points",
        ),
        ([frame(rect(point(1, 1, 1), 5))], f"{PERSON}.annopoints[0].point[1]: found 5, expected an object"),
        (
            [frame(rect(point(1, 1, "u")))],
            f"{PERSON}.annopoints[0].point[0].x: found 'u', expected a number".replace(".x", ".y"),
        ),
        (
            [frame(rect(), rect(point(1, 1, 1), {"id": [1], "x": [[]]}))],
            "annorect[1].annopoints[0].point[1].x: found a list of 0",
        ),
        ([frame(rect(point(1, 1, 1), point([], 1, 1)))], f"{PERSON}.annopoints[0].point[1].id: found a list of 0"),
        (
            [frame(rect(), rect())],
            "annolist[0].annorect[1].track_id: found 0, which annolist[0].annorect[0] has in the same",
        ),
        ([frame(ignore_regions=3)], f"{FRAME}.ignore_regions: found 3, expected a list of polygons"),
        (
            [frame(ignore_regions=[[1]])],
            f"{FRAME}.ignore_regions[0].point: found a list of 1, expected a list of points",
        ),
        ([frame(ignore_regions=[{"point": [{"x": [1]}]}])], f"{FRAME}.ignore_regions[0].point[0].y: found nothing"),
        (
            [frame(ignore_regions=[{"point": [{"x": ["a"], "y": 1}]}])],
            f"{FRAME}.ignore_regions[0].point[0].x: found 'a'",
        ),
    ],
)
def test_every_fault_is_one_line_with_file_field_and_cure(tmp_path: Path, frames: Any, message: str) -> None:
    with pytest.raises(PoseGraphError) as caught:
        read(tmp_path, frames)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / '000342_mpii.json'}: ")
    assert message in said
    assert "; " in said


def test_another_layout_by_that_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(
        PoseGraphError, match=r"x\.json: annolist: found no such key.*give a PoseTrack17 annotation file"
    ):
        read_tracks(tmp_path, format="posetrack17")


def test_real_files(real_data: Path) -> None:
    """17 and 18 hold the same people (the 18 files do not say who is occluded)."""
    old = read_tracks(real_data / "posetrack_bonn/annotations17/val", "posetrack17", keep_empty=True)
    new = read_tracks(real_data / "posetrack_bonn/annotations18/val", keep_empty=True)
    assert (len(old.videos), old.num_poses, len(old), dict(old.skipped)) == (15, 5097, 106, {})
    for one, other in zip(old, new, strict=True):
        assert (one.video.name, one.track_id, one.frame.tolist()) == (
            other.video.name,
            other.track_id,
            other.frame.tolist(),
        )
        np.testing.assert_array_equal(one.keypoints_px, other.keypoints_px)
        np.testing.assert_array_equal(one.annotated, other.annotated)
        np.testing.assert_allclose(one.head_boxes_xywh, other.head_boxes_xywh, atol=0.011)
        assert set(one.visibility[one.annotated].tolist()) <= {0, 1}
