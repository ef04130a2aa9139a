"""A data set's check: every kind of finding, each made on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posegraph.data.check import check_data
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

JOINTS = ["nose", "l_hand", "r_hand", "l_foot", "r_foot"]
SKELETON = Skeleton(
    name="five",
    joints=tuple(JOINTS),
    bones=(("nose", "l_hand"), ("nose", "r_hand"), ("nose", "l_foot"), ("nose", "r_foot")),
    flip_pairs=(("l_hand", "r_hand"), ("l_foot", "r_foot")),
)
STANDING = [(50, 20), (70, 40), (30, 40), (60, 90), (40, 90)]


def keypoints(points: list[tuple[float, float]], without: tuple[int, ...] = ()) -> list[float]:
    return [
        number for row, (x, y) in enumerate(points) for number in ((0.0, 0.0, 0.0) if row in without else (x, y, 1.0))
    ]


def walking(frame: int) -> list[tuple[float, float]]:
    return [(x + 2 * frame, y) for x, y in STANDING]


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    """A clip of 4 frames and one person, with images, changed by a function before it is written."""

    def data(change: Callable[[dict[str, Any]], Any] = lambda content: None, name: str = "clip") -> Path:
        images = [
            {"id": frame, "file_name": f"{name}/{frame:06d}.png", "width": 120, "height": 100} for frame in range(4)
        ]
        people = [
            {
                "id": frame,
                "image_id": frame,
                "track_id": 3,
                "category_id": 1,
                "keypoints": keypoints(walking(frame)),
                "bbox": [25.0 + 2 * frame, 10.0, 50.0, 85.0],
            }
            for frame in range(4)
        ]
        category = {"id": 1, "name": "five", "keypoints": JOINTS}
        content = {"images": images, "annotations": people, "categories": [category]}
        (tmp_path / name).mkdir()
        for image in images:
            cv2.imwrite(str(tmp_path / str(image["file_name"])), np.zeros((100, 120, 3), np.uint8))
        change(content)
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return data


def swap(content: dict[str, Any], frame: int) -> None:
    nose, l_hand, r_hand, l_foot, r_foot = walking(frame)
    content["annotations"][frame]["keypoints"] = keypoints([nose, r_hand, l_hand, r_foot, l_foot])


def test_a_clean_data_set_has_no_findings(data: Callable[..., Path]) -> None:
    found = check_data(data(), SKELETON)
    assert not any(found.findings.values())
    (clip,) = found.sequences
    assert (clip.name, clip.frames, clip.labeled, clip.people, clip.tracks, clip.joints, clip.missing_images) == (
        "clip", 4, 4, 4, 1, 20, 0,
    )  # fmt: skip


def test_missing_images_are_named(data: Callable[..., Path]) -> None:
    folder = data()
    (folder / "clip/000002.png").unlink()
    found = check_data(folder, SKELETON)
    assert found.missing_images == ["clip: clip/000002.png"]
    assert found.sequences[0].missing_images == 1
    assert check_data(folder, SKELETON, images=folder / "elsewhere").sequences[0].missing_images == 4


def test_joints_that_nobody_annotated(data: Callable[..., Path]) -> None:
    """Over the whole data set: what one video has is annotated."""

    def without_hands(content: dict[str, Any]) -> None:
        for person in content["annotations"]:
            person["keypoints"] = keypoints(STANDING, without=(1, 2))

    def without_left(content: dict[str, Any]) -> None:
        for person in content["annotations"]:
            person["keypoints"] = keypoints(STANDING, without=(1, 3))

    data(without_hands, "one")
    assert check_data(data(without_left, "two"), SKELETON).never_annotated == ["l_hand"]


def test_ids_used_twice(data: Callable[..., Path]) -> None:
    def same(content: dict[str, Any]) -> None:
        content["annotations"][2]["id"] = 1

    found = check_data(data(same), SKELETON)
    assert found.duplicate_ids == [
        "clip: clip/000002.png, person 3: annotation id 1, which clip: clip/000001.png, person 3 has too"
    ]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(data: Callable[..., Path]) -> None:
    def twice(content: dict[str, Any]) -> None:
        content["annotations"][2]["image_id"] = 1

    data(twice, "bad")
    found = check_data(data(), SKELETON)
    assert [sequence.name for sequence in found.sequences] == ["clip"]
    (fault,) = found.faults
    assert "bad.json: annotations[2].track_id: found 3" in fault


@pytest.mark.parametrize(("x", "off"), [(-24.0, False), (-26.0, True), (94.0, False), (96.0, True)])
def test_boxes_off_the_image(data: Callable[..., Path], x: float, off: bool) -> None:
    """The image is 120 wide: a box of 50 is half outside at -25 and at 95."""

    def shifted(content: dict[str, Any]) -> None:
        content["annotations"][1]["bbox"] = [x, 10.0, 50.0, 85.0]

    found = check_data(data(shifted), SKELETON)
    line = f"clip: clip/000001.png, person 3: box [{x}, 10.0, 50.0, 85.0] (x, y, width, height) in an image of 120x100"
    assert found.boxes_off_image == ([line] if off else [])


def test_the_size_of_an_image_is_looked_up_where_the_file_is_silent(data: Callable[..., Path]) -> None:
    def sizeless(content: dict[str, Any]) -> None:
        for image in content["images"]:
            del image["width"], image["height"]
        content["annotations"][1]["bbox"] = [500.0, 10.0, 50.0, 85.0]

    assert len(check_data(data(sizeless), SKELETON).boxes_off_image) == 1


def test_left_and_right_swapped_for_a_frame(data: Callable[..., Path]) -> None:
    """The swap shows where it begins and where it ends."""
    found = check_data(data(lambda content: swap(content, 2)), SKELETON)
    assert found.swaps == [f"clip: clip/00000{frame}.png, person 3: 2 pairs of joints" for frame in (2, 3)]


def test_one_swapped_pair_is_no_evidence(data: Callable[..., Path]) -> None:
    """Hands cross each other in life; a single pair is not reported."""

    def hands(content: dict[str, Any]) -> None:
        nose, l_hand, r_hand, l_foot, r_foot = walking(2)
        content["annotations"][2]["keypoints"] = keypoints([nose, r_hand, l_hand, l_foot, r_foot], without=(3, 4))

    assert check_data(data(hands), SKELETON).swaps == []


def test_what_reading_leaves_out_is_counted(data: Callable[..., Path]) -> None:
    def flat(content: dict[str, Any]) -> None:
        content["annotations"][0]["bbox"] = [1.0, 1.0, 0.0, 5.0]

    assert dict(check_data(data(flat), SKELETON).skipped) == {"box of zero area or NaN": 1}


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match="no such file"):
        check_data(tmp_path / "none.json")


def test_real_annotations_have_no_swaps(real_data: Path) -> None:
    """5,097 real poses."""
    found = check_data(real_data / "posetrack_bonn/annotations18/val")
    assert (len(found.sequences), sum(sequence.frames for sequence in found.sequences)) == (15, 861)
    assert sum(sequence.people for sequence in found.sequences) + found.skipped["box of zero area or NaN"] == 5097
    assert (found.swaps, found.boxes_off_image, found.duplicate_ids) == ([], [], [])
    assert found.never_annotated == ["nose", "left_ear", "right_ear"]


def test_a_real_person_with_exchanged_sides_is_found(real_data: Path, tmp_path: Path) -> None:
    content = json.loads((real_data / "posetrack_bonn/annotations18/val/000002_bonn.json").read_text())
    rows = Skeleton.load("posetrack17").flip_rows
    frame_of = {image["id"]: frame for frame, image in enumerate(content["images"])}
    person = content["annotations"][0]["track_id"]
    for annotation in content["annotations"]:
        if annotation["track_id"] == person and 60 <= frame_of[annotation["image_id"]] < 70:
            xyv = np.array(annotation["keypoints"]).reshape(-1, 3)
            annotation["keypoints"] = xyv[list(rows)].ravel().tolist()
    (tmp_path / "a.json").write_text(json.dumps(content))
    found = check_data(tmp_path / "a.json").swaps
    assert [line.split(":")[1] for line in found] == [
        f" images/val/000002_bonn/{frame:06d}.jpg, person {person}" for frame in (60, 70)
    ]
