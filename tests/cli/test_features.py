"""``posegraph features``, and a head trained from what it leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from posegraph import build_model
from posegraph.data.synthetic import generate
from posegraph_cli import main as cli

TINY = {
    "input_hw": (64, 48), "embed_dim": 32, "depth": 1, "num_heads": 2, "node_channels": 32,
    "deconv_channels": (16,), "patch_size": 8,
}  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["posegraph", *map(str, arguments)])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    return exited.value.code, *capfd.readouterr()


def test_features_then_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    generate(tmp_path / "data", sequences=1, frames=3, people=2, size=(160, 120), val_fraction=0, workers=1)
    build_model("ncstr-tiny", "posetrack17", **TINY).save_pretrained(tmp_path / "weights")
    sizes = {name: list(value) if isinstance(value, tuple) else value for name, value in TINY.items()}
    settings = [f"data.train={tmp_path}/data/annotations/train", "training.accelerator=cpu"]
    settings += [f"model.{name}={value}" for name, value in sizes.items()]
    overrides = ["--weights", tmp_path / "weights", *(part for setting in settings for part in ("-o", setting))]
    out = tmp_path / "the: features"  # a name that YAML would take apart
    status, said, told = run(monkeypatch, capfd, "features", "ncstr-tiny", *overrides, "--out", out, "--json", "-")
    assert status == 0
    size = 6 * 3 * (32 * 8 * 6 + 17 * 16 * 12) * 4
    assert json.loads(said) == {"out": str(out), "parts": {"train": {"clips": 6, "bytes": size}}}
    assert f"computing the features of 6 clips into {out}/train" in told.splitlines()
    frozen = ["-o", "training.backbone_lr_scale=0", "-o", "loss.heatmap=0", "-o", "training.max_steps=1"]
    cached = ["-o", f"data.features={json.dumps(str(out))}", "--out", tmp_path / "run"]
    status, said, told = run(monkeypatch, capfd, "train", "ncstr-tiny", *overrides, *frozen, *cached)
    assert status == 0
    assert f"training from the features in {out}: augmentation is off, clips are plain crops" in told.splitlines()
    assert "computing" not in told
    status, said, told = run(
        monkeypatch, capfd, "features", "ncstr-tiny", *overrides, "-o", "data.box_scale=2", "--out", out
    )
    assert (status, said) == (2, "")
    assert "holds the features of data.box_scale 1.25 there and 2.0 here" in told
