"""A training run: Lightning's Trainer, and the folder that it leaves behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as lightning
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.rank_zero import rank_zero_only
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Callback, RichProgressBar, WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn

from posegraph.config import RunConfig, commented_yaml
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.checkpoint import with_recorded_decoder
from posegraph.engine.distributed import cluster_plugins, on_gpu, trainer_devices
from posegraph.engine.features import train_from_features
from posegraph.engine.module import PoseTraining
from posegraph.engine.ranks import broken_connection_told, together
from posegraph.engine.recovery import Start, find_start, fresh_start
from posegraph.engine.run_folder import CONFIG, ENVIRONMENT, RESUME_LATER, SKELETON, remove_leftovers
from posegraph.engine.run_logs import EventFiles, MetricsTable
from posegraph.engine.saving import SaveRun, WholeFiles
from posegraph.engine.sharding import ShardedPoseTraining
from posegraph.environment import describe_environment
from posegraph.errors import PoseGraphError
from posegraph.files import full_disk_told, write_json, write_text
from posegraph.models.build import model_from_config, started_model
from posegraph.models.weights import WeightsReport
from posegraph.models.weights.own import LAST
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class TrainingResult:
    """What a training run says at its end.

    Fields:
        out: The run's folder.
        steps: Optimiser steps taken in all, those before a resume included.
        metrics: Last logged value of every figure.
        skipped: People left out of the data, reason -> count.
        weights: What became of ``model.weights``; None: there were none, or the run was resumed.
    """

    out: Path
    steps: int
    metrics: dict[str, float]
    skipped: dict[str, int]
    weights: WeightsReport | None


def train(
    config: RunConfig,
    out: str | Path,
    resume: bool = False,
    progress: bool = True,
    *,
    checkpoint: str | Path | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train, and leave in ``out``: config.yaml, skeleton.yaml, environment.json, checkpoints/, logs/.

    Args:
        config: The run.
        out: Its folder; must not hold a run already, unless ``resume``.
        resume: Go on where the last checkpoint was saved: the run ends as if it had never stopped, bit by bit, logs
            included. A run that has no checkpoint yet starts from its beginning.
        progress: Show a live bar.
        checkpoint: With ``resume``: go on from this checkpoint of the run instead.
        on_notice: Called with what the user should know before the run begins.

    Raises:
        PoseGraphError: faulty data, a folder that already holds a run, nothing to resume from, a damaged checkpoint or
            one of another run, weights that do not fit, a full disk, devices that are not there.
    """
    on_notice = None if on_notice is None else rank_zero_only(on_notice)
    with together(on_gpu(config.training)):
        folder, skeleton = Path(out), Skeleton.load(config.skeleton)
        if resume:
            config = with_recorded_decoder(config, folder / CONFIG)
        start = _start(config, skeleton, folder, resume, checkpoint)
        lightning.seed_everything(config.seed, workers=True, verbose=False)
        data = ClipDataModule(config, skeleton)
        model = (started_model if start.checkpoint is None else model_from_config)(config.model, skeleton)
        report = model.weights_report
        config = config.model_copy(update={"model": model.config})
        training = ShardedPoseTraining if config.training.strategy == "fsdp2" else PoseTraining
        module = training(model, config, data.ever_annotated)
        data.check_images()
        if config.data.features is not None:
            train_from_features(data, model, start.checkpoint, on_notice, progress)
        _describe_run(config, skeleton, folder)
        if on_notice is not None:
            for line in (*start.notices, *([] if report is None else [str(report)])):
                on_notice(line)
        table = MetricsTable(folder, start.place.rows)
        try:
            trainer = _trainer(config, folder, progress, start, table, validates=data.val_tracks is not None)
        except MisconfigurationException as error:
            raise PoseGraphError(f"training: {error}; change training.accelerator, devices or precision") from error
    with warnings.catch_warnings(), full_disk_told(folder, RESUME_LATER), broken_connection_told():
        # Advice about worker counts and logging intervals; both are the user's choice in the configuration.
        warnings.filterwarnings("ignore", category=PossibleUserWarning)
        trainer.fit(module, datamodule=data, ckpt_path=start.checkpoint, weights_only=True)
    metrics = table.last_values() | {name: float(value) for name, value in trainer.callback_metrics.items()}
    return TrainingResult(folder, trainer.global_step, metrics, dict(data.skipped), report)


def _start(config: RunConfig, skeleton: Skeleton, folder: Path, resume: bool, checkpoint: str | Path | None) -> Start:
    if resume:
        return find_start(folder, config, skeleton, None if checkpoint is None else Path(checkpoint))
    if checkpoint is not None:
        raise PoseGraphError(f"{checkpoint}: only a resumed run goes on from a checkpoint; give --resume too")
    return fresh_start(folder)


@rank_zero_only
def _describe_run(config: RunConfig, skeleton: Skeleton, folder: Path) -> None:
    remove_leftovers(folder)
    # First: with it, a run that is killed from here on can be resumed.
    write_text(folder / CONFIG, commented_yaml(config, model_values=True))
    write_text(folder / SKELETON, skeleton.to_yaml())
    write_json(folder / ENVIRONMENT, describe_environment())


def _trainer(
    config: RunConfig, folder: Path, progress: bool, start: Start, table: MetricsTable, validates: bool
) -> lightning.Trainer:
    settings = config.training
    callbacks: list[Callback] = [SaveRun(folder, settings.checkpoint_every, start.place, table)]
    if settings.ema is not None:
        # Buffers too: the running statistics of batch norms are averaged like the weights. Not EMAWeightAveraging: its
        # decay * a + (1 - decay) * a is not a, and buffers that no checkpoint holds would drift until a resume.
        average = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
        callbacks.append(WeightAveraging(multi_avg_fn=average))
    if progress:
        # stdout is for results.
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    return lightning.Trainer(
        max_epochs=settings.epochs,
        max_steps=settings.max_steps,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_gradient or None,
        precision=settings.precision,
        accelerator=settings.accelerator,
        **trainer_devices(settings),
        log_every_n_steps=settings.log_every,
        callbacks=callbacks,
        plugins=[
            WholeFiles(last_is_good=start.checkpoint is not None and start.checkpoint.name == LAST),
            *cluster_plugins(),
        ],
        logger=[table, EventFiles(folder, start.place.step)],
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if validates else 0,
        # The sampler already gives every rank its share.
        use_distributed_sampler=False,
    )
