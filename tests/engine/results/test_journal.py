"""A journal gives every bit back, survives a kill, and goes on only with what began it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posegraph.data.people import FramePoses, People
from posegraph.engine.results import FrameRecord, Journal, JournalHeader, read_journal
from posegraph.errors import PoseGraphError

HEADER = JournalHeader("walk.mp4", "a1b2", ("nose", "tail", "ear"), {"detector": "self", "anchor": {"margin": 0.1}})


def written(path: Path, records: list[FrameRecord]) -> Path:
    with Journal.create(path, HEADER) as journal:
        for record in records:
            journal.append(record)
    return path


def assert_same(one: FrameRecord, other: FrameRecord) -> None:
    for name in ("number", "time_s", "name", "image_hw"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("detected", "people", "poses"):
        mine, its = getattr(one, name), getattr(other, name)
        assert (mine is None) == (its is None)
        for left, right in zip(mine or (), its or (), strict=True):
            assert (left.dtype, left.shape) == (right.dtype, right.shape)
            assert left.tobytes() == right.tobytes()


def test_every_bit_comes_back(tmp_path: Path, records: list[FrameRecord]) -> None:
    poses = records[0].poses
    poses.keypoints_px[0] = [[-0.0, 5e-324], [1e308, 0.1 + 0.2], [np.nextafter(1, 2), -1e-17]]
    header, frames = read_journal(written(tmp_path / "walk.jsonl", records))
    assert header == HEADER
    for one, other in zip(frames, records, strict=True):
        assert_same(one, other)


def test_a_joint_without_a_place_is_null_in_the_file_and_nan_again(tmp_path: Path, records: list[FrameRecord]) -> None:
    records[0].poses.keypoints_px[1, 2] = np.nan
    path = written(tmp_path / "walk.jsonl", records)
    assert json.loads(path.read_text().splitlines()[1])["poses"]["keypoints_px"][1][2] == [None, None]
    assert_same(next(read_journal(path)[1]), records[0])


def test_each_frame_is_in_the_file_when_append_returns(tmp_path: Path, records: list[FrameRecord]) -> None:
    with Journal.create(tmp_path / "walk.jsonl", HEADER) as journal:
        for count, record in enumerate(records, start=1):
            journal.append(record)
            assert len(journal.path.read_bytes().splitlines()) == 1 + count
        assert (journal.frames, journal.last) == (6, 6)


def test_a_run_goes_on_after_the_last_frame(tmp_path: Path, records: list[FrameRecord]) -> None:
    path = written(tmp_path / "walk.jsonl", records[:3])
    with Journal.resume(path, HEADER) as journal:
        assert (journal.frames, journal.last) == (3, 2)
        for record in records[3:]:
            journal.append(record)
    assert path.read_bytes() == written(tmp_path / "whole.jsonl", records).read_bytes()


@pytest.mark.parametrize("cut", [1, 2, 40, 10_000])
def test_a_cut_last_line_is_taken_away(tmp_path: Path, records: list[FrameRecord], cut: int) -> None:
    path = written(tmp_path / "walk.jsonl", records[:2])
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[: -min(cut, len(last) - 1)])
    assert [record.number for record in read_journal(path)[1]] == [0]
    with Journal.resume(path, HEADER) as journal:
        journal.append(records[1])
    assert path.read_bytes() == whole


def test_a_killed_process_loses_no_frame_that_was_appended(tmp_path: Path) -> None:
    program = f"""
import os, numpy as np
from posegraph.data.people import FramePoses, People
from posegraph.engine.results import FrameRecord, Journal, JournalHeader
journal = Journal.create({str(tmp_path / "walk.jsonl")!r}, JournalHeader("walk.mp4", "m", ("nose",), {{}}))
for number in range(20):
    people, poses = People.nobody(), FramePoses.nobody(1)
    journal.append(FrameRecord(number, number / 25, str(number), (4, 4), None, people, poses))
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    assert [record.number for record in read_journal(tmp_path / "walk.jsonl")[1]] == list(range(20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "c3"}, r"another model \('a1b2' there, 'c3' now\); give the same, or delete it to start anew"),
        ({"source": "run.mp4"}, r"another source \('walk.mp4' there, 'run.mp4' now\)"),
        (
            {"settings": {"detector": "onnx", "anchor": {"margin": 0.1}, "every": 2}},
            r"another detector \('self' there, 'onnx' now\), every \(None there, 2 now\);",
        ),
        (
            {"settings": {"detector": "self", "anchor": {"margin": 0.2}}},
            r"another anchor.margin \(0.1 there, 0.2 now\)",
        ),
        ({"joints": ("nose", "tail")}, r"another joints \(\['nose', 'tail', 'ear'\] there, \['nose', 'tail'\] now\)"),
    ],
)
def test_another_run_is_refused_with_what_differs(
    tmp_path: Path, records: list[FrameRecord], change: dict[str, object], message: str
) -> None:
    path = written(tmp_path / "walk.jsonl", records)
    with pytest.raises(PoseGraphError, match=rf"walk\.jsonl: was begun with {message}"):
        Journal.resume(path, replace(HEADER, **change))


def test_a_damaged_line_is_named(tmp_path: Path, records: list[FrameRecord]) -> None:
    path = written(tmp_path / "walk.jsonl", records)
    lines = path.read_bytes().splitlines(keepends=True)

    def told(line: int, content: bytes) -> str:
        path.write_bytes(b"".join([*lines[: line - 1], content, *lines[line:]]))
        with pytest.raises(PoseGraphError) as caught:
            Journal.resume(path, HEADER)
        return str(caught.value)

    assert "line 4 is damaged (" in told(4, lines[3][:20] + b"\n")
    assert "line 3 is damaged ('poses'); delete it" in told(3, lines[2].replace(b'"poses"', b'"pose"'))
    assert "line 5 is damaged (frame 0 after frame 2)" in told(5, lines[1])
    assert "line 2 is damaged (cannot reshape array of size" in told(2, lines[1].replace(b"[4,9]", b"[4]"))
    assert "line 1 is not the header of a journal" in told(1, b"{}\n")
    assert "a journal of version 99, expected 1" in told(1, b'{"posegraph_journal": 99}\n')


def test_what_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"none\.jsonl: no such journal"):
        Journal.resume(tmp_path / "none.jsonl", HEADER)
    with pytest.raises(PoseGraphError, match="cannot be read"):
        read_journal(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(PoseGraphError, match=r"cannot write .*file/walk\.jsonl: .*; choose a folder"):
        Journal.create(tmp_path / "file" / "walk.jsonl", HEADER)


def test_a_full_disk_keeps_the_frames_before(
    tmp_path: Path, records: list[FrameRecord], file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = written(tmp_path / "walk.jsonl", records[:2])
    before = path.read_bytes()
    with (
        Journal.resume(path, HEADER) as journal,
        file_size_limit(len(before) + 50),
        pytest.raises(PoseGraphError, match=r"walk\.jsonl: cannot be written \(File too large\); the 2 frames before"),
    ):
        journal.append(records[2])
    assert path.read_bytes() == before
    with Journal.resume(path, HEADER) as journal:
        journal.append(records[2])
        assert journal.frames == 3


def test_what_cannot_be_written_down(tmp_path: Path, records: list[FrameRecord]) -> None:
    with Journal.create(tmp_path / "walk.jsonl", HEADER) as journal:
        journal.append(records[1])
        with pytest.raises(ValueError, match="frame 1 comes after frame 1"):
            journal.append(records[1])
        nobody = replace(records[2], poses=FramePoses.nobody(5))
        with pytest.raises(ValueError, match="got poses of 5 joints, expected 3"):
            journal.append(nobody)
        endless = People(np.full((1, 4), np.inf), np.ones(1), np.array([1]))
        with pytest.raises(ValueError, match="boxes_xywh has an infinite number"):
            journal.append(replace(records[2], people=endless))


def test_a_file_name_that_is_no_utf8(tmp_path: Path, records: list[FrameRecord]) -> None:
    path = written(tmp_path / "walk.jsonl", [replace(records[0], name=os.fsdecode(b"caf\xe9.jpg"))])
    assert next(read_journal(path)[1]).name == "caf\ufffd.jpg"
