"""Files that are read and written again are the same JSON, field by field: real files of every layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from posegraph.data import read_tracks, write_tracks

FILES = {
    "posetrack_bonn/annotations17/val": "posetrack17",
    "posetrack_bonn/annotations17/with_frames": "posetrack17",
    "eval_vectors/a_jitter_pt17/pred": "posetrack17",
    "eval_vectors/d_edge_pt17/gt": "posetrack17",
    "eval_vectors/d_edge_pt17/pred": "posetrack17",
    "posetrack_bonn/annotations18/val": "posetrack18",
    "posetrack_bonn/annotations18/train": "posetrack18",
    "eval_vectors/c_posetrack18_ignore/gt": "posetrack18",
    "mmpose_posetrack18/annotations/val": "posetrack18",
    "mmpose_posetrack18/annotations/posetrack18_val.json": "posetrack18",
    "mmpose_images/jhmdb/test_jhmdb_sub1.json": "posetrack18",
    "posetrack_bonn/annotations21/with_frames": "posetrack21",
    "eval_vectors/b_jitter_pt18/pred": "coco",
    "eval_vectors/e_real_model/pred": "coco",
    "handball_coco/handball.json": "coco",
    "custom_fly24/fly24_tracks.json": "coco",
    "mmpose_images/coco/test_coco.json": "coco",
    "mmpose_images/coco/test_coco_wholebody.json": "coco",
    "mmpose_images/animalpose/test_animalpose.json": "coco",
}
"""Path and layout (COCO is a file that has none of PoseTrack's fields)."""


def assert_same(one: Any, other: Any, place: str) -> None:
    """Equal values of equal kinds: an int may be a float, true may not be 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), place
        for row, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            assert_same(mine, theirs, f"{place}[{row}]")
    else:
        assert one == other, place
        assert isinstance(one, bool) == isinstance(other, bool), place


@pytest.mark.parametrize(("name", "layout"), FILES.items())
def test_real_files(real_data: Path, tmp_path: Path, name: str, layout: str) -> None:
    path = real_data / name
    tracks = read_tracks(path, keep_empty=True)
    assert {video.layout for video in tracks.videos} == {layout}
    written = write_tracks(tracks, tmp_path, layout.replace("21", "18"))
    sources = sorted(path.glob("*.json")) if path.is_dir() else [path]
    assert sorted(copied.name for copied in written.paths) == [source.name for source in sources]
    assert not written.lost
    for source in sources:
        assert_same(json.loads(source.read_text()), json.loads((tmp_path / source.name).read_text()), source.name)


def test_unknown_fields_at_every_level(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "1.jpg", "license": 3, "note": {"deep": [None, 1.5]}}
    person = {"image_id": 1, "id": 5, "category_id": 4, "keypoints": [1, 2, 1], "segmentation": [[1, 2]], "iscrowd": 0}
    content = {
        "info": {"year": 2020},
        "annotations": [{"category_id": 9, "image_id": 1, "bbox": "odd"}, person],
        "images": [image],
        "categories": [{"id": 9, "name": "box"}, {"id": 4, "keypoints": ["a"], "colour": "red", "skeleton": []}],
        "licenses": [],
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    tracks = read_tracks(tmp_path / "x.json", keep_empty=True)
    assert dict(tracks.skipped) == {"annotation of a category without keypoints": 1}
    (path,) = write_tracks(tracks, tmp_path / "out", "coco").paths
    assert_same(content, json.loads(path.read_text()), "x")


def test_posetrack17_as_other_tools_word_it(tmp_path: Path) -> None:
    """Points in another order, bare values, empty lists and unknown fields come back as they were."""
    points = [{"id": [9], "x": [1], "y": [2]}, {"id": [0], "x": [3.5], "y": [4], "is_visible": [0]}]
    rects = [
        {
            "track_id": [3],
            "annopoints": [{"point": points}],
            "x1": [4],
            "y1": [3],
            "x2": [1],
            "y2": [2],
            "scale": [1.5],
        },
        {"track_id": 4, "annopoints": {"point": points[::-1]}, "score": [], "objpos": [{"x": [1], "y": [2]}]},
        {"track_id": [5], "annopoints": [{"point": [*points, {"id": [99], "x": [1], "y": [1]}, points[0]]}]},
        {"annopoints": []},
        {},
    ]
    frames = [
        {"image": [{"name": "a/00000002.jpg", "size": [1]}], "annorect": rects, "imgnum": [2], "vididx": [1]},
        {"image": {"name": "a/00000001.jpg"}, "is_labeled": [], "ignore_regions": []},
    ]
    content = {"annolist": frames, "mat_address": "x.mat"}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (path,) = write_tracks(read_tracks(tmp_path / "a.json", keep_empty=True), tmp_path / "out", "posetrack17").paths
    assert_same(content, json.loads(path.read_text()), "a")


def test_corners_that_a_width_does_not_give_back(tmp_path: Path) -> None:
    corners = {"x1": [0.03], "y1": [68.19], "x2": [0.29], "y2": [116.98]}
    assert 0.03 + (0.29 - 0.03) != 0.29
    content = {
        "annolist": [{"image": [{"name": "a/1.jpg"}], "annorect": [{"track_id": [0], "annopoints": [], **corners}]}]
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    (path,) = write_tracks(read_tracks(tmp_path / "a.json", keep_empty=True), tmp_path / "out", "posetrack17").paths
    assert_same(content, json.loads(path.read_text()), "a")
