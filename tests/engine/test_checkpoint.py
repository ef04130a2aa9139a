"""Checkpoints: what is read, what is copied, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

import posegraph
from posegraph.engine.checkpoint import load, start_from
from posegraph.errors import PoseGraphError
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton


def said(path: Path) -> str:
    with pytest.raises(PoseGraphError) as error:
        load(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    return str(error.value)


def content_of(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def test_a_run_and_its_checkpoint_are_the_same_model(configure, trained: Path) -> None:
    one, other = posegraph.load(trained), posegraph.load(trained / "checkpoints/last.ckpt")
    stored = content_of(trained)["state_dict"]
    assert set(one.state_dict()) == {name.removeprefix("model.") for name in stored}
    for name, value in one.state_dict().items():
        assert torch.equal(value, stored[f"model.{name}"])
        assert torch.equal(value, other.state_dict()[name])
    assert one.run_config == configure()
    assert one.skeleton == Skeleton.load("posetrack17")
    assert not one.training


def test_the_skeleton_comes_from_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    """A user's skeleton file may be gone or changed by the time the run is used."""
    content = content_of(trained)
    content["posegraph"]["config"]["skeleton"] = "/gone/fly.yaml"
    assert load(saved(content, tmp_path / "a.ckpt")).skeleton.joints == Skeleton.load("posetrack17").joints


def test_nothing_there(trained: Path, tmp_path: Path) -> None:
    assert "no such run or checkpoint; check the path" in said(tmp_path / "none")
    assert "holds no checkpoints/last.ckpt; give a folder that `posegraph train` wrote" in said(tmp_path)


@pytest.mark.parametrize("keep", [0, 100, 0.5, -1])
def test_cut_off_files(trained: Path, tmp_path: Path, keep: float) -> None:
    data = (trained / "checkpoints/last.ckpt").read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert "give an undamaged file" in said(path)


def test_damaged_inside(trained: Path, tmp_path: Path) -> None:
    data = bytearray((trained / "checkpoints/last.ckpt").read_bytes())
    place = data.index(b"data.pkl") + 200
    data[place : place + 60] = b"\xff" * 60
    (tmp_path / "bad.ckpt").write_bytes(data)
    said(tmp_path / "bad.ckpt")


def test_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    assert "is cut off or no checkpoint (16 bytes)" in said(tmp_path / "notes.txt")
    for place, foreign in enumerate((torch.zeros(3), {"state_dict": {}}, {"posegraph": {}}, [1], {})):
        path = saved(foreign, tmp_path / f"{place}.pt")
        assert "a PyTorch file, but no checkpoint of posegraph" in said(path)


@pytest.mark.parametrize("entry", [{}, {"config": {}}, {"config": 3, "skeleton": 3}, {"skeleton": {}}])
def test_an_edited_entry_is_refused(trained: Path, tmp_path: Path, entry: dict[str, Any]) -> None:
    content = content_of(trained)
    content["posegraph"] = entry
    said(saved(content, tmp_path / "edited.ckpt"))


class Malicious:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_does_not_run(trained: Path, tmp_path: Path) -> None:
    content = content_of(trained)
    content["hook"] = Malicious(tmp_path / "owned")
    assert "cannot be opened as a checkpoint" in said(saved(content, tmp_path / "bad.ckpt"))
    assert not (tmp_path / "owned").exists()


def test_tensors_missing_or_unknown(trained: Path, tmp_path: Path) -> None:
    content = content_of(trained)
    kept = content["state_dict"].pop("model.pose_query.out.weight")
    assert "(1 tensors missing, 0 unknown, first: pose_query.out.weight)" in said(saved(content, tmp_path / "a.ckpt"))
    content["state_dict"] |= {"model.pose_query.out.weight": kept, "model.extra": kept}
    assert "(0 tensors missing, 1 unknown, first: extra)" in said(saved(content, tmp_path / "b.ckpt"))
    content["state_dict"].pop("model.extra")
    content["state_dict"]["model.pose_query.out.weight"] = kept[:5]
    assert "pose_query.out.weight has shape (5, 32), the model's has (32, 32)" in said(
        saved(content, tmp_path / "c.ckpt")
    )


def model(configure, *overrides: str, skeleton: str = "posetrack17"):
    torch.manual_seed(99)
    return model_from_config(configure(*overrides).model, Skeleton.load(skeleton))


def test_weights_are_copied_across_variants(configure, trained: Path) -> None:
    full = load(trained).state_dict()
    local = model(configure, "model.variant=local_only")
    fresh = start_from(local, trained)
    # the full model has two experts inside its fusion, the local one is an expert
    assert {name.split(".")[0] for name in fresh} == {"fusion"}
    for name, value in local.state_dict().items():
        assert name in fresh or torch.equal(value, full[name]), name
    alone = model(configure, "model.variant=vit_alone")
    assert start_from(alone, trained) == []
    assert torch.equal(alone.backbone.vit.pos_embed, full["backbone.vit.pos_embed"])
    again = model(configure)
    assert start_from(again, trained) == []
    assert all(torch.equal(value, full[name]) for name, value in again.state_dict().items())


def test_other_joints_are_refused(configure, trained: Path) -> None:
    with pytest.raises(
        PoseGraphError, match=r"is for skeleton 'posetrack17' \(17 joints\), the data and configuration "
    ):
        start_from(model(configure, skeleton="coco17"), trained)


def test_other_sizes_are_refused(configure, trained: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"has shape .* the model's has .*; give a checkpoint of the same preset"):
        start_from(model(configure, "model.embed_dim=64"), trained)
