"""Writing tracks: what is written for values made by hand, changed after reading, or read from another layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import UNKNOWN, PersonTrack, TrackSet, Video, read_tracks, write_tracks
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

CHAIN = Skeleton(name="chain", joints=("a", "b", "c"), bones=(("a", "b"), ("b", "c")))
NAN = float("nan")
ABC = [1.5, 2, 2, 3, 4, 1, 0, 0, 0]


def video(name: str = "clip", num_frames: int = 2, **fields: Any) -> Video:
    return Video(
        name=name,
        source=Path(f"{name}.json"),
        frame_files=tuple(f"{name}/{frame:06d}.jpg" for frame in range(num_frames)),
        image_ids=np.arange(num_frames) + 5,
        image_hw=np.array([[48, 64], [0, 0]])[:num_frames],
        labeled=np.array([True, False])[:num_frames],
        ignore_regions=((np.array([[0, 0], [4.5, 0], [4, 4]]),), ())[:num_frames],
        **fields,
    )


def track(of: Video, frames: Sequence[int] = (0,), **fields: Any) -> PersonTrack:
    N = len(frames)
    made: dict[str, Any] = {
        "track_id": 9,
        "keypoints_px": np.array([[[1.5, 2], [3, 4], [0, 0]]] * N),
        "annotated": np.array([[True, True, False]] * N),
        "visibility": np.array([[1, 0, UNKNOWN]] * N, dtype=np.int8),
        "boxes_xywh": np.array([[0.0, 0.0, 10.5, 20.0]] * N),
        "head_boxes_xywh": np.full((N, 4), NAN),
        "keypoint_scores": np.full((N, 3), NAN),
        "scores": np.full(N, NAN),
    }
    return PersonTrack(video=of, frame=np.array(frames), **made | fields)


def written(tracks: TrackSet, out: Path, layout: str) -> dict[str, Any]:
    (path,) = write_tracks(tracks, out, layout).paths
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_posetrack18_of_predictions(tmp_path: Path) -> None:
    clip = video()
    scored = {"keypoint_scores": np.array([[0.25, NAN, 0.9]]), "scores": np.array([0.5]), "track_id": 2}
    content = written(TrackSet(CHAIN, (clip,), (track(clip), track(clip, **scored))), tmp_path, "posetrack18")
    assert content == {
        "images": [
            {"id": 5, "file_name": "clip/000000.jpg", "is_labeled": True, "height": 48, "width": 64,
             "ignore_regions_x": [[0, 4.5, 4]], "ignore_regions_y": [[0, 0, 4]]},
            {"id": 6, "file_name": "clip/000001.jpg", "is_labeled": False},
        ],
        "annotations": [
            {"image_id": 5, "track_id": 9, "keypoints": ABC, "bbox": [0, 0, 10.5, 20], "id": 500, "category_id": 1},
            {"image_id": 5, "track_id": 2, "keypoints": ABC, "scores": [0.25, -9999, 0], "score": 0.5,
             "bbox": [0, 0, 10.5, 20], "id": 501, "category_id": 1},
        ],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person", "keypoints": ["a", "b", "c"],
             "skeleton": [[1, 2], [2, 3]]}
        ],
    }  # fmt: skip


def test_whole_numbers_have_no_decimal_point(tmp_path: Path) -> None:
    clip = video(num_frames=1)
    text = write_tracks(TrackSet(CHAIN, (clip,), (track(clip),)), tmp_path, "posetrack18").paths[0].read_text()
    assert "[1.5, 2, 2, 3, 4, 1, 0, 0, 0]" in text


def test_coco_has_what_its_evaluation_asks_for(tmp_path: Path) -> None:
    clip = video()
    content = written(TrackSet(CHAIN, (clip,), (track(clip),)), tmp_path, "coco")
    assert content["annotations"] == [
        {"iscrowd": 0, "area": 210, "num_keypoints": 2, "image_id": 5, "track_id": 9, "keypoints": ABC,
         "bbox": [0, 0, 10.5, 20], "id": 500, "category_id": 1}
    ]  # fmt: skip
    assert content["images"][1] == {"id": 6, "file_name": "clip/000001.jpg", "is_labeled": False}
    assert "is_labeled" not in content["images"][0]


def test_a_frame_of_a_movie_is_written_with_its_number(tmp_path: Path) -> None:
    clip = replace(video(num_frames=1), frame_files=("in/a.mp4#12",))
    (image,) = written(TrackSet(CHAIN, (clip,), ()), tmp_path, "posetrack18")["images"]
    assert (image["file_name"], image["frame_idx"]) == ("in/a.mp4", 12)
    assert read_tracks(tmp_path, CHAIN).videos[0].frame_files == ("in/a.mp4#12",)


def test_posetrack17_of_predictions(tmp_path: Path) -> None:
    skeleton = Skeleton(name="two", joints=("nose", "left_eye", "head_bottom"))
    clip = video()
    scores = {"keypoint_scores": np.array([[0.25, 0.5, NAN]]), "head_boxes_xywh": np.array([[1, 2, 3.5, 4]])}
    tracks = TrackSet(skeleton, (clip,), (track(clip, **scores),))
    assert written(tracks, tmp_path, "posetrack17") == {
        "annolist": [
            {"imgnum": [1], "image": [{"name": "clip/000000.jpg"}], "is_labeled": [1],
             "ignore_regions": [{"point": [{"x": [0], "y": [0]}, {"x": [4.5], "y": [0]}, {"x": [4], "y": [4]}]}],
             "annorect": [{"track_id": [9], "x1": [1], "y1": [2], "x2": [4.5], "y2": [6],
                           "annopoints": [{"point": [{"id": [13], "x": [1.5], "y": [2], "is_visible": [1],
                                                      "score": [0.25]}]}]}]},
            {"imgnum": [2], "image": [{"name": "clip/000001.jpg"}], "is_labeled": [0], "annorect": []},
        ]
    }  # fmt: skip
    lost = write_tracks(tracks, tmp_path, "posetrack17").lost
    assert lost == {"position of left_eye, which the layout lacks": 1, "box of a person": 1, "size of an image": 1}


def posetrack18_file(folder: Path) -> Path:
    images = [{"id": 1, "file_name": "clip/000000.jpg", "is_labeled": True}]
    person = {"image_id": 1, "category_id": 1, "id": 7, "note": "kept", "track_id": 3}
    people = [{**person, "keypoints": [5, 6, 0, 3, 4, 1, 9, 9, 1], "scores": []}]
    path = folder / "clip.json"
    categories = [{"id": 1, "name": "person", "keypoints": ["a", "b", "c"]}]
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": categories}))
    return path


def test_what_was_changed_after_reading_is_written_as_changed(tmp_path: Path) -> None:
    """The file's own wording (a position with v = 0, no box) is only kept while it says what the tracks hold."""
    source = posetrack18_file(tmp_path)
    tracks = read_tracks(source, CHAIN)
    (read,) = tracks
    assert written(tracks, tmp_path / "same", "posetrack18") == json.loads(source.read_text())
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"keypoints_px": read.keypoints_px + read.annotated[..., None]}, {"keypoints": [0, 0, 0, 4, 5, 1, 10, 10, 1]}),
        ({"annotated": np.array([[True, True, True]])}, {"keypoints": [0, 0, 1, 3, 4, 1, 9, 9, 1]}),
        ({"boxes_xywh": np.array([[1.0, 2.0, 3.0, 4.0]])}, {"bbox": [1, 2, 3, 4]}),
        ({"keypoint_scores": np.array([[NAN, 0.5, NAN]])}, {"scores": [0, 0.5, -9999]}),
        ({"track_id": 8}, {"track_id": 8}),
    ]
    for change, fields in changes:
        changed = replace(tracks, tracks=(replace(read, **change),))
        (entry,) = written(changed, tmp_path / "changed", "posetrack18")["annotations"]
        assert fields.items() <= entry.items()
        assert (entry["note"], entry["id"]) == ("kept", 7)


def test_another_skeleton_writes_its_own_joints(tmp_path: Path) -> None:
    tracks = read_tracks(posetrack18_file(tmp_path), Skeleton(name="two", joints=("c", "b")))
    content = written(tracks, tmp_path / "out", "posetrack18")
    assert content["categories"][0] == {"id": 1, "name": "person", "keypoints": ["c", "b"], "skeleton": []}
    assert content["annotations"][0]["keypoints"] == [9, 9, 1, 3, 4, 1]


def test_fields_that_another_layout_uses_itself_are_counted(tmp_path: Path) -> None:
    source = posetrack18_file(tmp_path)
    content = json.loads(source.read_text())
    content["annotations"][0] |= {"x1": 5, "person_id": 3}
    content["info"] = {"year": 2018}
    source.write_text(json.dumps(content))
    result = write_tracks(
        read_tracks(source, CHAIN.model_copy(update={"joints": ("a", "b", "nose")})), tmp_path / "o", "posetrack17"
    )
    person = json.loads(result.paths[0].read_text())["annolist"][0]["annorect"][0]
    assert result.lost["field 'x1' of a person, a name that the layout uses itself"] == 1
    assert (person["person_id"], "x1" in person) == (3, False)
    assert json.loads(result.paths[0].read_text())["info"] == {"year": 2018}


def test_names_of_files(tmp_path: Path) -> None:
    one, two = video("one"), video("two")
    both = TrackSet(CHAIN, (one, two), ())
    assert [path.name for path in write_tracks(both, tmp_path).paths] == ["one.json", "two.json"]
    with pytest.raises(PoseGraphError, match=r"out\.json: 2 files are to be written; give a folder"):
        write_tracks(both, tmp_path / "out.json")
    assert write_tracks(TrackSet(CHAIN, (one,), ()), tmp_path / "out.json").paths == (tmp_path / "out.json",)
    with pytest.raises(PoseGraphError, match=r"video name 'a/b' is no file name; rename"):
        write_tracks(TrackSet(CHAIN, (video("a/b"),), ()), tmp_path)
    with pytest.raises(PoseGraphError, match=r"format 'posetrack21' is not written; these are: posetrack18,"):
        write_tracks(both, tmp_path, "posetrack21")


def test_a_field_that_is_nested_too_deep(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    clip = video(num_frames=1, extra=({"deep": deep},))
    with pytest.raises(PoseGraphError, match=r"clip\.json: a field is nested too deep to be written; remove it"):
        write_tracks(TrackSet(CHAIN, (clip,), ()), tmp_path)
    assert not list(tmp_path.iterdir())
