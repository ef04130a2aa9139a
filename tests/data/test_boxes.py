"""Detections in COCO's result layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from posegraph.data import read_boxes
from posegraph.errors import PoseGraphError


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def row(image_id: int, score: float = 0.9, **fields: Any) -> dict[str, Any]:
    return {"image_id": image_id, "bbox": [1, 2, 3, 4], "score": score, **fields}


def test_boxes_of_an_image_are_in_file_order(tmp_path: Path) -> None:
    boxes = read_boxes(write(tmp_path, [row(7, 0.5), row(3), row(7, 0.75, bbox=[5, 6, 7, 8], category_id=1)]))
    found, scores = boxes.for_image(7)
    assert (found.tolist(), scores.tolist()) == ([[1, 2, 3, 4], [5, 6, 7, 8]], [0.5, 0.75])
    found, scores = boxes.for_image(99)
    assert (found.shape, scores.shape) == ((0, 4), (0,))
    assert len(boxes) == 3


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
    assert boxes.for_image(1)[0].shape == (0, 4)


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
    ],
)
def test_faults_name_file_row_and_cure(tmp_path: Path, content: Any, parts: list[str]) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PoseGraphError) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(f"{path}: ")
    for part in parts:
        assert part in str(caught.value)


def test_real_detections(real_data: Path) -> None:
    path = real_data / "mmpose_posetrack18/annotations/posetrack18_human_detections.json"
    assert len(read_boxes(path)) == 178
    boxes = read_boxes(path, min_score=0.2)
    assert (len(boxes), boxes.skipped["score below 0.2"]) == (111, 67)
    assert len(boxes.for_image(10034180000)[0]) == 76
