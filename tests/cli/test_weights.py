"""Other people's weights on the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import posegraph
from posegraph.data.synthetic import generate
from posegraph_cli import main as cli


class Said(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*arguments: object) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["posegraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        said = capfd.readouterr()
        return Said(exited.value.code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=2, frames=3, people=1, size=(96, 72), val_fraction=0.5, workers=1)
    return out


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViTPose-S for crops of 64x48, under the official key names."""
    return official(tmp_path_factory.mktemp("download") / "vitpose_small.pth")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller one than any preset."""
    return official(tmp_path_factory.mktemp("download") / "tiny.pth", embed_dim=32, depth=1, num_heads=2)


def official(path: Path, **sizes: int) -> Path:
    torch.manual_seed(0)
    weights = posegraph.build_model("vitpose-s", input_hw=(64, 48), **sizes).state_dict()
    pairs = {
        "backbone.vit.norm": "backbone.last_norm",
        "backbone.vit": "backbone",
        "heatmap_head.deconv": "keypoint_head.deconv_layers",
        "heatmap_head.final": "keypoint_head.final_layer",
    }
    named = {}
    for key, value in weights.items():
        old = next(old for old in pairs if key.startswith(old))
        named[key.replace(old, pairs[old])] = value
    torch.save({"state_dict": named, "meta": {"epoch": 210}}, path)
    return path


def test_a_downloaded_vitpose_is_scored_at_once(run, synthetic: Path, downloaded: Path) -> None:
    val = synthetic / "annotations/val"
    said = run("eval", downloaded, "--data", val, "--json", "-")
    assert said.status == 0
    found = json.loads(said.out)
    assert (found["checkpoint"], found["people"]) == (str(downloaded), 3)
    assert found["not_scored"] == ["left_eye", "right_eye", "left_ear", "right_ear"]
    assert f"weights from {downloaded}: ViTPose (mmpose 0.x)" in said.err
    assert "taken for granted: its 17 rows are the joints of coco17 (the file does not say)" in said.err
    assert f"not scored, for {val} does not have them: left_eye, right_eye, left_ear, right_ear" in said.err

    told = run("eval", "vitpose-s", "--weights", downloaded, "--skeleton", "posetrack17", "--data", val, "--json", "-")
    assert json.loads(told.out)["not_scored"] == []
    assert "changed: positions 4x3 -> 16x12, bicubic" in told.err  # the preset's crop is 256x192
    assert "taken for granted" not in told.err


def test_training_starts_from_it(run, synthetic: Path, tiny: Path, tmp_path: Path) -> None:
    changes = [
        "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2",
        "training.max_steps=1", "training.batch_size=2", "training.accelerator=cpu",
        "training.log_every=1", f"data.train={synthetic}/annotations/train",
    ]  # fmt: skip
    options = [part for change in changes for part in ("-o", change)]
    out = tmp_path / "run"
    said = run("train", "vitpose-s", *options, "--weights", tiny, "--out", out, "--json", "-")
    assert (said.status, json.loads(said.out)["steps"]) == (0, 1)
    assert f"weights from {tiny}: ViTPose (mmpose 0.x)" in said.err
    assert "initialised the rows of joints it does not know: head_bottom, head_top" in said.err
    assert posegraph.load(out).run_config.model.weights == str(tiny)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_mistakes_are_one_line(run, synthetic: Path, tiny: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hook": Hostile(tmp_path / "owned")}, tmp_path / "hostile.pth")
    val = synthetic / "annotations/val"
    for arguments, message in [
        (("eval", tmp_path / "hostile.pth"), "which is not opened because it could run code"),
        (("eval", "vitpose-s"), "vitpose-s: is a preset, and its weights are random; name weights for it: --weights"),
        (("eval", "vitpose-x", "--weights", tiny), "no preset 'vitpose-x'; presets are: "),
        (("eval", "vitpose-s", "--weights", tiny), "its backbone has 32 channels and 1 blocks, the model's 384 and 12"),
        (("eval", tiny), "32 channels and 1 blocks are the size of none of vitpose-b, vitpose-h, vitpose-l, vitpose-s"),
        (("eval", tiny, "--expert", "2"), "has no mixture of experts, got weights_expert 2"),
    ]:
        said = run(*arguments, "--data", val)
        assert (said.status, said.out) == (2, "")
        lines = [line for line in said.err.splitlines() if "Warning" not in line]
        assert len(lines) == 1, said.err
        assert lines[0].startswith("error: ")
        assert message in lines[0]
    assert not (tmp_path / "owned").exists()
