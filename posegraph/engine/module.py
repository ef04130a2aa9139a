"""A pose model with the loss of spec section 7 and its optimiser, as Lightning trains it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from posegraph import losses
from posegraph.config import RunConfig
from posegraph.engine.checkpoint import describe
from posegraph.engine.optimizer import parameter_groups
from posegraph.engine.schedule import rate_factor
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel, PoseOutput

WITHIN = 0.05
"""``val/within``: share of annotated joints closer than this to the truth, in normalised crop units."""


class PoseTraining(lightning.LightningModule):
    """A pose model with its loss and optimiser.

    Args:
        model: Any :class:`PoseModel`.
        config: The run.
        ever_annotated: ``[J]`` bool, joints that the data set annotates at least once (they carry ``L_vis``).
    """

    ever_annotated: Tensor

    def __init__(self, model: PoseModel, config: RunConfig, ever_annotated: Tensor) -> None:
        super().__init__()
        self.model, self.config = model, config
        self.register_buffer("ever_annotated", ever_annotated, persistent=False)
        vit_alone = config.model.variant == "vit_alone"
        # ViT alone has nothing but its heatmaps to learn from.
        self.heatmap_weight = config.loss.heatmap or (1.0 if vit_alone else 0.0)
        self.frozen = [model.backbone, model.heatmap_head] if config.training.backbone_lr_scale == 0 else []
        if not self.heatmap_weight:
            # Its heatmaps reach the head detached: without a loss of their own the decoder has no gradient.
            self.frozen.append(model.heatmap_head)
        for module in self.frozen:
            module.requires_grad_(False)

    def forward(self, clip: ClipData) -> Tensor:
        """Nodes ``[B, J, 3]``."""
        nodes: Tensor = self.model(clip)
        return nodes

    def on_train_epoch_start(self) -> None:
        for module in self.frozen:
            module.eval()

    def training_step(self, clip: ClipData, _: int) -> Tensor:
        parts = self.losses(self.model.run(clip), clip)
        total = torch.stack(list(parts.values())).sum()
        for name, value in {**parts, "loss": total}.items():
            self.log(f"train/{name}", value.detach(), prog_bar=name == "loss", batch_size=clip.frames.size(0))
        return total

    def validation_step(self, clip: ClipData, _: int) -> None:
        output = self.model.run(clip)
        parts = self.losses(output, clip)
        size = clip.frames.size(0)
        self.log("val/loss", torch.stack(list(parts.values())).sum(), batch_size=size, sync_dist=True)
        counted = clip.annotated & clip.in_crop
        distance = (output.nodes[..., :2] - clip.keypoints_norm).norm(dim=-1)
        within = ((distance < WITHIN) & counted).sum() / counted.sum().clamp_min(1)
        self.log("val/within", within, prog_bar=True, batch_size=size, sync_dist=True)

    def losses(self, output: PoseOutput, clip: ClipData) -> dict[str, Tensor]:
        """Weighted terms of the loss, each a scalar."""
        settings = self.config.loss
        counted = clip.annotated & clip.in_crop
        parts: dict[str, Tensor] = {}
        if self.config.model.variant != "vit_alone":
            target = losses.visibility_target(clip.annotated, clip.visibility, clip.in_crop, settings.visibility_target)
            points, visibility = output.nodes[..., :2], output.nodes[..., 2]
            parts["geometry"] = settings.geometry * losses.geometry_loss(
                points, clip.keypoints_norm, counted, settings.huber_beta, settings.saturation
            )
            parts["visibility"] = settings.visibility * losses.visibility_loss(visibility, target, self.ever_annotated)
        if self.heatmap_weight:
            parts["heatmap"] = self.heatmap_weight * losses.heatmap_loss(
                output.heatmaps,
                clip.keypoints_norm,
                counted,
                settings.heatmap_sigma,
                settings.heatmap_foreground,
            )
        return parts

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        settings = self.config.training
        optimizer = torch.optim.AdamW(parameter_groups(self.model, settings))
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, total, settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.update(describe(self.config, self.model.skeleton))
