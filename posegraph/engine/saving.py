"""Saving a run as it goes: when, what a checkpoint says of its place in the run, and files that are whole or not there.

Lightning's ModelCheckpoint saves before the row of that step is logged, and saves a second time between the batches of
an accumulated step: neither could be gone on from bit by bit.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH
from pytorch_lightning.callbacks import Callback

from posegraph.engine.run_folder import BEST, PLACE, PREVIOUS, RESUME_LATER, Place
from posegraph.engine.run_logs import MetricsTable
from posegraph.files import full_disk_told, replacing
from posegraph.models.weights.own import CHECKPOINTS, LAST


class SaveRun(Callback):
    """``last.ckpt`` after every epoch, every few steps and at the end; ``best.ckpt`` at a new lowest ``val/loss``.

    It saves between two batches, when everything of the one is logged and nothing of the other has happened. Give it to
    the Trainer as the first callback: what others do at the start of a batch, an epoch or at the end is done again
    after a resume.

    Args:
        folder: The run's.
        every: Optimiser steps; 0: none within an epoch.
        place: Where the run begins.
        table: Its rows are counted.
    """

    def __init__(self, folder: Path, every: int, place: Place, table: MetricsTable) -> None:
        self.folder, self.every, self.table = folder / CHECKPOINTS, every, table
        self.place = place
        self._next_batch = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        loader = trainer.train_dataloader
        assert loader is not None
        # It begins with the first batch asked for, which is after this.
        loader.batch_sampler.start_at(self.place.batch)
        if self.place.batch == 0:
            # With max_steps, Lightning takes every restored epoch for one broken off, and miscounts its first step.
            trainer.fit_loop.epoch_loop.restarting = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._reached(trainer, trainer.current_epoch, 0)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._next_batch = batch_idx + 1
        between_steps = batch_idx > 0 and batch_idx % trainer.accumulate_grad_batches == 0
        if self.every and between_steps and trainer.global_step % self.every == 0:
            self._reached(trainer, trainer.current_epoch, batch_idx)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._next_batch < trainer.num_training_batches:  # max_steps ended it within an epoch
            self._reached(trainer, trainer.current_epoch - 1, self._next_batch)
        else:
            self._reached(trainer, trainer.current_epoch, 0)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[PLACE] = asdict(self.place)
        _come_to_rest(checkpoint["loops"]["fit_loop"], self.place)

    def _reached(self, trainer: lightning.Trainer, epoch: int, batch: int) -> None:
        if (epoch, batch) == (self.place.epoch, self.place.batch):
            return
        self.table.flush()
        self.place = replace(self.place, epoch=epoch, batch=batch, step=trainer.global_step, rows=self.table.rows)
        loss = float(trainer.callback_metrics.get("val/loss", float("inf")))
        if batch == 0 and loss < self.place.best:
            self.place = replace(self.place, best=loss)
            trainer.save_checkpoint(self.folder / BEST, weights_only=False)
        trainer.save_checkpoint(self.folder / LAST, weights_only=False)


def _come_to_rest(fit_loop: dict[str, Any], place: Place) -> None:
    """Count in Lightning's loops what is done, and nothing as begun but the epoch that is broken off."""
    begun = place.epoch + (place.batch > 0)
    done = {"processed": place.epoch, "completed": place.epoch}
    for count in fit_loop["epoch_progress"].values():
        count.update(ready=begun, started=begun, **done)
    batches = fit_loop["epoch_loop.batch_progress"]
    for name, completed in (("total", batches["total"]["completed"]), ("current", place.batch)):
        batches[name] = dict.fromkeys(batches[name], completed)
    batches["is_last_batch"] = False


class WholeFiles(TorchCheckpointIO):
    """Checkpoints under a temporary name, flushed and renamed; of ``last.ckpt`` the one before is kept.

    Args:
        last_is_good: The ``last.ckpt`` found there is what the run goes on from. A damaged one must not take the place
            of the good ``previous.ckpt``.
    """

    def __init__(self, last_is_good: bool) -> None:
        self.last_is_good = last_is_good

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        target = Path(path)
        kept = "the checkpoint before it is whole" if target.with_name(LAST).exists() else "none was saved before"
        with full_disk_told(target, f"{kept}: {RESUME_LATER}"), replacing(target) as temporary:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if target.name == LAST and self.last_is_good and target.exists():
                _keep(target)
        self.last_is_good |= target.name == LAST


def _keep(last: Path) -> None:
    """Let ``previous.ckpt`` be what ``last.ckpt`` is now, and ``last.ckpt`` stay where it is."""
    with replacing(last.with_name(PREVIOUS)) as temporary:
        temporary.unlink()
        try:
            os.link(last, temporary)
        except OSError:  # not every file system has hard links
            shutil.copyfile(last, temporary)
