"""A model small enough to be run again and again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from posegraph.models.base import PoseModel
from posegraph.models.build import build_model

SMALL = {
    "input_hw": (64, 48), "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "attention_heads": 4,
    "stem": "patch", "deconv_channels": (8, 8),
}  # fmt: skip


@pytest.fixture
def small() -> Callable[..., PoseModel]:
    """A small model of a variant, with random weights in every layer."""

    def small(variant: str = "full") -> PoseModel:
        torch.manual_seed(0)
        model = build_model("ncstr-tiny", "posetrack17", variant, **SMALL).eval()
        torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
        for parameter in model.graph_parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        return model

    return small
