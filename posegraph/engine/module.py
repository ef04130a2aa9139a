"""A pose model with the loss of spec section 7 and its optimiser, as Lightning trains it."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchmetrics import MeanMetric
from typing_extensions import Self

from posegraph import losses
from posegraph.config import RunConfig
from posegraph.engine.compilation import compile_faults, compile_stages
from posegraph.engine.freezing import freeze
from posegraph.engine.optimizer import logged_rates, parameter_groups
from posegraph.engine.schedule import rate_factor
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel, PoseOutput
from posegraph.models.weights.own import describe

WITHIN = 0.05
"""Closer than this to the truth, in normalised crop units, a point is right: ``val/within`` is the share of annotated
joints that are, and ``loss.visibility_target: correct`` asks for it."""


class PoseTraining(lightning.LightningModule):
    """A pose model with its loss and optimiser.

    Args:
        model: Any :class:`PoseModel`.
        config: The run.
        ever_annotated: ``[J]`` bool, joints that the data set annotates at least once (they carry ``L_vis``).
    """

    ever_annotated: Tensor
    flip_rows: Tensor

    def __init__(self, model: PoseModel, config: RunConfig, ever_annotated: Tensor) -> None:
        super().__init__()
        self.model, self.config = model, config
        self.register_buffer("ever_annotated", ever_annotated, persistent=False)
        self.register_buffer("flip_rows", torch.tensor(model.skeleton.flip_rows), persistent=False)
        # Where no other loss reaches it, the decoder has no gradient without one of its own.
        self.fixed = freeze(model, config.training, model.trains_decoder or config.loss.heatmap > 0)
        self.train()
        model.backbone.vit.set_grad_checkpointing(config.training.checkpoint_blocks)
        if config.training.compile:
            compile_stages(model)
        # Over all ranks' sums and counts. A loss that is NaN stays NaN; "disable" would also drop the weights.
        self.val_loss, self.val_within = (MeanMetric(nan_strategy=math.nan) for _ in range(2))

    def setup(self, stage: str) -> None:
        """Called by the Trainer. Raises :class:`PoseGraphError` where it has replaced 16-mixed, which CPUs lack."""
        wanted, given = self.config.training.precision, self.trainer.precision
        if stage == "fit" and given != wanted:
            raise PoseGraphError(f"training.precision: {wanted} needs a GPU, and there is none; use {given} or 32-true")

    def on_fit_start(self) -> None:
        self.model.backbone.fuse_attention(self.device.type != "cpu")

    def on_fit_end(self) -> None:
        self.model.backbone.fuse_attention(True)

    def forward(self, clip: ClipData) -> Tensor:
        """Nodes ``[B, J, 3]``."""
        nodes: Tensor = self.model(clip)
        return nodes

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; what is fixed stays in evaluation mode."""
        super().train(mode)
        for module in self.fixed:
            module.eval()
        return self

    def on_train_batch_start(self, batch: ClipData, batch_idx: int) -> None:
        # What a batch draws (dropped paths) follows from its place in the run, not from where the run was resumed.
        place = (self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def training_step(self, clip: ClipData, _: int) -> Tensor:
        # On a CPU the backward pass of PyTorch's fused attention is slower than that of its plain products.
        plain = sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()
        with plain:
            output = self.run(clip)
        parts = self.losses(output, clip)
        total = torch.stack(list(parts.values())).sum()
        for name, value in {**parts, "loss": total}.items():
            self.log(f"train/{name}", value.detach(), prog_bar=name == "loss", batch_size=clip.annotated.size(0))
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.log_dict(logged_rates(optimizer.param_groups))
        return total

    def validation_step(self, clip: ClipData, _: int) -> None:
        output = self.run(clip)
        total = torch.stack(list(self.losses(output, clip).values())).sum()
        # Weighted by what they count, so that the figures do not depend on how clips are dealt to batches and ranks.
        clips = clip.counted.sum()
        self.val_loss.update(total * clip.counted.size(0) / clips.clamp_min(1), clips)
        self.log("val/loss", self.val_loss)
        counted = _counted_joints(clip)
        joints = counted.sum()
        distance = (output.nodes[..., :2] - clip.keypoints_norm).norm(dim=-1)
        self.val_within.update(((distance < WITHIN) & counted).sum() / joints.clamp_min(1), joints)
        self.log("val/within", self.val_within, prog_bar=True)

    def run(self, clip: ClipData) -> PoseOutput:
        """The model on a batch of clips. Raises :class:`PoseGraphError` where ``training.compile`` cannot work."""
        with compile_faults() if self.config.training.compile else nullcontext():
            return self.model.run(clip)

    def losses(self, output: PoseOutput, clip: ClipData) -> dict[str, Tensor]:
        """Weighted terms of the loss, each a scalar. A clip that does not count adds nothing."""
        settings = self.config.loss
        counted = _counted_joints(clip)
        parts: dict[str, Tensor] = {}
        if output.nodes_learn:
            points, visibility = output.nodes[..., :2], output.nodes[..., 2]
            right = (points.detach() - clip.keypoints_norm).norm(dim=-1) < WITHIN
            target = losses.visibility_target(
                clip.annotated, clip.visibility, clip.in_crop, settings.visibility_target, right
            )
            scored = self.ever_annotated & clip.counted.unsqueeze(-1)
            parts["geometry"] = settings.geometry * losses.geometry_loss(
                points, clip.keypoints_norm, counted, settings.huber_beta, settings.saturation
            )
            parts["visibility"] = settings.visibility * losses.visibility_loss(visibility, target, scored)
        if (found := output.regression) is not None:
            parts["regression"] = settings.regression * losses.regression_loss(
                found.points, found.spread, clip.keypoints_norm, counted, found.log_density
            )
        if output.refined is not None:
            parts["refined"] = (settings.heatmap or 1.0) * self._heatmap_loss(output.refined, clip)
        # What has no other loss learns from its heatmaps.
        weight = settings.heatmap or (0.0 if parts else 1.0)
        if weight and output.heatmaps.size(1):
            parts["heatmap"] = weight * self._heatmap_loss(output.heatmaps, clip)
        return parts

    def _heatmap_loss(self, heatmaps: Tensor, clip: ClipData) -> Tensor:
        settings = self.config.loss
        return losses.heatmap_loss(
            heatmaps,
            clip.keypoints_norm,
            _counted_joints(clip),
            settings.heatmap_sigma,
            settings.heatmap_foreground,
            absent=clip.annotated & ~clip.in_crop & clip.counted.unsqueeze(-1),
            peaks=torch.where(clip.visibility == 0, settings.heatmap_occluded, 1.0),
            flip_rows=self.flip_rows,
            sides=settings.heatmap_sides * self._left_of_the_run(),
        )

    def _left_of_the_run(self) -> float:
        """Falls from 1 to 0 along the steps of training; 0 in validation."""
        if not self.training or self.config.loss.heatmap_sides == 0:
            return 0.0
        return max(0.0, 1 - self.global_step / float(self.trainer.estimated_stepping_batches))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        settings = self.config.training
        optimizer = torch.optim.AdamW(parameter_groups(self.model, settings))
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, total, settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.update(describe(self.config, self.model.skeleton))


def _counted_joints(clip: ClipData) -> Tensor:
    """``[B, J]`` bool: joints with a position to be compared with, of clips that count."""
    return clip.annotated & clip.in_crop & clip.counted.unsqueeze(-1)
