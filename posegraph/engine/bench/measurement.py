"""``posegraph bench``: what a model costs, counted and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from posegraph.config import RunConfig, preset_names
from posegraph.engine import checkpoint
from posegraph.engine.bench.flops import Work
from posegraph.engine.bench.measuring import Latency, PeakMemory, time_steps
from posegraph.engine.bench.model_work import ModelWork, model_work, training_work
from posegraph.engine.bench.steps import Step, clip_step, stream_step, train_step
from posegraph.engine.compilation import CompileMode, compile_faults
from posegraph.engine.distributed import own_device
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.models.base import PoseModel
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

Mode = Literal["clip", "stream", "train"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class BenchSettings:
    """How a model is run to be measured.

    Fields:
        mode: ``clip``: every pose from ``T`` full frames; ``stream``: from one new frame and what is kept of the
            ``T - 1`` before; ``train``: a training step.
        device: ``auto`` (this process's GPU, else the CPU), or torch's name of one.
        batch: Clips computed at once.
        people: People in a frame; a measured step is a frame, in as many batches as it takes. None: one batch.
        dtype: Autocast's, ``float32`` for none.
        compiled: The mode of ``torch.compile``; None: not compiled.
        warmup, steps: Steps that do not count, and those that do.
    """

    mode: Mode = "clip"
    device: str = "auto"
    batch: int = 1
    people: int | None = None
    dtype: str = "float32"
    compiled: CompileMode | None = None
    warmup: int = 5
    steps: int = 30

    def __post_init__(self) -> None:
        if self.mode == "train" and self.people is not None:
            raise PoseGraphError("--people: a training step is one batch; say its size by --batch")
        if self.mode == "train" and self.dtype == "float16":
            raise PoseGraphError("--dtype float16: its losses would have to be scaled in training; use bfloat16")

    @property
    def poses(self) -> int:
        """Of a step."""
        return self.people or self.batch

    @property
    def sizes(self) -> list[int]:
        """Of the batches of a step."""
        full, rest = divmod(self.poses, self.batch)
        return [self.batch] * full + [rest] * (rest > 0)


@dataclass(frozen=True)
class Bench:
    """What was found for one model.

    Fields:
        model: As the user named it.
        num_frames, num_joints: ``T`` and ``J``.
        work: Counted; of one pose.
        training: Counted, of one clip forward and backward; None in other modes.
        weight_bytes: Of parameters and buffers.
        latency: Measured.
        peak_bytes: Most memory beyond the weights; None where the system does not tell.
        settings: How it was run; ``device`` is the one it was.
    """

    model: str
    num_frames: int
    num_joints: int
    work: ModelWork
    training: Work | None
    weight_bytes: int
    latency: Latency
    peak_bytes: int | None
    settings: BenchSettings


def open_model(spec: str, skeleton: str | None = None) -> PoseModel:
    """A preset with random weights (no figure depends on them), or whatever ``posegraph eval`` opens.

    Raises:
        PoseGraphError: nothing of that name, or weights that cannot be opened.
    """
    presets = preset_names()
    if "/" not in spec and spec not in presets and not Path(spec).exists():
        raise PoseGraphError(
            f"{spec}: no preset, file or folder of that name; presets are: {', '.join(presets)}"
            f"{did_you_mean(spec, presets)}"
        )
    if spec not in presets or Path(spec).exists():
        return checkpoint.load(spec, skeleton=skeleton)
    run = RunConfig.from_preset(spec)
    model = model_from_config(run.model, Skeleton.load(skeleton or run.skeleton)).eval()
    model.run_config = run.model_copy(update={"model": model.config})
    return model


def bench(name: str, model: PoseModel, settings: BenchSettings) -> Bench:
    """Count what ``model`` computes, run it, and time it.

    Raises:
        PoseGraphError: a device that is not there or too small, a type it cannot compute with, or a compiler that
            fails.
    """
    device = device_named(settings.device)
    settings = replace(settings, device=str(device))
    work = model_work(model.config, model.skeleton)
    run = model.run_config.model_copy(update={"model": model.config})
    training = training_work(run, model.skeleton) if settings.mode == "train" else None
    model = model.to(device)
    with running(settings):
        memory = PeakMemory(device)
        latency = time_steps(step_of(model, settings), device, warmup=settings.warmup, steps=settings.steps)
    tensors = [*model.parameters(), *model.buffers()]
    return Bench(
        name,
        model.config.clip_frames,
        model.skeleton.num_joints,
        work,
        training,
        sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        latency,
        memory.beyond(),
        settings,
    )


def step_of(model: PoseModel, settings: BenchSettings) -> Step:
    """One measured step of ``model``; to be called within :func:`running`."""
    device = device_named(settings.device)
    if settings.mode == "train":
        return train_step(model, settings.batch, device, settings.compiled)
    make = clip_step if settings.mode == "clip" else stream_step
    return make(model, settings.sizes, device, settings.compiled)


def device_named(name: str) -> torch.device:
    """The device. Raises :class:`PoseGraphError` where there is none of that name."""
    if name == "auto":
        return own_device()
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise PoseGraphError(
            f"--device {name}: torch cannot use it; see `posegraph env`, or leave it at auto"
        ) from None
    # "cuda" is whichever is current: results name it.
    return torch.device("cuda", torch.cuda.current_device()) if name == "cuda" else device


@contextmanager
def running(settings: BenchSettings) -> Iterator[None]:
    """Gradient mode, autocast, and the faults of a run as :class:`PoseGraphError`."""
    kind = device_named(settings.device).type
    dtype = DTYPES[settings.dtype]
    inference: Callable[[], Any] = partial(torch.inference_mode, settings.mode != "train")
    faults = partial(compile_faults, "--compile", "leave --compile away")
    with _memory_faults(settings), faults(), inference(), torch.autocast(kind, dtype, dtype != torch.float32):
        yield


@contextmanager
def _memory_faults(settings: BenchSettings) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise PoseGraphError(
            f"--batch {settings.batch}: more than the memory of {settings.device} holds; give a smaller one"
        ) from None
