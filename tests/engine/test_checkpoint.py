"""Runs and checkpoints: what is read, what is copied into other models, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

import posegraph
from posegraph.config import RunConfig
from posegraph.engine.checkpoint import load, location, with_recorded_decoder
from posegraph.errors import PoseGraphError
from posegraph.models.build import model_from_config
from posegraph.models.weights import load_weights
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
    assert one.run_config == configure("model.decoder=classic")
    assert one.skeleton == Skeleton.load("posetrack17")
    assert not one.training


def test_the_skeleton_comes_from_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    """A user's skeleton file may be gone or changed by the time the run is used."""
    content = content_of(trained)
    content["posegraph"]["config"]["skeleton"] = "/gone/fly.yaml"
    assert load(saved(content, tmp_path / "a.ckpt")).skeleton.joints == Skeleton.load("posetrack17").joints


def test_a_run_without_a_checkpoint(trained: Path, tmp_path: Path) -> None:
    assert "holds neither checkpoints/last.ckpt nor model.safetensors nor pytorch_model.bin; give a folder" in said(
        tmp_path
    )


def test_results_name_the_checkpoint(trained: Path) -> None:
    assert location(trained) == str(trained / "checkpoints/last.ckpt")
    assert location("owner/name") == "owner/name"


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
    assert "holds posix.mkdir beside its tensors, which is not opened because it could run code" in said(
        saved(content, tmp_path / "bad.ckpt")
    )
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


def test_checkpoints_of_before_the_decoder_was_a_choice(trained: Path, tmp_path: Path) -> None:
    """Then there was the classic one alone, and the temperature was a number without a dimension."""
    content = content_of(trained)
    assert content["posegraph"]["config"]["model"].pop("decoder") == "classic"
    content["state_dict"]["model.pose_query.raw_temperature"] = torch.tensor(0.75)
    model = load(saved(content, tmp_path / "old.ckpt"))
    assert (model.config.decoder, model.run_config.model.decoder) == ("classic", "classic")
    assert model.pose_query.raw_temperature.item() == 0.75


def model(configure, *overrides: str, skeleton: str = "posetrack17"):
    torch.manual_seed(99)
    return model_from_config(configure(*overrides).model, Skeleton.load(skeleton))


def test_weights_are_copied_across_variants(configure, trained: Path) -> None:
    full = load(trained).state_dict()
    local = model(configure, "model.variant=local_only")
    fresh = load_weights(local, trained).initialised
    # the full model has two experts inside its fusion, the local one is an expert
    assert {name.split(".")[0] for name in fresh} == {"fusion"}
    for name, value in local.state_dict().items():
        assert name in fresh or torch.equal(value, full[name]), name
    alone = model(configure, "model.variant=vit_alone")
    report = load_weights(alone, trained)
    assert (report.initialised, report.renamed, report.assumptions) == ((), {}, ())
    assert {name.split(".")[0] for name in report.left_out} == {
        "joint_embedding", "pose_query", "local", "global_", "cross_branch", "fusion",
    }  # fmt: skip
    assert torch.equal(alone.backbone.vit.pos_embed, full["backbone.vit.pos_embed"])
    again = model(configure)
    assert load_weights(again, trained).initialised == ()
    assert all(torch.equal(value, full[name]) for name, value in again.state_dict().items())


def test_other_sizes_are_refused(configure, trained: Path) -> None:
    with pytest.raises(
        PoseGraphError, match=r"its backbone has 32 channels and 1 blocks, the model's 64 and 1; choose"
    ):
        load_weights(model(configure, "model.embed_dim=64"), trained)
    with pytest.raises(
        PoseGraphError, match=r"has shape .*, the model's .*; give weights of the same preset, or the same"
    ):
        load_weights(model(configure, "model.node_channels=64"), trained)


def test_a_resumed_run_keeps_its_decoder(configure, tmp_path: Path) -> None:
    """``auto`` may have been settled by weights that are gone by then."""
    record = tmp_path / "config.yaml"
    assert with_recorded_decoder(configure(), record).model.decoder == "auto"
    record.write_text("model: {preset: ncstr-tiny, decoder: simple}\n")
    assert with_recorded_decoder(configure(), record).model.decoder == "simple"
    assert with_recorded_decoder(configure("model.decoder=classic"), record).model.decoder == "classic"


def test_a_run_records_the_decoder_of_its_weights(configure, tmp_path: Path) -> None:
    from posegraph.engine.training import train

    source = model(configure, "model.decoder=simple", skeleton="coco17")
    source.save_pretrained(tmp_path / "weights")
    said_before = []
    run = configure("training.max_steps=1", f"model.weights={tmp_path / 'weights'}")
    result = train(run, tmp_path / "run", progress=False, on_notice=said_before.append)
    assert result.weights.initialised_joints == ("head_bottom", "head_top")
    assert str(result.weights) in said_before
    assert RunConfig.from_file(tmp_path / "run/config.yaml").model.decoder == "simple"
    assert content_of(tmp_path / "run")["posegraph"]["config"]["model"]["decoder"] == "simple"
    assert load(tmp_path / "run").config.decoder == "simple"
