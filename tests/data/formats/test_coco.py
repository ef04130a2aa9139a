"""Reading the PoseTrack18, PoseTrack21 and COCO layouts: literal small files, every error, and real ones."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import UNKNOWN, TrackSet, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

CHAIN = Skeleton(name="chain", joints=("a", "b", "c"), bones=(("a", "b"), ("b", "c")))


def image(image_id: int, name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": image_id, "file_name": name or f"{image_id:06d}.jpg", **fields}


def person(image_id: int, keypoints: Sequence[float], **fields: Any) -> dict[str, Any]:
    return {"image_id": image_id, "keypoints": keypoints, "bbox": [0, 0, 10, 20], "track_id": 0, **fields}


def file_of(people: list[Any], images: list[Any] | None = None, names: str = "abc") -> dict[str, Any]:
    images = [image(1), image(2)] if images is None else images
    return {"images": images, "annotations": people, "categories": [{"id": 1, "keypoints": list(names)}]}


def read(tmp_path: Path, content: Any, **options: Any) -> TrackSet:
    path = tmp_path / "clip.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_tracks(path, **{"skeleton": CHAIN, **options})


ABC = [1, 2, 1, 3, 4, 1, 0, 0, 0]


def test_reads_a_small_file(tmp_path: Path) -> None:
    tracks = read(tmp_path, file_of([person(1, ABC, track_id=7), person(2, ABC, track_id=7, bbox_head=[1, 2, 3, 4])]))
    (track,), (video,) = tracks.tracks, tracks.videos
    assert (video.name, video.frame_files, video.image_ids.tolist()) == (
        "clip",
        ("000001.jpg", "000002.jpg"),
        [1, 2],
    )
    assert (track.track_id, track.frame.tolist()) == (7, [0, 1])
    assert track.keypoints_px[0].tolist() == [[1, 2], [3, 4], [0, 0]]
    assert track.annotated[0].tolist() == [True, True, False]
    assert track.visibility[0].tolist() == [UNKNOWN] * 3
    assert track.boxes_xywh.tolist() == [[0, 0, 10, 20]] * 2
    assert np.isnan(track.head_boxes_xywh[0]).all()
    assert track.head_boxes_xywh[1].tolist() == [1, 2, 3, 4]
    assert np.isnan(track.keypoint_scores).all()
    assert np.isnan(track.scores).all()
    assert not tracks.skipped


def test_visibility_is_known_where_the_file_uses_grade_2(tmp_path: Path) -> None:
    (track,) = read(tmp_path, file_of([person(1, [1, 2, 2, 3, 4, 1, 0, 0, 0])]))
    assert track.visibility.tolist() == [[1, 0, UNKNOWN]]


def test_frames_are_in_order_of_the_number_in_the_file_name(tmp_path: Path) -> None:
    images = [image(1, "cam2_10.png"), image(2, "cam2_9.png"), image(3, "cam2_11.png")]
    tracks = read(tmp_path, file_of([person(1, ABC), person(3, ABC)], images))
    assert tracks.videos[0].image_ids.tolist() == [2, 1, 3]
    assert tracks.tracks[0].frame.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("frame_ids", "order"),
    [([30, 20, 10], [3, 2, 1]), ([None, None, None], [1, 2, 3]), ([1, 1, 2], [1, 2, 3])],
)
def test_frames_without_a_number_go_by_frame_id_and_else_as_listed(
    tmp_path: Path, frame_ids: list[int], order: list[int]
) -> None:
    images = [image(row + 1, name, frame_id=frame_ids[row]) for row, name in enumerate(["x.jpg", "y.jpg", "z.jpg"])]
    assert read(tmp_path, file_of([], images)).videos[0].image_ids.tolist() == order


def test_rows_are_matched_by_name(tmp_path: Path) -> None:
    content = file_of([person(1, [1, 1, 1, 2, 2, 1, 3, 3, 1], scores=[0.1, 0.2, 0.3])], names="cxa")
    (track,) = read(tmp_path, content)
    assert track.keypoints_px[0].tolist() == [[3, 3], [0, 0], [1, 1]]
    assert track.annotated[0].tolist() == [True, False, True]
    np.testing.assert_array_equal(track.keypoint_scores[0], [0.3, np.nan, 0.1])


def test_a_file_without_names_is_read_in_the_order_of_the_skeleton(tmp_path: Path) -> None:
    content = file_of([person(1, ABC)])
    del content["categories"]
    assert read(tmp_path, content).tracks[0].annotated[0].tolist() == [True, True, False]


def test_several_videos_in_one_file(tmp_path: Path) -> None:
    images = [
        image(1, "val/two_x/000001.jpg", vid_id="two"),
        image(2, "val/one_x/000000.jpg", vid_id="one"),
        image(3, "val/two_x/000000.jpg", vid_id="two"),
    ]
    tracks = read(tmp_path, file_of([person(1, ABC), person(2, ABC), person(3, ABC)], images))
    assert [(video.name, video.image_ids.tolist()) for video in tracks.videos] == [
        ("one_x", [2]),
        ("two_x", [3, 1]),
    ]
    assert [(track.video.name, track.frame.tolist()) for track in tracks] == [
        ("one_x", [0]),
        ("two_x", [0, 1]),
    ]


def test_people_without_track_id_are_tracks_of_their_own(tmp_path: Path) -> None:
    people = [person(1, ABC, track_id=None), person(1, ABC, track_id=4), person(2, ABC, track_id=None)]
    assert [track.track_id for track in read(tmp_path, file_of(people))] == [5, 4, 6]


def test_tracks_are_in_order_of_first_appearance(tmp_path: Path) -> None:
    people = [person(1, [0] * 9, track_id=1), person(1, ABC, track_id=2), person(2, ABC, track_id=1)]
    assert [track.track_id for track in read(tmp_path, file_of(people))] == [2, 1]


@pytest.mark.parametrize("box", [[0, 0, 0, 5], [0, 0, 5, -1], [0, 0, float("nan"), 5], [0, 0, float("inf"), 5]])
def test_a_useless_box_is_left_out_and_counted(tmp_path: Path, box: list[float]) -> None:
    content = file_of([person(1, ABC, bbox=box), person(2, ABC)])
    tracks = read(tmp_path, content)
    assert (tracks.num_poses, dict(tracks.skipped)) == (1, {"box of zero area or NaN": 1})
    (track,) = read(tmp_path, content, keep_empty=True)
    assert len(track) == 2
    assert np.isnan(track.boxes_xywh[0]).all()


def test_a_person_without_joints_is_left_out_and_counted(tmp_path: Path) -> None:
    without = person(2, ABC)
    del without["keypoints"]
    content = file_of([person(1, [5, 5, 0] + [0] * 6), without, person(1, ABC, track_id=3)])
    assert dict(read(tmp_path, content).skipped) == {"no annotated joint": 2}
    kept = read(tmp_path, content, keep_empty=True)
    assert [len(track) for track in kept] == [2, 1]
    assert not kept.tracks[0].annotated.any()
    assert not kept.skipped


def test_nan_and_null_positions_are_not_annotated(tmp_path: Path) -> None:
    text = json.dumps(file_of([person(1, [1, 2, 1, 3, 4, 1, 5, 6, 1])]))
    tracks = read(tmp_path, text.replace("1, 2, 1, 3, 4, 1", "NaN, 2, 1, 3, null, 1"))
    assert tracks.tracks[0].annotated[0].tolist() == [False, False, True]
    assert tracks.tracks[0].keypoints_px[0].tolist() == [[0, 0], [0, 0], [5, 6]]
    assert dict(tracks.skipped) == {"joint at NaN or infinity (taken as not annotated)": 2}


def test_a_missing_box_is_the_extent_times_1_3(tmp_path: Path) -> None:
    (track,) = read(tmp_path, file_of([person(1, [10, 10, 1, 20, 30, 1, 0, 0, 0], bbox=None)]))
    np.testing.assert_allclose(track.boxes_xywh, [[8.5, 7, 13, 26]])


def test_predictions_carry_scores_and_keep_positions_with_v_0(tmp_path: Path) -> None:
    (track,) = read(tmp_path, file_of([person(1, [1, 2, 0, 0, 0, 0, 3, 4, 1], scores=[0.5, 0, 1], score=0.75)]))
    assert track.annotated[0].tolist() == [True, False, True]
    assert track.keypoint_scores[0].tolist() == [0.5, 0, 1]
    assert track.scores.tolist() == [0.75]


def test_other_categories_are_left_out_and_counted(tmp_path: Path) -> None:
    tracks = read(tmp_path, file_of([person(1, ABC, category_id=1), {"category_id": 18, "bbox": 3}]))
    assert (tracks.num_poses, list(tracks.skipped.values())) == (1, [1])


def test_ignore_regions_and_labels(tmp_path: Path) -> None:
    images = [
        image(1, is_labeled=False, ignore_regions_x=[[0, 4, 4]], ignore_regions_y=[[0, 0, 4]]),
        image(2),
    ]
    (video,) = read(tmp_path, file_of([], images)).videos
    assert video.labeled.tolist() == [False, True]
    assert [[polygon.tolist() for polygon in frame] for frame in video.ignore_regions] == [
        [[[0, 0], [4, 0], [4, 4]]],
        [],
    ]


def with_field(target: str, row: int, key: str, value: Any) -> dict[str, Any]:
    content = file_of([person(1, ABC, id=42), person(2, ABC, id=43)])
    content[target][row] = {**content[target][row], key: value}
    return content


def without_key(key: str) -> dict[str, Any]:
    content = file_of([])
    del content[key]
    return content


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("[1, 2]", ["top level", "a list of 2", "detections"]),
        ("3", ["top level", "found 3", "an object"]),
        (
            without_key("images"),
            ["images: found no such key (keys: annotations, categories)", "expected a list"],
        ),
        (without_key("annotations"), ["annotations: found no such key", "expected a list"]),
        ({**file_of([]), "images": {}}, ["images: found an object", "expected a list"]),
        ({**file_of([]), "categories": 3}, ["categories: found 3", "list of objects"]),
        (file_of([], names="aba"), ["categories[0].keypoints", "a more than once"]),
        (file_of([], names="xyz"), ["categories.keypoints", "found x, y, z", "a, b, c", "pass a skeleton"]),
        ({**file_of([]), "categories": [{"keypoints": ["a", 1]}]}, ["categories[0].keypoints[1]: found 1", "joint"]),
        (file_of([], [image(1), 5]), ["images[1]: found 5", "an object"]),
        (file_of([], [{"id": 1}]), ["images[0].file_name: found nothing", "file_name"]),
        (
            file_of([], [image(1, "a.jpg"), image(1, "b.jpg")]),
            ["images[1].id", "the id of images[0] too", "of its own"],
        ),
        (with_field("images", 1, "id", "7"), ["images[1].id: found '7'", "whole number"]),
        (with_field("images", 1, "id", 10**30), ["images[1].id: found a number too large"]),
        (with_field("images", 1, "id", True), ["images[1].id: found true"]),
        (with_field("images", 0, "file_name", 3), ["images[0].file_name: found 3"]),
        (with_field("images", 0, "is_labeled", "x"), ["images[0].is_labeled: found 'x'", "true or false"]),
        (with_field("images", 0, "vid_id", []), ["images[0].vid_id: found a list of 0"]),
        (with_field("images", 0, "vid_id", "v"), ["images[1].vid_id: found nothing", "every image a vid_id"]),
        (with_field("images", 0, "ignore_regions_x", 5), ["images[0].ignore_regions_x: found 5", "polygons"]),
        (with_field("images", 0, "ignore_regions_x", [3]), ["images[0].ignore_regions_x[0]: found 3"]),
        (
            with_field("images", 0, "ignore_regions_x", [[3]]),
            ["images[0].ignore_regions_y", "found polygons of []", "[1]"],
        ),
        (
            with_field("annotations", 1, "image_id", 9),
            ["annotations[1].image_id: found 9", "listed in images", "remove"],
        ),
        (with_field("annotations", 1, "image_id", None), ["annotations[1].image_id: found nothing"]),
        (
            with_field("annotations", 1, "keypoints", "x"),
            ["annotations[1].keypoints: found 'x'", "list of numbers"],
        ),
        (
            with_field("annotations", 1, "keypoints", ABC[:-1]),
            ["annotations[1].keypoints", "8 numbers (annotation id 43)", "expected 9", "3 joints", "correct"],
        ),
        (
            with_field("annotations", 0, "keypoints", [*ABC[:4], "q", *ABC[5:]]),
            ["annotations[0].keypoints[4]: found 'q'"],
        ),
        (
            with_field("annotations", 0, "keypoints", [*ABC[:-1], True]),
            ["annotations[0].keypoints[8]: found true"],
        ),
        (with_field("annotations", 0, "scores", [1]), ["annotations[0].scores", "1 numbers", "expected 3"]),
        (with_field("annotations", 0, "score", {}), ["annotations[0].score: found an object", "a number"]),
        (
            with_field("annotations", 0, "bbox", [1, 2, 3]),
            ["annotations[0].bbox: found 3 numbers", "x, y, width, height"],
        ),
        (
            with_field("annotations", 0, "bbox_head", [1, 2, 3, "4"]),
            ["annotations[0].bbox_head[3]: found '4'"],
        ),
        (
            with_field("annotations", 0, "track_id", 1.5),
            ["annotations[0].track_id: found 1.5", "whole number"],
        ),
        (
            with_field("annotations", 1, "image_id", 1),
            ["annotations[1].track_id", "0, which annotations[0] has", "of its own"],
        ),
        (file_of([7]), ["annotations[0]: found 7", "an object"]),
        (file_of([{"image_id": 1}]), ["annotations: found no keypoints in any", "keypoint file"]),
        (json.dumps(file_of([]))[:-20], ["not valid JSON", "line 1 column", "cut off"]),
        ("[" * 100_000, ["not valid JSON", "nested too deep"]),
        ('{"images": ' + "9" * 5000 + "}", ["not readable as JSON"]),
    ],
)
def test_every_fault_is_one_line_with_file_field_and_cure(tmp_path: Path, content: Any, parts: list[str]) -> None:
    with pytest.raises(PoseGraphError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "clip.json") + ": ")
    assert "\n" not in message
    assert "; " in message
    for part in parts:
        assert part in message


def test_a_wrong_number_of_joints_without_names_names_the_skeleton(tmp_path: Path) -> None:
    content = file_of([person(1, ABC[:6], id=5)])
    content["categories"] = []
    with pytest.raises(PoseGraphError, match=r"annotations\[0\]\.keypoints: found 6 .*id 5.*expected 9 .*'chain'"):
        read(tmp_path, content)


def test_a_file_without_joint_names_needs_a_skeleton(tmp_path: Path) -> None:
    content = {**file_of([]), "categories": [{"id": 1}]}
    with pytest.raises(
        PoseGraphError, match=r"categories\.keypoints: found no joint names, .*posetrack17; pass a skel"
    ):
        read(tmp_path, content, skeleton=None)


def test_files_of_different_joints_need_a_skeleton(tmp_path: Path) -> None:
    for name in ("coco17", "posetrack17"):
        content = {**file_of([]), "categories": [{"keypoints": list(Skeleton.load(name).joints)}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(PoseGraphError, match=r"posetrack17\.json: .*not those of coco17\.json .*pass a skeleton"):
        read_tracks(tmp_path)
    tracks = read_tracks(tmp_path, "posetrack17")
    assert [video.name for video in tracks.videos] == ["coco17", "posetrack17"]


def test_a_video_that_two_files_hold(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(file_of([])))
    images = [image(1, "one/1.jpg", vid_id=1), image(2, "two/1.jpg", vid_id=2)]
    (tmp_path / "zwei.json").write_text(json.dumps(file_of([], images)))
    with pytest.raises(PoseGraphError, match=r"zwei\.json: video 'one' is in .*one\.json too; .*take one"):
        read_tracks(tmp_path, CHAIN)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"no \.json file in this folder"):
        read_tracks(tmp_path)
    with pytest.raises(PoseGraphError, match=r"none\.json: no such file"):
        read_tracks(tmp_path / "none.json")


def test_videos_are_named_after_the_list_of_videos(tmp_path: Path) -> None:
    images = [image(1, "a/7.jpg", video_id=3), image(2, "b/7.jpg", video_id=9), image(3, "a/6.jpg", video_id=3)]
    content = {**file_of([], images), "videos": [{"id": 3, "name": "street/one.mp4"}, {"id": 9, "name": "two"}]}
    videos = read(tmp_path, content).videos
    assert [(video.name, video.image_ids.tolist()) for video in videos] == [("one", [3, 1]), ("two", [2])]


def test_frames_of_movies(tmp_path: Path) -> None:
    images = [image(1, "in/a.mp4", frame_idx=10), image(2, "in/a.mp4", frame_idx=9), image(3, "in/b.AVI", frame_id=0)]
    videos = read(tmp_path, file_of([], images)).videos
    assert [(video.name, video.frame_files) for video in videos] == [
        ("a", ("in/a.mp4#9", "in/a.mp4#10")),
        ("b", ("in/b.AVI#0",)),
    ]
    (alone,) = read(tmp_path, file_of([], images[:2])).videos
    assert (alone.name, alone.frame_files) == ("clip", ("in/a.mp4#9", "in/a.mp4#10"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [({}, "frame_idx: found nothing"), ({"frame_idx": -1}, r"frame_idx: found -1, .*in the movie")],
)
def test_a_frame_of_a_movie_needs_its_number(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(PoseGraphError, match=rf"images\[0\]\.{message}.*; count frames from 0"):
        read(tmp_path, file_of([], [image(1, "a.mp4", **fields)]))


def test_posetrack21_has_no_ears(tmp_path: Path) -> None:
    skeleton = Skeleton.load("posetrack17")
    content = file_of([person(1, [9, 9, 1] * 17, person_id=3)])
    content["categories"][0]["keypoints"] = list(skeleton.joints)
    tracks = read(tmp_path, content, skeleton=None)
    assert tracks.videos[0].layout == "posetrack21"
    missing = [joint for joint, given in zip(skeleton.joints, tracks.tracks[0].annotated[0], strict=True) if not given]
    assert missing == [joint for joint in skeleton.joints if joint not in skeleton.scored.values()]
    assert dict(tracks.skipped) == {"position of a joint that PoseTrack21 does not annotate": 2}
    assert read(tmp_path, content, skeleton=None, format="posetrack18").tracks[0].annotated.all()


def test_people_say_where_they_are_in_the_file(tmp_path: Path) -> None:
    people = [person(2, ABC, track_id=1), {"category_id": 7}, person(1, ABC, track_id=1), person(1, ABC, track_id=0)]
    content = file_of([{"category_id": 1, **entry} for entry in people])
    assert [track.file_row.tolist() for track in read(tmp_path, content) if track.file_row is not None] == [[2, 0], [3]]


def test_a_skeleton_reports_a_joint_under_another_name(tmp_path: Path) -> None:
    reporting = Skeleton(name="reporting", joints=("x", "c"), scored={"a": "x", "c": "c"})
    (track,) = read(tmp_path, file_of([person(1, [1, 2, 1, 3, 4, 1, 5, 6, 1])]), skeleton=reporting)
    assert track.keypoints_px[0].tolist() == [[1, 2], [5, 6]]


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(
        PoseGraphError, match=r"format 'posetrak18' is none .*posetrack17, .*did you mean 'posetrack18'"
    ):
        read(tmp_path, file_of([]), format="posetrak18")


def test_the_collector_is_left_as_it_was(tmp_path: Path) -> None:
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            read(tmp_path, file_of([]))
            with pytest.raises(PoseGraphError):
                read(tmp_path, "{")
            assert gc.isenabled() == enabled
        finally:
            gc.enable()


def test_real_posetrack18_file_with_two_videos(real_data: Path) -> None:
    tracks = read_tracks(real_data / "mmpose_posetrack18/annotations/posetrack18_val.json")
    assert tracks.skeleton.name == "posetrack17"
    assert [video.name for video in tracks.videos] == ["003418_mpii_test", "009473_mpii_test"]
    assert (tracks.num_poses, len(tracks), dict(tracks.skipped)) == (3, 3, {})
    assert [len(video.ignore_regions[0]) for video in tracks.videos] == [9, 2]


def test_real_coco_style_file(real_data: Path) -> None:
    tracks = read_tracks(real_data / "handball_coco/handball.json")
    (track,) = tracks
    assert (tracks.skeleton.name, tracks.videos[0].num_frames, track.track_id) == ("coco17", 40, 18)
    assert track.frame.tolist() == list(range(40))
    assert set(track.visibility.ravel().tolist()) == {0, 1}


def test_real_movie_without_a_skeleton_file(real_data: Path) -> None:
    tracks = read_tracks(real_data / "custom_fly24/fly24_tracks.json")
    (video,), skeleton = tracks.videos, tracks.skeleton
    assert (skeleton.name, skeleton.num_joints, len(skeleton.bones), len(skeleton.flip_pairs)) == ("fly", 24, 23, 10)
    assert ("forelegL1", "forelegR1") in skeleton.flip_pairs
    assert (video.num_frames, video.frame_files[-1]) == (1100, "centered_pair_low_quality.mp4#1099")
    assert (len(tracks), tracks.num_poses + sum(tracks.skipped.values())) == (26, 2274)


def test_real_folder(real_data: Path) -> None:
    tracks = read_tracks(real_data / "posetrack_bonn/annotations18/val", keep_empty=True)
    assert (len(tracks.videos), tracks.num_poses) == (15, 5097)
    assert sum(video.num_frames for video in tracks.videos) == 861
    assert not np.isnan(np.concatenate([track.head_boxes_xywh for track in tracks])).any()
    for skipped in (tracks.skipped, read_tracks(real_data / "eval_vectors/b_jitter_pt18/pred").skipped):
        assert not skipped
