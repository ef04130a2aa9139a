"""``posegraph data index``, as a user types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from posegraph.data.synthetic import generate
from posegraph_cli import main as cli


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["posegraph", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_an_index_is_made_and_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = generate(tmp_path / "set", sequences=2, frames=2, people=2, size=(160, 120), val_fraction=0, workers=1)
    source, out = tmp_path / "set/annotations/train", tmp_path / "out.index"
    assert run(monkeypatch, "data", "index", source, out, "--json", "-") == 0
    said = capfd.readouterr()
    found = json.loads(said.out)
    assert (found["people"], found["frames"], found["videos"], found["files"]) == (summary.poses, 4, 2, 2)
    assert f"{out}: {summary.poses} people in 4 frames of 2 videos" in said.err
    assert (out / "posegraph-index.json").is_file()
    assert (found["clip_frames"], found["future_frames"]) == (3, 0)
    longer = ("--num-frames", 5, "--future-frames", 2, "--json", "-")
    assert run(monkeypatch, "data", "index", source, out, *longer) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["clip_frames"], found["future_frames"]) == (5, 2)


def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "index", tmp_path / "none", tmp_path / "out") == 2
    assert capfd.readouterr().err == f"error: {tmp_path}/none: no such file; check the path\n"
    assert not (tmp_path / "out").exists()
