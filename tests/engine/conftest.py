"""One small synthetic set and one short run, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.synthetic import generate
from posegraph.engine.module import PoseTraining
from posegraph.engine.training import train
from posegraph.graph import ClipData
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

TINY = [
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.stem=conv", "model.patch_size=8", "model.attention_heads=4",
    "training.batch_size=4", "training.lr=1e-3", "training.log_every=1", "training.accelerator=cpu",
    "training.warmup_steps=0", "training.schedule=milestones", "training.milestones=[]", "training.max_steps=4",
]  # fmt: skip
Configure = Callable[..., RunConfig]


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos to train on and one to validate on, 6 frames each."""
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=3, frames=6, people=2, size=(160, 120), val_fraction=0.34, workers=1)
    return out


@pytest.fixture(scope="session")
def configure(synthetic: Path) -> Configure:
    """A tiny run of 4 steps on the synthetic set, with overrides."""

    def configure(*overrides: str) -> RunConfig:
        data = f"data.train={synthetic}/annotations/train"
        return RunConfig.from_preset("ncstr-tiny", [*TINY, data, *overrides])

    return configure


@pytest.fixture(scope="session")
def clips(configure: Configure) -> ClipData:
    """Four training clips and their targets."""
    config = configure()
    return next(iter(ClipDataModule(config, Skeleton.load(config.skeleton)).train_dataloader()))


@pytest.fixture(scope="session")
def untrained(configure: Configure) -> Callable[..., PoseTraining]:
    """The tiny run's module with overrides, always from the same weights."""

    def untrained(*overrides: str) -> PoseTraining:
        config = configure(*overrides)
        torch.manual_seed(0)
        model = model_from_config(config.model, Skeleton.load(config.skeleton))
        # An untrained decoder's heatmaps are near zero, and an untrained expert hands nothing back to the graph.
        torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
        for parameter in model.graph_parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        return PoseTraining(model, config, torch.ones(17, dtype=torch.bool))

    return untrained


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., lightning.Trainer]:
    """Train a module as its configuration says, by a Trainer that leaves nothing behind."""

    def fit(
        module: PoseTraining, data: lightning.LightningDataModule | None = None, *callbacks: lightning.Callback
    ) -> lightning.Trainer:
        config, settings = module.config, module.config.training
        trainer = lightning.Trainer(
            max_steps=settings.max_steps,
            max_epochs=settings.epochs,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=settings.clip_gradient,
            precision=settings.precision,
            accelerator="cpu",
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(module, datamodule=data or ClipDataModule(config, Skeleton.load(config.skeleton)))
        return trainer

    return fit


@pytest.fixture(scope="session")
def trained(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder; nobody writes into it."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    train(configure(), out, progress=False)
    return out


@pytest.fixture
def edited(synthetic: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], Path]:
    """A copy of the validation video's annotation, changed by a function; its images stay where they are."""

    def edited(change: Callable[[dict[str, Any]], Any]) -> Path:
        source = next((synthetic / "annotations/val").glob("*.json"))
        content = json.loads(source.read_text())
        content = change(content) or content
        path = tmp_path / source.name
        path.write_text(json.dumps(content))
        return path

    return edited


@pytest.fixture(scope="session")
def differences() -> Callable[[Path, Path], list[str]]:
    """Compare two runs bit by bit: everything in their last and best checkpoints, and their logs."""

    def differences(one: Path, other: Path) -> list[str]:
        found = []
        for name in ("last.ckpt", "best.ckpt"):
            ours, theirs = (_leaves(torch.load(run / "checkpoints" / name, weights_only=True)) for run in (one, other))
            found += [
                f"{name}{key}" for key in ours.keys() | theirs.keys() if not _same(ours.get(key), theirs.get(key))
            ]
        if (one / "logs/metrics.csv").read_bytes() != (other / "logs/metrics.csv").read_bytes():
            found.append("metrics.csv")
        return found

    return differences


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: leaf for key, item in items for name, leaf in _leaves(item, f"{path}/{key}").items()}
    return {path: value}


def _same(one: Any, other: Any) -> bool:
    return (
        torch.equal(one, other) if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) else one == other
    )
