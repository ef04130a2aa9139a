"""Which parameter learns at which rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from posegraph.config import TrainingConfig
from posegraph.models.base import PoseModel


def parameter_groups(model: PoseModel, settings: TrainingConfig) -> list[dict[str, Any]]:
    """AdamW's groups: backbone and decoder at ``lr * backbone_lr_scale``, the rest at ``lr``; frozen ones left out."""
    groups = [
        *_decay_groups(model.image_parameters(), settings.lr * settings.backbone_lr_scale, settings.weight_decay),
        *_decay_groups(model.graph_parameters(), settings.lr, settings.weight_decay),
    ]
    return [group for group in groups if group["params"]]


def _decay_groups(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    # Vectors are norms, biases and temperatures: pulling them to zero serves nothing.
    return [
        {"params": [p for p in learning if p.ndim > 1], "lr": lr, "weight_decay": weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "lr": lr, "weight_decay": 0.0},
    ]
