"""Without a model's name, command and Python run the model that comes with posegraph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import posegraph
from posegraph.data.people import FramePoses
from posegraph.data.sources import Frame
from posegraph.errors import PoseGraphError
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


def keypoints(found: Iterator[tuple[Frame, FramePoses]]) -> list[list[list[float]]]:
    return [points for _, poses in found for points in poses.keypoints_px.tolist()]


def test_python_has_the_same_default(movie: Path, boxes: Path, tiny_model: Path, installed: Path) -> None:
    """And takes a model by its name, as a path, or opened: the same poses."""
    wanted = keypoints(posegraph.predict(movie, posegraph.load(tiny_model), boxes=boxes))
    assert len(wanted) == 2 * 24
    assert keypoints(posegraph.predict(movie, boxes=boxes)) == wanted
    Path("ncstr-tiny").rmdir()
    for name in ("ncstr-tiny", str(tiny_model), tiny_model):
        assert keypoints(posegraph.predict(movie, model=name, boxes=boxes)) == wanted


def test_every_function_that_takes_a_name_takes_the_shipped_one(
    movie: Path, boxes: Path, tiny_model: Path, installed: Path, tmp_path: Path
) -> None:
    assert posegraph.load().config.embed_dim == 32
    Path("ncstr-tiny").rmdir()
    for model in (posegraph.load("ncstr-tiny"), posegraph.PoseModel.from_pretrained("ncstr-tiny")):
        for name, value in posegraph.load().state_dict().items():
            assert torch.equal(model.state_dict()[name], value)
    options = posegraph.PredictOptions(boxes=boxes)
    for name, model in {"named": "ncstr-tiny", "default": None, "opened": posegraph.load(tiny_model)}.items():
        summary = posegraph.predict_files([movie], model, tmp_path / name, save=["csv"], options=options)
        assert summary.whole
    written = {(tmp_path / name / "walk.csv").read_bytes() for name in ("named", "default", "opened")}
    assert len(written) == 1


def test_a_name_that_is_no_model_is_one_error(movie: Path, boxes: Path, installed: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"^ncstr-s: is a preset, and its weights are random"):
        next(posegraph.predict(movie, "ncstr-s", boxes=boxes))
    (installed / "model.safetensors").unlink()
    with pytest.raises(PoseGraphError, match="this installation is damaged; install posegraph again"):
        next(posegraph.predict(movie, boxes=boxes))


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
