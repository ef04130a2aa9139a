"""Which boxes of a file belong to which frame of a source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data.people import NO_TRACK
from posegraph.data.sources import Frame, FrameSource
from posegraph.detect.file_boxes import FileBoxes, read_box_file
from posegraph.errors import PoseGraphError

PIXELS = np.zeros((4, 4, 3), np.uint8)


class Source(FrameSource):
    """A source of which only name and length are known."""

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


def written(tmp_path: Path, content: Any, name: str = "boxes.json") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def results(key: str, *values: int | str) -> list[dict[str, Any]]:
    """Boxes whose x is their row in the file."""
    return [{key: value, "bbox": [row, 2, 3, 4], "score": 0.9} for row, value in enumerate(values)]


def rows_found(looked: FileBoxes, *frames: tuple[int, str]) -> list[list[float]]:
    return [looked(Frame(number, PIXELS, 0.0, name)).boxes_xywh[:, 0].tolist() for number, name in frames]


def movie(count: int, name: str = "match") -> list[tuple[int, str]]:
    return [(number, f"{name}.mp4#{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((0, 2, 2), [[0], [], [1, 2]]),  # from 0
        ((1, 3), [[0], [], [1]]),  # as many as frames, and no 0: from 1
        ((1, 2), [[], [0], [1]]),  # from 0: the first frame is empty
        ((0, 3), [[0], [], []]),  # from 0, and one frame too far
    ],
)
def test_ids_are_numbers_of_the_movies_frames(
    tmp_path: Path, ids: tuple[int, ...], expected: list[list[float]]
) -> None:
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_id", *ids))), Source("match", num_frames=3))
    assert rows_found(looked, *movie(3)) == expected
    assert looked.used == sum(map(len, expected))


def test_ids_of_a_live_source_are_counted_from_0(tmp_path: Path) -> None:
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_id", 1, 2))), Source("stdin"))
    assert rows_found(looked, (0, "stdin#0"), (1, "stdin#1"), (2, "stdin#2")) == [[], [0], [1]]


def test_ids_beyond_the_number_of_images_are_in_their_names(tmp_path: Path) -> None:
    """As COCO names its images."""
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_id", 397133, 139))), Source("val", num_frames=2))
    assert rows_found(looked, (0, "000000000139.jpg"), (1, "000000397133.jpg")) == [[1], [0]]


def test_images_of_one_folder_are_known_by_name(tmp_path: Path) -> None:
    names = ("images/val/clip/000001.jpg", "images/val/clip/000000.jpg", "images/val/clip/000001.jpg")
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_name", *names))), Source("other"))
    assert rows_found(looked, (0, "000000.jpg"), (1, "000001.jpg"), (2, "000002.jpg")) == [[1], [0, 2], []]


def test_images_of_several_folders_need_the_folders_name(tmp_path: Path) -> None:
    boxes = read_box_file(written(tmp_path, results("image_name", "a/000000.jpg", "b/000000.jpg")))
    assert rows_found(FileBoxes(boxes, Source("b")), (0, "000000.jpg")) == [[1]]
    assert rows_found(FileBoxes(boxes, Source("c")), (0, "000000.jpg")) == [[]]


def test_boxes_for_several_sources_need_the_folders_name(tmp_path: Path) -> None:
    boxes = read_box_file(written(tmp_path, results("image_name", "a/000000.jpg")))
    assert rows_found(FileBoxes(boxes, Source("b"), shared=True), (0, "000000.jpg")) == [[]]
    assert rows_found(FileBoxes(boxes, Source("a"), shared=True), (0, "000000.jpg")) == [[0]]


def test_frames_of_a_movie_are_known_by_name(tmp_path: Path) -> None:
    boxes = read_box_file(written(tmp_path, results("image_name", "clips/match.mp4#1", "clips/other.mp4#1")))
    for shared in (False, True):
        assert rows_found(FileBoxes(boxes, Source("match"), shared), *movie(2)) == [[], [0]]


def test_mot_text_of_one_video_goes_with_any_source(tmp_path: Path) -> None:
    boxes = read_box_file(written(tmp_path, "1,-1,0,2,3,4,0.9\n3,5,1,2,3,4,0.9\n", "MOT17-02/det/det.txt"))
    looked = FileBoxes(boxes, Source("img1"))
    assert rows_found(looked, (0, "000001.jpg"), (1, "000002.jpg"), (2, "000003.jpg")) == [[0], [], [1]]
    assert looked.first_free_id == 6
    shared = FileBoxes(boxes, Source("img1"), shared=True)
    assert rows_found(shared, (0, "000001.jpg")) == [[]]
    assert rows_found(FileBoxes(boxes, Source("MOT17-02"), shared=True), (0, "000001.jpg")) == [[0]]


def test_mot_text_of_several_videos_is_matched_by_name(tmp_path: Path) -> None:
    for name, x in (("left", 10), ("right", 20)):
        written(tmp_path, f"1,-1,{x},2,3,4,0.9\n", f"mot/{name}.txt")
    boxes = read_box_file(tmp_path / "mot")
    assert rows_found(FileBoxes(boxes, Source("right")), *movie(1)) == [[20]]
    assert rows_found(FileBoxes(boxes, Source("third")), *movie(1)) == [[]]


def posetrack(names: list[str], boxes: list[tuple[int, int, float]]) -> dict[str, Any]:
    """``boxes``: row of the image, track id, x."""
    joints = ["head", "hip"]
    return {
        "images": [{"file_name": name, "id": 70 + row, "is_labeled": True} for row, name in enumerate(names)],
        "annotations": [
            {"image_id": 70 + image, "id": number, "track_id": track, "category_id": 1, "bbox": [x, 2, 30, 40],
             "keypoints": [x + 1, 3, 1, x + 2, 9, 1]}
            for number, (image, track, x) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": joints, "skeleton": []}],
    }  # fmt: skip


def test_the_boxes_of_an_annotation_file(tmp_path: Path) -> None:
    content = posetrack(["images/clip/000000.jpg", "images/clip/000001.jpg"], [(0, 4, 10), (1, 4, 20), (1, 9, 30)])
    looked = FileBoxes(read_box_file(written(tmp_path, content)), Source("clip"))
    people = looked(Frame(1, PIXELS, 0.0, "000001.jpg"))
    assert people.boxes_xywh.tolist() == [[20, 2, 30, 40], [30, 2, 30, 40]]
    assert (people.track_ids.tolist(), people.scores.tolist(), looked.first_free_id) == ([4, 9], [1, 1], 10)


def test_the_boxes_of_poses_predicted_for_a_movie(tmp_path: Path) -> None:
    content = posetrack(["match.mp4#0", "match.mp4#1"], [(1, 4, 20)])
    looked = FileBoxes(read_box_file(written(tmp_path, content)), Source("match", num_frames=2))
    assert rows_found(looked, *movie(2)) == [[], [20]]


def test_people_without_ids_have_none(tmp_path: Path) -> None:
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_id", 0))), Source("match"))
    assert looked(Frame(0, PIXELS, 0.0, "match.mp4#0")).track_ids.tolist() == [NO_TRACK]
    assert looked.first_free_id == 0


def test_boxes_of_no_frame_are_told(tmp_path: Path) -> None:
    looked = FileBoxes(read_box_file(written(tmp_path, results("image_name", "x/a.jpg"))), Source("match"))
    assert looked.notice() is None  # nobody has asked yet
    rows_found(looked, *movie(2))
    assert looked.notice() == (
        f"{tmp_path / 'boxes.json'}: none of its 1 boxes is in a frame of match: they are in image 'x/a.jpg' and "
        "others, the frames are called 'match.mp4#0' and so on"
    )
    empty = FileBoxes(read_box_file(written(tmp_path, [])), Source("match"))
    rows_found(empty, *movie(1))
    assert empty.notice() == f"{tmp_path / 'boxes.json'}: no box of a person in it"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"nothing\.json: no such file; check the path"):
        read_box_file(tmp_path / "nothing.json")
