"""A training run: Lightning's Trainer, and the folder that it leaves behind."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as lightning
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from posegraph.config import RunConfig, commented_yaml
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.checkpoint import CHECKPOINTS, LAST, start_from
from posegraph.engine.module import PoseTraining
from posegraph.environment import describe_environment
from posegraph.errors import PoseGraphError
from posegraph.files import write_json, write_text
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton


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
