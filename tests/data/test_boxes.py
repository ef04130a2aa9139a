"""Detections in every layout, and where they belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import Video, read_boxes
from posegraph.errors import PoseGraphError

VIDEO = Video(
    name="clip",
    source=Path("clip.json"),
    frame_files=("images/val/clip/000000.jpg", "images/val/clip/000001.jpg"),
    image_ids=np.array([7, 3]),
    image_hw=np.zeros((2, 2), dtype=np.int64),
    labeled=np.ones(2, dtype=np.bool_),
    ignore_regions=((), ()),
)


def write(tmp_path: Path, content: Any, name: str = "boxes.json") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def row(image_id: int, score: float = 0.9, **fields: Any) -> dict[str, Any]:
    return {"image_id": image_id, "bbox": [1, 2, 3, 4], "score": score, **fields}


def named(image_name: str, score: float = 0.9, **fields: Any) -> dict[str, Any]:
    return {"image_name": image_name, "bbox": [1, 2, 3, 4], "score": score, "category_id": 1, **fields}


def test_boxes_of_a_frame_are_in_file_order(tmp_path: Path) -> None:
    rows = [row(7, 0.5), row(3, track_id=4), row(7, 0.75, bbox=[5, 6, 7, 8], category_id=1)]
    boxes = read_boxes(write(tmp_path, rows))
    found = boxes.in_frame(VIDEO, 0)
    assert found.boxes_xywh.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert (found.scores.tolist(), found.track_ids.tolist()) == ([0.5, 0.75], [-1, -1])
    assert boxes.in_frame(VIDEO, 1).track_ids.tolist() == [4]
    assert len(boxes) == 3


def test_nothing_found_in_a_frame(tmp_path: Path) -> None:
    found = read_boxes(write(tmp_path, [row(99)])).in_frame(VIDEO, 0)
    assert (found.boxes_xywh.shape, found.scores.shape, found.track_ids.shape) == ((0, 4), (0,), (0,))


def test_images_are_known_by_folder_and_file_name(tmp_path: Path) -> None:
    """PoseWarper's and DCPose's layout; their paths start elsewhere than the annotations'."""
    rows = [
        named("val/clip/000001.jpg", 0.4, nframes=2, frame_id=1),
        named("images/val/other/000001.jpg"),
        named("clip/000001.jpg", 0.6, category_id=2),
        named("clip\\000001.jpg", 0.5),
    ]
    boxes = read_boxes(write(tmp_path, rows))
    assert boxes.in_frame(VIDEO, 1).scores.tolist() == [0.4, 0.5]
    assert len(boxes.in_frame(VIDEO, 0).scores) == 0
    assert dict(boxes.skipped) == {"not a person": 1}


MOT = "1,-1,10,20,30,40,0.9,-1,-1,-1\n\n2, 5, 1.5, 2, 3, 4, 0.25\n2 6 1 2 3 4 -1\n2,7,1,2,3,4\n"


@pytest.mark.parametrize("name", ["clip.txt", "clip/det/det.txt", "clip/det.txt"])
def test_mot_frames_count_from_one(tmp_path: Path, name: str) -> None:
    boxes = read_boxes(write(tmp_path, MOT, name))
    first, second = boxes.in_frame(VIDEO, 0), boxes.in_frame(VIDEO, 1)
    assert (first.boxes_xywh.tolist(), first.scores.tolist(), first.track_ids.tolist()) == (
        [[10, 20, 30, 40]],
        [0.9],
        [-1],
    )
    assert (second.scores.tolist(), second.track_ids.tolist()) == ([0.25, 1.0, 1.0], [5, 6, 7])


def test_mot_ground_truth_marks_what_does_not_count(tmp_path: Path) -> None:
    text = "1,1,0,0,5,5,1,1,0.4\n1,2,0,0,5,5,0,1,1\n1,3,0,0,5,5,1,8,1\n"
    boxes = read_boxes(write(tmp_path, text, "clip/gt/gt.txt"))
    assert boxes.in_frame(VIDEO, 0).track_ids.tolist() == [1]
    assert boxes.scores.tolist() == [1.0]
    assert dict(boxes.skipped) == {"marked as not to be considered": 1, "not a person": 1}


@pytest.mark.parametrize("names", [["clip.txt", "b.txt"], ["clip/det/det.txt", "b/det/det.txt"]])
def test_a_folder_of_mot_files_holds_several_videos(tmp_path: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        write(tmp_path, f"1,{place},1,2,3,4,0.5\n", name)
    boxes = read_boxes(tmp_path)
    assert len(boxes) == 2
    assert boxes.in_frame(VIDEO, 0).track_ids.tolist() == [0]


def test_the_layout_can_be_named(tmp_path: Path) -> None:
    """MOT text under another suffix; a file with both keys read by the other one."""
    path = write(tmp_path, MOT, "clip.detections")
    assert len(read_boxes(path, format="mot")) == 4
    both = write(tmp_path, [{**named("elsewhere/1.jpg"), "image_id": 7}])
    assert len(read_boxes(both).in_frame(VIDEO, 0).scores) == 0
    assert len(read_boxes(both, format="coco").in_frame(VIDEO, 0).scores) == 1
    with pytest.raises(PoseGraphError, match="format 'moot' is none of detections; these are: coco, image_name, mot"):
        read_boxes(path, format="moot")


def test_rows_that_are_left_out_are_counted(tmp_path: Path) -> None:
    nan = float("nan")
    rows = [row(1), row(1, 0.1), row(1, 0.2), row(1, nan), row(1, category_id=3)]
    rows += [row(1, bbox=[0, 0, 0, 1]), row(1, bbox=[0, 0, 1, -1]), row(1, bbox=[nan, 0, 1, 1])]
    boxes = read_boxes(write(tmp_path, rows), min_score=0.2)
    assert boxes.scores.tolist() == [0.9, 0.2]
    assert dict(boxes.skipped) == {"score below 0.2": 1, "not a person": 1, "box of zero area or NaN": 4}


def test_no_detections(tmp_path: Path) -> None:
    boxes = read_boxes(write(tmp_path, []))
    assert len(boxes) == 0
    assert boxes.in_frame(VIDEO, 0).boxes_xywh.shape == (0, 4)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({"images": []}, ["top level: found an object", "a list of detections", "COCO result file"]),
        ([row(1), 5], ["[1]: found 5", "an object", "remove"]),
        ([{"bbox": [1, 2, 3, 4], "score": 1}], ["[0].image_id: found nothing", "image_id, bbox and score"]),
        ([row(1, bbox=[1, 2, 3])], ["[0].bbox: found 3 numbers", "expected 4", "x, y, width, height"]),
        ([row(1, bbox=[1, 2, 3, "4"])], ["[0].bbox[3]: found '4'", "a number"]),
        ([{**row(1), "score": "high"}], ["[0].score[0]: found 'high'", "write one number"]),
        ([{**row(1), "image_id": "000001"}], ["[0].image_id: found '000001'", "whole number"]),
        ([{**row(1), "track_id": 1.5}], ["[0].track_id: found 1.5", "whole number"]),
        ([named("a/1.jpg"), {**named("a/1.jpg"), "image_name": 4}], ["[1].image_name: found 4", "an image's name"]),
        ([named("a/1.jpg"), row(3)], ["[1].image_name: found nothing", "image_name, bbox and score"]),
    ],
)
def test_faults_name_file_row_and_cure(tmp_path: Path, content: Any, parts: list[str]) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PoseGraphError) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(f"{path}: ")
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0,1,2,3,4,5,1", "frame 0 and id 1"),
        ("1.5,1,2,3,4,5,1", "frame 1.5 and id 1"),
        ("nan,1,2,3,4,5,1", "frame nan and id 1"),
        ("1,1,2,3,4", "5 numbers"),
        ("frame,id,x,y,w,h", "'frame,id,x,y,w,h'"),
    ],
)
def test_faults_of_mot_text_name_the_line(tmp_path: Path, line: str, found: str) -> None:
    path = write(tmp_path, f"1,1,2,3,4,5,1\n{line}\n", "clip.txt")
    with pytest.raises(PoseGraphError) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(f"{path}: line 2: found {found}, expected frame, id, x, y, width, height")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"none\.json: no such file; check the path"):
        read_boxes(tmp_path / "none.json")
    with pytest.raises(PoseGraphError, match=r"no \.txt file in this folder"):
        read_boxes(tmp_path)


def test_real_detections(real_data: Path) -> None:
    path = real_data / "mmpose_posetrack18/annotations/posetrack18_human_detections.json"
    assert len(read_boxes(path)) == 178
    boxes = read_boxes(path, min_score=0.2)
    assert (len(boxes), boxes.skipped["score below 0.2"]) == (111, 67)
    assert boxes.places.count(10034180000) == 76
