"""Which parameter learns at which rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

from posegraph.config import TrainingConfig
from posegraph.encoders.vit import ViTBackbone
from posegraph.models.base import PoseModel

_NO_DECAY = "_no_decay"
LOGGED = ("patches", "backbone", "decoder", "graph")
"""Groups whose rate is logged. With layer-wise decay the blocks' rates lie between the first two."""


def parameter_groups(model: PoseModel, settings: TrainingConfig) -> list[dict[str, Any]]:
    """AdamW's groups, each with a ``name``; parameters without gradient are left out.

    The graph head learns at ``lr``, backbone and decoder at ``lr * backbone_lr_scale``. With ``layer_decay`` below 1 a
    layer of the backbone learns at that times the rate of the layer above it, as ViTPose is trained (its
    ``LayerDecayOptimizerConstructor``): the final norm at the full rate, the last block one factor below, and so on
    down to the patch embedding with the position table.

    Norms, biases, and tables of positions, frames and joints have no weight decay: their groups end in ``_no_decay``.
    """
    tables = _tables(model)
    image_lr = settings.lr * settings.backbone_lr_scale
    parts = [
        *_backbone_parts(model.backbone, image_lr, settings.layer_decay),
        ("decoder", image_lr, list(model.heatmap_head.parameters())),
        ("graph", settings.lr, list(model.graph_parameters())),
    ]
    groups = []
    for name, lr, parameters in parts:
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        # Vectors are norms, biases and temperatures: pulling them to zero serves nothing.
        plain = [p for p in learning if p.ndim <= 1 or id(p) in tables]
        decayed = [p for p in learning if p.ndim > 1 and id(p) not in tables]
        groups.append({"name": name, "params": decayed, "lr": lr, "weight_decay": settings.weight_decay})
        groups.append({"name": name + _NO_DECAY, "params": plain, "lr": lr, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def logged_rates(groups: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The learning rates worth a line in the logs, ``lr/graph`` and so on, of the groups' present state."""
    rates = {str(group["name"]).removesuffix(_NO_DECAY): float(group["lr"]) for group in groups}
    return {f"lr/{name}": rate for name, rate in rates.items() if name in LOGGED}


def _backbone_parts(
    backbone: ViTBackbone, lr: float, layer_decay: float
) -> Iterator[tuple[str, float, list[nn.Parameter]]]:
    if layer_decay == 1:
        yield "backbone", lr, list(backbone.parameters())
        return
    vit, depth = backbone.vit, len(backbone.vit.blocks)
    patches = [vit.pos_embed, *vit.patch_embed.parameters()]
    yield "patches", lr * layer_decay ** (depth + 1), patches
    for number, block in enumerate(vit.blocks):
        yield f"block_{number:02}", lr * layer_decay ** (depth - number), list(block.parameters())
    below = {id(parameter) for parameter in (*patches, *vit.blocks.parameters())}
    yield "backbone", lr, [parameter for parameter in backbone.parameters() if id(parameter) not in below]


def _tables(model: PoseModel) -> set[int]:
    """Parameters, by identity, that are looked up and not multiplied."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    named = model.named_parameters()
    return tables | {id(parameter) for name, parameter in named if name.endswith(("pos_embed", "time_embedding"))}
