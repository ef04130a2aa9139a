"""What of a model a run keeps as it is."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from posegraph.config import TrainingConfig
from posegraph.models.base import PoseModel


def freeze(model: PoseModel, settings: TrainingConfig, decoder_learns: bool) -> list[nn.Module]:
    """Switch off the gradients of what stays fixed, so that no graph is built for it and no optimiser sees it.

    That is backbone and decoder with ``backbone_lr_scale`` 0; the decoder unless ``decoder_learns``, and then it passes
    no gradient on to the backbone; and with ``freeze_blocks`` the patch embedding, the position table and that many
    first blocks.

    Returns:
        The fixed modules. They belong in evaluation mode: batch norms keep their statistics, and no path is dropped.
    """
    fixed: list[nn.Module] = []
    if settings.backbone_lr_scale == 0:
        fixed += [model.backbone, model.heatmap_head]
    elif not decoder_learns:
        fixed.append(model.heatmap_head)
        model.heatmap_head.register_forward_pre_hook(_detached)
    if settings.freeze_blocks:
        vit = model.backbone.vit
        fixed += [vit.patch_embed, *vit.blocks[: settings.freeze_blocks]]
        assert vit.pos_embed is not None  # for mypy: timm can do without
        vit.pos_embed.requires_grad_(False)
    for module in fixed:
        module.requires_grad_(False)
    return fixed


def _detached(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    return tuple(tensor.detach() for tensor in inputs)
