"""Files are whole or not there, and faults in JSON are one line."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from posegraph.errors import PoseGraphError
from posegraph.files import (
    full_disk_told,
    read_json,
    remove_leftovers,
    replacing,
    replacing_folder,
    write_json,
    write_text,
)


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_the_temporary_file_is_beside_the_target_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "result.npz"
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, ".npz")
        assert not path.exists()
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["result.npz"]


def test_a_result_is_as_readable_as_any_file(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_text(tmp_path / "ours", "text")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PoseGraphError, match=r"cannot write .*file/result\.txt: .*; choose a folder"):
        write_text(tmp_path / "file" / "result.txt", "text")


def test_json_round_trip_with_nan_as_null(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": [1, float("nan"), (2.5,)], "b": {"c": float("nan")}, "d": "é"})
    assert read_json(path) == {"a": [1, None, [2.5]], "b": {"c": None}, "d": "é"}
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"a": 1,\n "b": ', "not valid JSON, line 2 column 7: .*cut off"),
        (b"", "not valid JSON, line 1 column 1"),
        (b"[" * 100_000, "not valid JSON, nested too deep"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_faulty_json_is_named_with_its_place(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(content)
    with pytest.raises(PoseGraphError, match=rf"value\.json: {part}") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"none\.json: no such file; check the path"):
        read_json(tmp_path / "none.json")
    with pytest.raises(PoseGraphError, match="cannot be read"):
        read_json(tmp_path)


def test_text_is_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "né\n")
    assert (tmp_path / "text").read_bytes() == "né\n".encode()
    assert json.loads('"\\u00e9"') == "é"


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    def write(text: str, then: float = 1.0) -> None:
        with replacing_folder(tmp_path / "out") as temporary:
            (temporary / "a.txt").write_text(f"{text} {1 / then}")

    for text in ("first", "second"):
        write(text)
        assert (tmp_path / "out/a.txt").read_text() == f"{text} 1.0"
    with pytest.raises(ZeroDivisionError):
        write("third", then=0)
    assert (tmp_path / "out/a.txt").read_text() == "second 1.0"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_killed_processes(tmp_path: Path) -> None:
    with replacing(tmp_path / "last.ckpt") as temporary:
        (tmp_path / temporary.name.replace("last", "other")).touch()
        kept = {f"last{ending}" for ending in (".ckpt", "-2.ckpt", "-abcdefgh.ckpt")} | {".last-abc.ckpt"}
        for name in kept:
            (tmp_path / name).touch()
        remove_leftovers(tmp_path / "last.ckpt")
        assert not temporary.exists()
        temporary.touch()
    assert {path.name for path in tmp_path.iterdir() if "other" not in path.name} == kept
    remove_leftovers(tmp_path / "no folder" / "last.ckpt")


def test_a_full_disk_is_told_whoever_wraps_it() -> None:
    def write(wrap: bool) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            if wrap:
                raise RuntimeError("unexpected pos 704 vs 598") from error
            raise

    for wrap in (False, True):
        with (
            pytest.raises(PoseGraphError, match=r"^a\.txt: cannot be written \(No space left on device\); make room$"),
            full_disk_told("a.txt", "make room"),
        ):
            write(wrap)
    with pytest.raises(OSError, match="Input/output error"), full_disk_told("a.txt", "make room"):
        raise OSError(errno.EIO, "Input/output error")
    with pytest.raises(PoseGraphError, match=r"^told already$"), full_disk_told("a.txt", "make room"):
        raise PoseGraphError("told already") from OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_text_for_a_full_device() -> None:
    with pytest.raises(PoseGraphError, match=r"^/dev/full: cannot be written \(No space left on device\); make room"):
        write_text("/dev/full", "text")
