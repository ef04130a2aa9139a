"""Checkpoints are whole files, the one before is kept, and hold the average where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import posegraph
from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.module import PoseTraining
from posegraph.engine.saving import WholeFiles
from posegraph.engine.training import train
from posegraph.skeleton import Skeleton


def saved(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def test_the_last_checkpoint_and_the_one_before(tmp_path: Path) -> None:
    files = WholeFiles(last_is_good=False)
    for number in range(3):
        files.save_checkpoint({"number": number}, tmp_path / "last.ckpt")
        files.save_checkpoint({"best": number}, tmp_path / "best.ckpt")
    assert saved(tmp_path / "last.ckpt") == {"number": 2}
    assert saved(tmp_path / "previous.ckpt") == {"number": 1}
    assert saved(tmp_path / "best.ckpt") == {"best": 2}
    assert sorted(os.listdir(tmp_path)) == ["best.ckpt", "last.ckpt", "previous.ckpt"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    test_the_last_checkpoint_and_the_one_before(tmp_path)


def test_a_damaged_last_checkpoint_does_not_take_the_place_of_the_good_one(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_text("damaged")
    torch.save({"number": 0}, tmp_path / "previous.ckpt")
    files = WholeFiles(last_is_good=False)
    files.save_checkpoint({"number": 1}, tmp_path / "last.ckpt")
    assert [saved(tmp_path / name)["number"] for name in ("previous.ckpt", "last.ckpt")] == [0, 1]
    files.save_checkpoint({"number": 2}, tmp_path / "last.ckpt")
    assert [saved(tmp_path / name)["number"] for name in ("previous.ckpt", "last.ckpt")] == [1, 2]


def test_an_error_while_saving_leaves_what_was_there(tmp_path: Path) -> None:
    files = WholeFiles(last_is_good=True)
    files.save_checkpoint({"number": 0}, tmp_path / "last.ckpt")
    with pytest.raises(AttributeError):  # cannot be pickled
        files.save_checkpoint({"number": lambda: 1}, tmp_path / "last.ckpt")
    assert saved(tmp_path / "last.ckpt") == {"number": 0}
    assert os.listdir(tmp_path) == ["last.ckpt"]


@pytest.fixture(scope="module")
def averaged(configure: Callable[..., RunConfig], synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs, with frozen backbone and decoder; the last checkpoints are those of the last two steps."""
    out = tmp_path_factory.mktemp("averaged") / "run"
    settings = ["training.max_steps=-1", "training.epochs=2", "training.checkpoint_every=1", "training.ema=0.75"]
    config = configure(*settings, "training.backbone_lr_scale=0", f"data.val={synthetic}/annotations/val")
    train(config, out, progress=False)
    return out


def test_the_average_is_exponential(averaged: Path) -> None:
    before, now = (saved(averaged / "checkpoints" / name) for name in ("previous.ckpt", "last.ckpt"))
    assert (before["place"]["step"], now["place"]["step"]) == (11, 12)
    moved = 0
    for name, value in now["state_dict"].items():
        if value.is_floating_point():
            old, current = before["state_dict"][name].double(), now["current_model_state"][name].double()
            torch.testing.assert_close(value.double(), 0.75 * old + 0.25 * current, rtol=1e-5, atol=1e-7)
            moved += not torch.equal(value, now["current_model_state"][name])
    assert moved > 20


def test_what_is_frozen_is_not_averaged_away(averaged: Path) -> None:
    now = saved(averaged / "checkpoints/last.ckpt")
    frozen = [name for name in now["state_dict"] if name.startswith(("model.backbone.", "model.heatmap_head."))]
    assert len(frozen) > 20
    assert all(torch.equal(now["state_dict"][name], now["current_model_state"][name]) for name in frozen)


def test_the_average_is_what_is_loaded_and_validated(averaged: Path) -> None:
    content = saved(averaged / "checkpoints/best.ckpt")
    model = posegraph.load(averaged / "checkpoints/best.ckpt")
    for name, value in model.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"model.{name}"]), name
    config = model.run_config
    data = ClipDataModule(config, Skeleton.load(config.skeleton))
    (clips,) = data.val_dataloader()
    with torch.no_grad():
        parts = PoseTraining(model, config, data.ever_annotated).eval().losses(model.run(clips), clips)
    assert float(sum(parts.values())) == pytest.approx(content["place"]["best"], rel=1e-6)
