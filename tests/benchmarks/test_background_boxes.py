"""Boxes without people: clear of everybody, and for the loss a crop without joints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from posegraph.config import RunConfig
from posegraph.data import read_tracks
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.synthetic import generate
from posegraph.skeleton import Skeleton


@pytest.fixture(scope="module")
def background(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("background_boxes")


def sequence(path: Path, people: list[list[float]], frames: int = 30, size: tuple[int, int] = (400, 200)) -> Path:
    """A file with one image a frame; each person a box that stands still, with a joint in each of two corners."""
    images = [
        {"id": frame, "frame_id": frame, "vid_id": "seq", "file_name": f"images/{frame:06d}.jpg", "nframes": frames,
         "width": size[0], "height": size[1]} for frame in range(frames)
    ]  # fmt: skip
    annotations: list[dict[str, Any]] = [
        {"id": frame * 100 + number, "image_id": frame, "track_id": number, "category_id": 1, "bbox": box,
         "bbox_head": [0, 0, 5, 5], "keypoints": [box[0], box[1], 1, box[0] + box[2], box[1] + box[3], 2, 0, 0, 0]}
        for frame in range(frames) for number, box in enumerate(people)
    ]  # fmt: skip
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1}]}))
    return path


def test_boxes_are_clear_of_everybody_and_stand_still(background: ModuleType, tmp_path: Path) -> None:
    left, right = [10.0, 20.0, 60.0, 120.0], [330.0, 40.0, 50.0, 110.0]
    source, target = sequence(tmp_path / "seq.json", [left, right]), tmp_path / "seq_background.json"
    assert background.write_background(source, target, 1.0) == 30
    content = json.loads(target.read_text())
    boxes = {one["track_id"]: one["bbox"] for one in content["annotations"]}
    assert len(boxes) == 3  # frames 0-11, 12-23, 24-29
    assert [one["image_id"] for one in content["annotations"]] == list(range(30))
    assert {image["vid_id"] for image in content["images"]} == {"seq_background"}
    for one in content["annotations"]:
        assert one["bbox"] == boxes[one["track_id"]]
        assert one["keypoints"] == [10.0, 20.0, 1, 70.0, 140.0, 2, 0, 0, 0]  # the first person's
        assert "bbox_head" not in one
    for x, y, w, h in boxes.values():
        assert 0.7 * 110 - 0.01 <= h <= 1.4 * 120 + 0.01
        # The crop, at 3:4 and with a margin, ends before the one and begins after the other, or lies above or below.
        half = max(w, 0.75 * h) * 1.3 / 2
        middle, centre = x + w / 2, y + h / 2
        beside = middle - half >= 70 and middle + half <= 330
        assert beside or centre + half / 0.75 <= 20 or centre - half / 0.75 >= 150
    again = tmp_path / "again_background.json"
    background.write_background(source, again, 1.0)
    assert json.loads(again.read_text())["annotations"] == content["annotations"]


@pytest.mark.parametrize(("boxes", "entries"), [(0.0, 0), (2.0, 60)])
def test_so_many_in_each_stretch(background: ModuleType, tmp_path: Path, boxes: float, entries: int) -> None:
    target = tmp_path / "out.json"
    assert (
        background.write_background(sequence(tmp_path / "s.json", [[5.0, 5.0, 30.0, 60.0]]), target, boxes) == entries
    )
    assert target.is_file() == (entries > 0)


def test_none_where_all_is_full_and_none_without_people(background: ModuleType, tmp_path: Path) -> None:
    full = sequence(tmp_path / "full.json", [[0.0, 0.0, 400.0, 200.0]])
    assert background.write_background(full, tmp_path / "a.json", 3.0) == 0
    assert background.write_background(sequence(tmp_path / "empty.json", []), tmp_path / "b.json", 3.0) == 0


def test_training_finds_no_joint_in_them(background: ModuleType, tmp_path: Path) -> None:
    generate(tmp_path, sequences=2, frames=4, people=1, size=(320, 240), seed=3, val_fraction=0)
    folder = tmp_path / "annotations/train"
    sources = sorted(folder.glob("*.json"))
    entries = sum(background.write_background(one, folder / f"{one.stem}_background.json", 1.0) for one in sources)
    assert entries == 8
    tracks = [read_tracks(one) for one in sorted(folder.glob("*_background.json"))]
    assert sum(one.num_poses for one in tracks) == 8
    content = {"model": {"preset": "ncstr-tiny"}, "data": {"train": str(folder), "images": str(tmp_path)}}
    config = RunConfig.from_dict(content, ("training.batch_size=16", "data.workers=0", "augment.half_body=0"))
    data = ClipDataModule(config, Skeleton.load(config.skeleton))
    data.setup("fit")
    (batch,) = data.train_dataloader()
    empty = batch.annotated.any(1) & ~(batch.in_crop & batch.annotated).any(1)
    assert int(empty.sum()) == 8
