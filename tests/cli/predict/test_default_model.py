"""``posegraph predict`` without --model runs the model that comes with posegraph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from posegraph.models.weights import shipped


@pytest.fixture
def installed(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the shipped model, and a working folder that holds something of its name."""
    folder = tmp_path / "shipped/ncstr-tiny"
    shutil.copytree(tiny_model, folder)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    (tmp_path / "here/ncstr-tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_the_shipped_model_is_the_default(
    run: Callable[..., object], movie: Path, boxes: Path, tiny_model: Path, installed: Path, tmp_path: Path
) -> None:
    given = [movie, "--boxes", boxes, "--device", "cpu", "--save", "posetrack18,csv", "--json"]
    said = run("predict", *given, tmp_path / "a.json", "--out", tmp_path / "a")
    assert (said.status, said.err) == (0, "no --model: ncstr-tiny, which comes with posegraph (17 joints of coco17)\n")
    named = run("predict", *given, tmp_path / "b.json", "--out", tmp_path / "b", "--model", tiny_model)
    assert (named.status, named.err) == (0, "")
    for name in ("walk.json", "walk.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    models = [json.loads((tmp_path / f"{run}.json").read_text())["model"] for run in "ab"]
    assert models == ["ncstr-tiny", str(tiny_model)]


def test_a_broken_installation_is_one_line(
    run: Callable[..., object], movie: Path, boxes: Path, installed: Path, tmp_path: Path
) -> None:
    (installed / "model.safetensors").unlink()
    said = run("predict", movie, "--boxes", boxes, "--out", tmp_path / "out")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "this installation is damaged; install posegraph again" in said.err
    assert not (tmp_path / "out").exists()


def test_weights_need_their_preset(run: Callable[..., object], movie: Path, tmp_path: Path) -> None:
    said = run("predict", movie, "--weights", "vitpose-b.pth", "--out", tmp_path / "out")
    assert said.status == 2
    assert "--weights: name the preset that they are for: --model PRESET --weights SPEC" in said.err
