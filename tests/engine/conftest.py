"""One small synthetic set and one short run, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posegraph.config import RunConfig
from posegraph.data.synthetic import generate
from posegraph.engine.training import train

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
