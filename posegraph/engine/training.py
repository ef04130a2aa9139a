"""Training: the loss of spec section 7 inside Lightning's Trainer, and the folder that a run leaves behind."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from posegraph import losses
from posegraph.config import RunConfig, commented_yaml
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.checkpoint import CHECKPOINTS, LAST, describe, start_from
from posegraph.engine.schedule import rate_factor
from posegraph.environment import describe_environment
from posegraph.errors import PoseGraphError
from posegraph.files import write_json, write_text
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel, PoseOutput
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

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
        image = settings.lr * settings.backbone_lr_scale
        groups = [
            *_decay_groups(self.model.image_parameters(), image, settings.weight_decay),
            *_decay_groups(self.model.graph_parameters(), settings.lr, settings.weight_decay),
        ]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, total, settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.update(describe(self.config, self.model.skeleton))


def _decay_groups(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    # Vectors are norms, biases and temperatures: pulling them to zero serves nothing.
    return [
        {"params": [p for p in learning if p.ndim > 1], "lr": lr, "weight_decay": weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "lr": lr, "weight_decay": 0.0},
    ]


@dataclass(frozen=True)
class TrainingResult:
    """What a training run says at its end.

    Fields:
        out: The run's folder.
        steps: Optimiser steps taken in all, those before a resume included.
        metrics: Last logged value of every figure.
        skipped: People left out of the data, reason -> count.
        fresh_weights: Parameters that ``model.weights`` did not hold.
    """

    out: Path
    steps: int
    metrics: dict[str, float]
    skipped: dict[str, int]
    fresh_weights: list[str]


def train(config: RunConfig, out: str | Path, resume: bool = False, progress: bool = True) -> TrainingResult:
    """Train, and leave in ``out``: config.yaml, skeleton.yaml, environment.json, checkpoints/, logs/.

    Args:
        config: The run.
        out: Its folder; must not hold a run already, unless ``resume``.
        resume: Go on from ``checkpoints/last.ckpt``. Logs go on in a new ``version_N``; older ones stay.
        progress: Show a live bar.

    Raises:
        PoseGraphError: faulty data, a folder that already holds a run, nothing to resume from, weights that do not fit.
    """
    folder = Path(out)
    last = folder / CHECKPOINTS / LAST
    if resume and not last.is_file():
        raise PoseGraphError(
            f"{folder}: no {CHECKPOINTS}/{LAST} to resume from; train without --resume, or check --out"
        )
    if not resume and last.exists():
        raise PoseGraphError(f"{folder}: already holds a trained run; give --resume to go on with it, or another --out")
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    skeleton = Skeleton.load(config.skeleton)
    data = ClipDataModule(config, skeleton)
    model = model_from_config(config.model, skeleton)
    fresh = start_from(model, config.model.weights) if config.model.weights and not resume else []
    module = PoseTraining(model, config, data.ever_annotated)
    data.check_images()
    if not resume:
        _describe_run(config, skeleton, folder)
    try:
        trainer = _trainer(config, folder, progress, validates=data.val_tracks is not None)
    except MisconfigurationException as error:
        raise PoseGraphError(f"training: {error}; change training.accelerator, devices or precision") from error
    with warnings.catch_warnings():
        # Advice about worker counts and logging intervals; both are the user's choice in the configuration.
        warnings.filterwarnings("ignore", category=PossibleUserWarning)
        trainer.fit(module, datamodule=data, ckpt_path=last if resume else None, weights_only=True if resume else None)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    return TrainingResult(folder, trainer.global_step, metrics, dict(data.skipped), fresh)


def _describe_run(config: RunConfig, skeleton: Skeleton, folder: Path) -> None:
    write_text(folder / "skeleton.yaml", skeleton.to_yaml())
    write_json(folder / "environment.json", describe_environment())
    write_text(folder / "config.yaml", commented_yaml(config, model_values=True))


def _trainer(config: RunConfig, folder: Path, progress: bool, validates: bool) -> lightning.Trainer:
    settings = config.training
    callbacks: list[Callback] = [
        ModelCheckpoint(folder / CHECKPOINTS, "last", save_top_k=1, every_n_epochs=1, enable_version_counter=False),
        LearningRateMonitor("step"),
    ]
    if validates:
        callbacks.append(
            ModelCheckpoint(folder / CHECKPOINTS, "best", monitor="val/loss", enable_version_counter=False)
        )
    if progress:
        # stdout is for results.
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    table = CSVLogger(folder, "logs")
    return lightning.Trainer(
        max_epochs=settings.epochs,
        max_steps=settings.max_steps,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_gradient or None,
        precision=settings.precision,
        accelerator=settings.accelerator,
        devices=settings.devices,
        log_every_n_steps=settings.log_every,
        callbacks=callbacks,
        logger=[table, TensorBoardLogger(folder, "logs", version=table.version)],
        default_root_dir=folder,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if validates else 0,
        # The sampler already gives every rank its share.
        use_distributed_sampler=False,
    )
