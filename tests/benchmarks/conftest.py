"""Benchmarks are scripts: tests get one as a module by its file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.models.base import PoseModel
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = [
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.stem=conv", "model.patch_size=8", "model.attention_heads=4",
]  # fmt: skip


@pytest.fixture(scope="session")
def benchmark() -> Callable[[str], ModuleType]:
    """``benchmark("NAME")`` is ``benchmarks/NAME.py``, imported."""

    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))  # a script finds its neighbours

    def imported(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"benchmarks.{name}", BENCHMARKS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look there for the types of their fields
        spec.loader.exec_module(module)
        return module

    return imported


@pytest.fixture(scope="session")
def tiny_model() -> PoseModel:
    """A model whose heatmaps have peaks and whose head has a say, with random weights."""
    config = RunConfig.from_preset("ncstr-tiny", TINY)
    torch.manual_seed(0)
    model = model_from_config(config.model, Skeleton.load(config.skeleton))
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    for parameter in model.graph_parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()
