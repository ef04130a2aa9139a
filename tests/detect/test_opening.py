"""From the user's words to people in frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, People
from posegraph.data.sources import open_frames
from posegraph.data.video import Image
from posegraph.detect import ChosenDetector, open_detector, open_finder
from posegraph.errors import PoseGraphError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four black images of 80 x 60."""
    path = tmp_path / "clip"
    path.mkdir()
    for number in range(4):
        cv2.imwrite(str(path / f"{number:06d}.png"), np.zeros((60, 80, 3), np.uint8))
    return path


def followed(
    folder: Path, **options: Any
) -> tuple[list[list[int]], list[list[list[float]]], list[str], dict[str, int]]:
    """Ids and boxes of each frame, notices, and what was dropped."""
    with open_frames(folder) as source:
        finder = open_finder(options.pop("detector", None), options.pop("boxes", None), source, **options)
        people = [finder.follow(finder.detect(frame), None, (60, 80)) for frame in source]
    ids, boxes = [found.track_ids.tolist() for found in people], [found.boxes_xywh.tolist() for found in people]
    return ids, boxes, finder.notices, dict(finder.dropped)


def results(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"bbox": [10, 10, 20, 40], "score": 0.9, **row} for row in rows]))
    return path


def test_boxes_with_ids_are_taken_as_they_are_and_the_others_get_ids_beyond(folder: Path, tmp_path: Path) -> None:
    rows = [{"image_id": frame, "track_id": 6 + frame % 2} for frame in range(3)]
    rows += [{"image_id": frame, "bbox": [50 + frame, 10, 20, 40], "score": 0.1} for frame in range(3)]
    ids, boxes, notices, dropped = followed(folder, boxes=results(tmp_path, *rows))
    assert ids == [[6, 8], [7, 8], [6, 8], []]
    assert boxes[1] == [[10, 10, 20, 40], [51, 10, 20, 40]]
    assert (notices, dropped) == ([], {})


def test_boxes_that_are_no_use_are_counted(folder: Path, tmp_path: Path) -> None:
    rows = [{"image_id": 0}, {"image_id": 0, "bbox": [1, 1, 0, 5]}, {"image_id": 1, "bbox": [90, 1, 5, 5]}]
    ids, _, _, dropped = followed(folder, boxes=results(tmp_path, *rows))
    assert ids == [[0], [], [], []]
    assert dropped == {"box of zero area or NaN": 1, "box outside the image": 1}


def test_boxes_of_another_video_are_told_at_the_end(folder: Path, tmp_path: Path) -> None:
    ids, _, notices, _ = followed(folder, boxes=results(tmp_path, {"image_id": 10000}))
    assert ids == [[], [], [], []]
    assert len(notices) == 1
    assert "none of its 1 boxes is in a frame of clip: they are in image id 10000" in notices[0]


def test_a_score_below_starts_no_track(folder: Path, tmp_path: Path) -> None:
    rows = [{"image_id": 0, "score": 0.4}, {"image_id": 1, "score": 0.6}, {"image_id": 2, "score": 0.4}]
    assert followed(folder, boxes=results(tmp_path, *rows), min_score=0.5)[0] == [[], [0], [0], []]
    assert followed(folder, boxes=results(tmp_path, *rows))[0] == [[0], [0], [0], []]


def test_a_detector_of_ones_own(folder: Path) -> None:
    shapes = []

    def detect(image: Image) -> People:
        shapes.append(image.shape)
        return People(np.array([[10.0, 10, 20, 40], [50.0, 10, 20, 40]]), np.array([0.6, 0.4]), np.full(2, NO_TRACK))

    ids, _, notices, _ = followed(folder, detector=ChosenDetector("mine", detect))
    assert ids == [[0]] * 4  # 0.4 is below 0.5
    assert (shapes, notices) == ([(60, 80, 3)] * 4, [])


def test_self_asks_for_poses_each_second_frame(folder: Path) -> None:
    class Poser:
        """Sees one person, whatever the crop."""

        asked: ClassVar[list[tuple[int, ...]]] = []

        def glimpse(self, image: Image, boxes_xywh: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
            self.asked.append(image.shape)
            return np.tile([[20.0, 10.0], [40.0, 50.0]], (len(boxes_xywh), 1, 1)), np.full((len(boxes_xywh), 2), 0.9)

    with open_frames(folder) as source:
        finder = open_finder("self", None, source, poser=Poser())
        found = [finder.detect(frame) for frame in source]
        assert found[0] is not None
        people = finder.follow(found[0], None, (60, 80))
    assert people.boxes_xywh.tolist() == [pytest.approx([17, 4, 26, 52])]
    assert people.track_ids.tolist() == [0]
    assert (finder.every, set(Poser.asked), finder.past_images) == (2, {(60, 80, 3)}, 64)


def test_self_needs_poses(folder: Path) -> None:
    with open_frames(folder) as source, pytest.raises(PoseGraphError, match="'self' finds people by their poses; give"):
        open_finder("self", None, source)


@pytest.mark.parametrize("spec", ["torchvison", "onnx", "onnx:", "yolo", "self:x"])
def test_a_detector_that_is_none(spec: str) -> None:
    with pytest.raises(
        PoseGraphError, match=f"detector '{spec}'; expected torchvision, torchvision:NAME, onnx:FILE or"
    ):
        open_detector(spec)


def test_settings_out_of_range(folder: Path) -> None:
    with pytest.raises(PoseGraphError, match="a detection every 0 frames; expected 1 or more"):
        followed(folder, detector="self", every=0)
    with pytest.raises(PoseGraphError, match="tracker 'sort'; expected one of botsort, bytetrack, ocsort"):
        followed(folder, detector=ChosenDetector("mine", lambda image: People.nobody()), tracker="sort")
