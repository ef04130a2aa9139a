"""A run that is stopped or killed, and gone on with, is the run that was not: bit by bit, logs included."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import runpy
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from posegraph.config import RunConfig, commented_yaml
from posegraph.engine.module import PoseTraining
from posegraph.engine.training import train

EVERYTHING = [
    "training.max_steps=-1", "training.epochs=2", "training.accumulate=2", "training.checkpoint_every=1",
    "training.ema=0.9", "model.depth=2", "model.drop_path=0.5", "training.schedule=cosine", "training.warmup_steps=2",
    "data.workers=2",
]  # fmt: skip
"""Six batches and three steps an epoch: checkpoints within the epoch, an average, random depth, loader processes."""

OTHERS = {
    "stopped by max_steps": ["training.max_steps=7", "training.epochs=9", "training.checkpoint_every=2"],
    "no checkpoint within an epoch": ["training.max_steps=-1", "training.epochs=2", "training.ema=0.9"],
    "an odd last batch": ["training.max_steps=-1", "training.epochs=2", "training.accumulate=4",
                          "training.checkpoint_every=1"],
    "groups of frames": ["training.max_steps=-1", "training.epochs=2", "training.checkpoint_every=1",
                         "data.group_frames=2", "data.mixed_groups=2", "data.workers=2"],
    "frozen parts in bfloat16": ["training.max_steps=-1", "training.epochs=2", "training.checkpoint_every=2",
                                 "training.ema=0.9", "training.backbone_lr_scale=0", "training.precision=bf16-mixed"],
}  # fmt: skip


class Stopped(BaseException):
    pass


@pytest.fixture(scope="module")
def everything(configure: Callable[..., RunConfig], synthetic: Path) -> RunConfig:
    return configure(*EVERYTHING, f"data.val={synthetic}/annotations/val")


@pytest.fixture(scope="module")
def unbroken(everything: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    assert train(everything, out, progress=False).steps == 6
    return out


def train_with_stops(config: RunConfig, out: Path, *stops: int) -> None:
    """Train in several attempts: each is stopped after so many batches, the last is not."""
    for attempt, batches in enumerate(stops):
        count = itertools.count(1)

        def on_train_batch_end(*_: Any, count: Iterator[int] = count, batches: int = batches) -> None:
            if next(count) == batches:
                raise Stopped

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PoseTraining, "on_train_batch_end", on_train_batch_end)
            with pytest.raises(Stopped):
                train(config, out, resume=attempt > 0, progress=False)
    train(config, out, resume=True, progress=False)


def test_everything_is_gone_on_with(
    everything: RunConfig, unbroken: Path, differences: Callable[..., list[str]], tmp_path: Path
) -> None:
    train_with_stops(everything, tmp_path / "run", 5, 4)
    assert differences(tmp_path / "run", unbroken) == []
    assert scalars(tmp_path / "run") == scalars(unbroken)


@pytest.mark.parametrize("kind", list(OTHERS))
def test_other_runs_are_gone_on_with(
    configure: Callable[..., RunConfig],
    synthetic: Path,
    differences: Callable[..., list[str]],
    tmp_path: Path,
    kind: str,
) -> None:
    config = configure(*OTHERS[kind], f"data.val={synthetic}/annotations/val")
    train(config, tmp_path / "whole", progress=False)
    train_with_stops(config, tmp_path / "run", 5, 2)
    assert differences(tmp_path / "run", tmp_path / "whole") == []


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows."""
    events = EventAccumulator(str(run / "logs"), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


CHILD = """
import multiprocessing, os, signal
from pathlib import Path
import torch
from posegraph.config import RunConfig
from posegraph.engine.training import train

def cut_short(number, real=torch.save, count=[0]):
    def save(content, file):
        count[0] += 1
        if count[0] == number:
            file.write(b"half of a checkpoint")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        real(content, file)
    return save

# Loader processes of their own parent, as in any other training: they end when it is killed.
multiprocessing.set_start_method("fork", force=True)
torch.set_num_threads(1)
if kill_in_save:
    torch.save = cut_short(kill_in_save)
train(RunConfig.from_file(config), out, resume=(Path(out) / "config.yaml").exists(), progress=False)
"""
"""Trains, and goes on where there is something to go on with; kills itself in the middle of the given save."""


@pytest.fixture(scope="module")
def child(everything: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Start a training in a process of its own."""
    folder = tmp_path_factory.mktemp("child")
    (folder / "child.py").write_text(CHILD)
    (folder / "config.yaml").write_text(commented_yaml(everything, model_values=True))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["posegraph.engine.training"])

    def child(out: Path, kill_in_save: int = 0) -> multiprocessing.process.BaseProcess:
        values = {"config": str(folder / "config.yaml"), "out": str(out), "kill_in_save": kill_in_save}
        process = context.Process(target=runpy.run_path, args=(str(folder / "child.py"), values))
        process.start()
        return process

    return child


def test_kill_9_at_random_moments(
    child: Callable[..., Any], unbroken: Path, differences: Callable[..., list[str]], tmp_path: Path
) -> None:
    begun = time.monotonic()
    child(tmp_path / "first").join()
    seconds, seed = time.monotonic() - begun, random.randrange(2**32)
    assert differences(tmp_path / "first", unbroken) == []
    rng = random.Random(seed)
    moments = [rng.uniform(0, 0.8 * seconds) for _ in range(3)]
    print(f"seed {seed}: killed after {moments} s of {seconds:.1f}")
    for moment in moments:
        process = child(tmp_path / "run")
        process.join(moment)
        process.kill()
        process.join()
    child(tmp_path / "run").join()
    assert differences(tmp_path / "run", unbroken) == []
    assert scalars(tmp_path / "run") == scalars(unbroken)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_kill_9_within_a_save(
    child: Callable[..., Any], unbroken: Path, differences: Callable[..., list[str]], tmp_path: Path, number: int
) -> None:
    """Within the first save of all; that of the best (the third); that of the last, when the best is there."""
    run = tmp_path / "run"
    process = child(run, kill_in_save=number)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = {path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")}
    assert len(left) == 1, "half a file, under its temporary name"
    train(RunConfig.from_file(run / "config.yaml"), run, resume=True, progress=False)
    assert differences(run, unbroken) == []
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
