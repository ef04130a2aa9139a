"""All formats hold the same numbers, read by somebody else's reader."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from posegraph.data import read_tracks
from posegraph.engine.results import RESULT_FORMATS, FrameRecord, check_formats, write_results
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton


@pytest.fixture
def folder(tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton) -> Path:
    """All formats of the six frames."""
    write_results(iter(records), list(RESULT_FORMATS), tmp_path / "out", "walk", skeleton)
    return tmp_path / "out"


def people(records: list[FrameRecord]) -> Iterator[tuple[FrameRecord, int]]:
    for record in records:
        for row in range(len(record.poses.track_ids)):
            yield record, row


def test_there_are_the_files_and_nothing_else(tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    paths = write_results(records, ["posetrack18", "coco", "csv"], tmp_path, "walk", skeleton)
    assert paths == [tmp_path / "walk.json", tmp_path / "coco" / "walk.json", tmp_path / "walk.csv"]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


def test_posetrack18_reads_back(folder: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    tracks = read_tracks(folder / "walk.json")
    (video,) = tracks.videos
    assert (video.name, video.layout) == ("walk", "posetrack18")
    assert video.frame_files == tuple(record.name for record in records), "empty frames are there too"
    assert video.image_ids.tolist() == [0, 1, 2, 4, 5, 6]
    assert (video.image_hw == [120, 160]).all()
    assert tracks.skeleton.joints == skeleton.joints
    assert tracks.skeleton.bones == skeleton.bones
    assert [track.track_id for track in tracks] == [4, 9, 12]
    for track in tracks:
        for row, frame in enumerate(track.frame.tolist()):
            poses = records[frame].poses
            place = poses.track_ids.tolist().index(track.track_id)
            assert_array_equal(track.keypoints_px[row], poses.keypoints_px[place])
            assert_array_equal(track.boxes_xywh[row], poses.boxes_xywh[place])
            score = poses.keypoint_scores[place] * poses.box_scores[place]
            assert_array_equal(track.keypoint_scores[row], score)
            assert track.scores[row] == score.mean()
    assert sum(len(track) for track in tracks) == 8


def test_posetrack18_keeps_the_order_of_people_and_numbers_them(folder: Path) -> None:
    entries = json.loads((folder / "walk.json").read_text())["annotations"]
    assert [(entry["image_id"], entry["track_id"]) for entry in entries] == [
        (0, 4), (0, 9), (1, 9), (1, 4), (4, 12), (5, 4), (5, 12), (5, 9),
    ]  # fmt: skip
    assert [entry["id"] for entry in entries] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_joint_without_a_place_is_not_annotated(
    tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton
) -> None:
    records[0].poses.keypoints_px[0, 1] = np.nan
    write_results(records, ["posetrack18", "csv"], tmp_path, "walk", skeleton)
    track = next(iter(read_tracks(tmp_path / "walk.json")))
    assert track.annotated[0].tolist() == [True, False, True]
    rows = list(csv.DictReader((tmp_path / "walk.csv").open()))
    assert [(row["joint"], row["x"] == "", row["y"] == "") for row in rows[:3]] == [
        ("nose", False, False), ("tail", True, True), ("ear", False, False),
    ]  # fmt: skip


def test_coco_results(folder: Path, records: list[FrameRecord]) -> None:
    entries = json.loads((folder / "coco" / "walk.json").read_text())
    for entry, (record, row) in zip(entries, people(records), strict=True):
        poses = record.poses
        score = poses.keypoint_scores[row] * poses.box_scores[row]
        points = np.concatenate([poses.keypoints_px[row], score[:, None]], axis=1)
        assert entry == {
            "image_id": record.number,
            "category_id": 1,
            "track_id": poses.track_ids[row],
            "keypoints": points.ravel().tolist(),
            "score": score.mean(),
            "bbox": poses.boxes_xywh[row].tolist(),
        }


def tidy(records: list[FrameRecord], skeleton: Skeleton) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for record, row in people(records):
        poses = record.poses
        for joint, name in enumerate(skeleton.joints):
            place = (*poses.keypoints_px[row, joint].tolist(), float(poses.keypoint_scores[row, joint]))
            box = (*poses.boxes_xywh[row].tolist(), float(poses.box_scores[row]))
            track_id = int(poses.track_ids[row])
            rows.append((record.number, record.time_s, record.name, track_id, name, *place, *box))
    return rows


def test_csv(folder: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    with (folder / "walk.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "frame", "time_s", "image", "track_id", "joint", "x", "y", "confidence",
        "box_x", "box_y", "box_width", "box_height", "box_score",
    ]  # fmt: skip
    kinds = [int, float, str, int, str, *[float] * 8]
    assert [tuple(kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in rows] == tidy(records, skeleton)


def test_parquet(folder: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(folder / "walk.parquet")
    assert [tuple(row.values()) for row in table.to_pylist()] == tidy(records, skeleton)
    assert [str(table.schema.field(name).type) for name in ("frame", "x", "joint")] == [
        "int64", "double", "dictionary<values=string, indices=int32, ordered=0>",
    ]  # fmt: skip


def test_npz(folder: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    with np.load(folder / "walk.npz", allow_pickle=False) as file:
        assert str(file["skeleton"]) == "toy"
        assert file["joints"].tolist() == list(skeleton.joints)
        assert file["bones"].tolist() == [[0, 1], [0, 2]]
        assert file["frame_numbers"].tolist() == [0, 1, 2, 4, 5, 6]
        assert file["times_s"].tolist() == [record.time_s for record in records]
        assert file["names"].tolist() == [record.name for record in records]
        assert file["image_hw"].tolist() == [[120, 160]] * 6
        assert file["frames"].tolist() == [0, 0, 1, 1, 3, 4, 4, 4]
        for record, (first, last) in zip(records, pairwise(file["splits"].tolist()), strict=True):
            for name, values in record.poses._asdict().items():
                assert_array_equal(file[name][first:last], values)


def test_many_frames_are_the_sum_of_their_portions(
    tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton
) -> None:
    long = [replace(records[4], number=number, name=f"walk.mp4#{number}") for number in range(3000)]
    write_results(long, list(RESULT_FORMATS), tmp_path, "walk", skeleton)
    assert [len(track) for track in read_tracks(tmp_path / "walk.json")] == [3000] * 3
    entries = json.loads((tmp_path / "walk.json").read_text())["annotations"]
    assert len({entry["id"] for entry in entries}) == 9000
    with np.load(tmp_path / "walk.npz") as file:
        assert file["splits"][-1] == 9000
    assert len(json.loads((tmp_path / "coco" / "walk.json").read_text())) == 9000
    assert len((tmp_path / "walk.csv").read_text().splitlines()) == 1 + 9000 * 3
    assert pytest.importorskip("pyarrow.parquet").read_metadata(tmp_path / "walk.parquet").num_rows == 27_000


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_was_there(tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton, count: int) -> None:
    empty = [records[2]][:count]
    write_results(empty, list(RESULT_FORMATS), tmp_path, "walk", skeleton)
    content = json.loads((tmp_path / "walk.json").read_text())
    assert (len(content["images"]), content["annotations"]) == (count, [])
    assert content["categories"][0]["keypoints"] == list(skeleton.joints)
    assert json.loads((tmp_path / "coco" / "walk.json").read_text()) == []
    assert len((tmp_path / "walk.csv").read_text().splitlines()) == 1
    with np.load(tmp_path / "walk.npz") as file:
        assert (file["keypoints_px"].shape, file["splits"].tolist()) == ((0, 3, 2), [0] * (count + 1))
    assert pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "walk.parquet").num_rows == 0


def test_a_folder_of_results_is_read_as_a_whole(folder: Path) -> None:
    assert len(read_tracks(folder)) == 3


def test_an_error_leaves_no_half_file(tmp_path: Path, records: list[FrameRecord], skeleton: Skeleton) -> None:
    def breaks() -> Iterator[FrameRecord]:
        yield from records
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_results(breaks(), list(RESULT_FORMATS), tmp_path, "walk", skeleton)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("format", list(RESULT_FORMATS))
def test_a_full_disk(
    tmp_path: Path,
    records: list[FrameRecord],
    skeleton: Skeleton,
    file_size_limit: Callable[[int], AbstractContextManager[None]],
    format: str,
) -> None:
    long = [replace(records[4], number=number) for number in range(500)]
    with (
        file_size_limit(2_000),
        pytest.raises(PoseGraphError, match=r"out: cannot be written \(.*File too large\); make room"),
    ):
        write_results(long, [format], tmp_path / "out", "walk", skeleton)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_formats_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    check_formats(["npz", "parquet"])
    with pytest.raises(PoseGraphError, match=r"format 'cvs' is not written; these are: .*did you mean 'csv'"):
        check_formats(["cvs"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PoseGraphError, match=r"format parquet needs pyarrow, .*pip install 'posegraph\[parquet\]'"):
        check_formats(["parquet"])
