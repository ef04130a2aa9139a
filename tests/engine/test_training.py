"""Training: repeatable, resumable, and a model that learns."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import get_args

import pytest
import torch

import posegraph
from posegraph.config import RunConfig, Variant
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.module import PoseTraining
from posegraph.engine.training import train
from posegraph.errors import PoseGraphError
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton


def logged(run: Path, name: str = "train/loss") -> list[float]:
    with (run / "logs/metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_run(configure, trained: Path, tmp_path: Path) -> None:
    result = train(configure(), tmp_path / "again", progress=False)
    assert result.steps == 4
    assert len(logged(trained)) == 4
    assert logged(tmp_path / "again") == logged(trained)
    assert same(weights(tmp_path / "again"), weights(trained))


def test_another_seed_gives_another(configure, trained: Path, tmp_path: Path) -> None:
    train(configure("seed=1"), tmp_path / "other", progress=False)
    assert logged(tmp_path / "other") != logged(trained)
    assert not same(weights(tmp_path / "other"), weights(trained))


def test_workers_change_nothing(configure, trained: Path, tmp_path: Path) -> None:
    train(configure("data.workers=2"), tmp_path / "helped", progress=False)
    assert logged(tmp_path / "helped") == logged(trained)
    assert same(weights(tmp_path / "helped"), weights(trained))


def test_accumulated_batches_are_one_batch() -> None:
    """The losses divide by constants, so the gradient of a batch is the mean over its parts."""
    from posegraph import losses

    torch.manual_seed(0)
    points, target, mask = torch.rand(4, 5, 2, requires_grad=True), torch.rand(4, 5, 2), torch.rand(4, 5) < 0.5
    (whole,) = torch.autograd.grad(losses.geometry_loss(points, target, mask), points)
    parts = sum(losses.geometry_loss(points[rows], target[rows], mask[rows]) / 4 for rows in torch.arange(4).view(4, 1))
    (accumulated,) = torch.autograd.grad(parts, points)
    torch.testing.assert_close(accumulated, whole)


def test_what_a_run_leaves_behind(configure, trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {"config.yaml", "skeleton.yaml", "environment.json", "checkpoints", "logs"}
    assert RunConfig.from_file(trained / "config.yaml") == configure("model.decoder=classic")
    assert Skeleton.load(trained / "skeleton.yaml") == Skeleton.load("posetrack17")
    assert json.loads((trained / "environment.json").read_text())["torch"] == torch.__version__
    assert [path.name for path in (trained / "checkpoints").iterdir()] == ["last.ckpt"]
    (table,) = (trained / "logs").glob("*.csv")
    (events,) = (trained / "logs").glob("events.out.tfevents.*")
    assert set((trained / "logs").iterdir()) == {table, events}


def test_the_learning_rate_is_logged(trained: Path) -> None:
    assert logged(trained, "lr/graph") == pytest.approx([1e-3] * 4)


@pytest.mark.parametrize("variant", get_args(Variant))
def test_every_variant_trains(configure, variant: str, tmp_path: Path) -> None:
    result = train(configure(f"model.variant={variant}", "training.max_steps=2"), tmp_path / "run", progress=False)
    losses = logged(tmp_path / "run")
    assert (result.steps, len(losses)) == (2, 2)
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
    model = posegraph.load(tmp_path / "run")
    assert model.config.variant == variant
    assert not model.training


def test_validation_is_logged_and_the_best_is_kept(configure, synthetic: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    overrides = (f"data.val={synthetic}/annotations/val", "training.max_steps=-1", "training.epochs=2")
    result = train(configure(*overrides), run, progress=False)
    assert len(logged(run, "val/loss")) == len(logged(run, "val/within")) == 2
    assert 0 <= result.metrics["val/within"] <= 1
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
    assert posegraph.load(run / "checkpoints/best.ckpt").config == configure("model.decoder=classic").model


def test_a_finished_run_goes_on_for_more_epochs(configure, tmp_path: Path) -> None:
    def epochs(count: int) -> RunConfig:
        return configure("training.max_steps=-1", f"training.epochs={count}")

    whole = train(epochs(2), tmp_path / "whole", progress=False)
    half = train(epochs(1), tmp_path / "half", progress=False)
    before = (tmp_path / "half/logs/metrics.csv").read_bytes()
    resumed = train(epochs(2), tmp_path / "half", resume=True, progress=False)
    assert 0 < half.steps < resumed.steps == whole.steps
    assert same(weights(tmp_path / "half"), weights(tmp_path / "whole"))
    after = (tmp_path / "half/logs/metrics.csv").read_bytes()
    assert after.startswith(before)
    assert after == (tmp_path / "whole/logs/metrics.csv").read_bytes()


def test_a_run_that_max_steps_ended_goes_on_within_the_epoch(configure, tmp_path: Path) -> None:
    for steps in (2, 8):
        train(configure(f"training.max_steps={steps}"), tmp_path / "run", resume=steps > 2, progress=False)
    train(configure("training.max_steps=8"), tmp_path / "whole", progress=False)
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))
    assert logged(tmp_path / "run") == logged(tmp_path / "whole")


def test_a_finished_run_that_is_resumed_stays_as_it_is(configure, tmp_path: Path) -> None:
    done = train(configure(), tmp_path / "run", progress=False)
    before = (tmp_path / "run/logs/metrics.csv").read_bytes()
    again = train(configure(), tmp_path / "run", resume=True, progress=False)
    assert (again.steps, again.metrics) == (4, done.metrics)
    assert (tmp_path / "run/logs/metrics.csv").read_bytes() == before


def test_an_existing_run_is_refused_and_stays(configure, trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    with pytest.raises(
        PoseGraphError, match="already holds a trained run; give --resume to go on with it, or another --out"
    ):
        train(configure(), trained, progress=False)
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_faulty_data_leaves_nothing_behind(configure, tmp_path: Path) -> None:
    for overrides in (["data.train=null"], [f"data.train={tmp_path}/none.json"], ["data.images=/nowhere"],
                      ["skeleton=none.yaml"], ["model.weights=none.ckpt"]):  # fmt: skip
        with pytest.raises(PoseGraphError):
            train(configure(*overrides), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists(), overrides


def test_heatmaps_learn_four_clips(configure, synthetic: Path, tmp_path: Path) -> None:
    """Thirty steps on the same four crops: the loss on the heatmaps falls by a lot."""
    still = [f"augment.{name}=0" for name in ("half_body", "scale", "rotation_probability", "flip", "shift")]
    one = next((synthetic / "annotations/train").glob("*.json"))
    config = configure(
        f"data.train={one}",
        "data.frames=0-1",
        *still,
        "training.max_steps=30",
        "training.epochs=40",
        "training.lr=3e-3",
    )
    train(config, tmp_path / "run", progress=False)
    losses = logged(tmp_path / "run", "train/heatmap")
    assert len(losses) == 30
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    total = logged(tmp_path / "run", "train/loss")
    assert sum(total[-3:]) < sum(total[:3])


def module(config: RunConfig) -> PoseTraining:
    skeleton = Skeleton.load(config.skeleton)
    return PoseTraining(model_from_config(config.model, skeleton), config, torch.ones(17, dtype=torch.bool))


def learning(built: PoseTraining) -> set[str]:
    return {name.split(".")[1] for name, parameter in built.named_parameters() if parameter.requires_grad}


def test_what_learns() -> None:
    preset = RunConfig.from_preset("ncstr-tiny")
    everything = learning(module(preset))
    assert {"backbone", "heatmap_head", "pose_query", "fusion"} < everything
    assert learning(module(RunConfig.from_preset("ncstr-tiny", ["loss.heatmap=0"]))) == everything - {"heatmap_head"}
    frozen = learning(module(RunConfig.from_preset("ncstr-tiny", ["training.backbone_lr_scale=0"])))
    assert frozen == everything - {"backbone", "heatmap_head"}
    alone = RunConfig.from_preset("ncstr-tiny", ["model.variant=vit_alone", "loss.heatmap=0"])
    assert learning(module(alone)) == {"backbone", "heatmap_head"}


def test_a_frozen_backbone_does_not_move(configure, tmp_path: Path) -> None:
    train(configure("training.max_steps=1"), tmp_path / "start", progress=False)
    overrides = ("training.backbone_lr_scale=0", "training.max_steps=2", f"model.weights={tmp_path}/start")
    train(configure(*overrides), tmp_path / "run", progress=False)
    before, after = weights(tmp_path / "start"), weights(tmp_path / "run")
    for name, value in after.items():
        image = name.startswith(("model.backbone", "model.heatmap_head"))
        assert torch.equal(value, before[name]) or not image, name  # its batch norms' statistics included
    assert not same(before, after)


def test_the_loss_is_the_weighted_sum_of_its_terms(configure) -> None:
    config = configure("loss.geometry=20", "loss.saturation=null", "loss.heatmap=1")
    skeleton = Skeleton.load(config.skeleton)
    data = ClipDataModule(config, skeleton)
    torch.manual_seed(0)
    built = PoseTraining(model_from_config(config.model, skeleton), config, data.ever_annotated)
    clip = next(iter(data.train_dataloader()))
    output = built.model.run(clip)
    parts = built.losses(output, clip)
    assert set(parts) == {"geometry", "visibility", "heatmap"}
    counted = clip.annotated & clip.in_crop
    difference = (output.nodes[..., :2] - clip.keypoints_norm).abs()
    huber = torch.where(difference < 0.02, difference**2 / 0.04, difference - 0.01).sum(-1)
    torch.testing.assert_close(parts["geometry"], 20 * huber[counted].sum() / counted.numel())
    scored = [row for row in range(17) if row not in (3, 4)]  # nobody's ears are annotated
    entropy = torch.nn.functional.binary_cross_entropy(output.nodes[..., 2], counted.float(), reduction="none")
    torch.testing.assert_close(parts["visibility"], entropy[:, scored].sum() / counted.numel())
