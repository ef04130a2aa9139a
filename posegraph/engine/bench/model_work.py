"""What a pose model computes, stage by stage, worked out on fake tensors: ViT-H takes seconds and no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from posegraph.config import ModelConfig, RunConfig
from posegraph.engine.bench.flops import Work, WorkCounter
from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.memory import fake_training
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

STAGES = {
    "backbone": ("backbone",),
    "decoder": ("heatmap_head",),
    "joint embedding": ("joint_embedding",),
    "pose query": ("pose_query",),
    "joint tokens": ("tokens",),
    "temporal": ("local.temporal", "local.memory", "global_.temporal", "global_.memory", "temporal"),
    "spatial": ("local.spatial", "global_.spatial", "spatial"),
    "cross-branch": ("cross_branch",),
    "fusion": ("fusion",),
    "regression": ("regression",),
    "flow (training)": ("flow",),
    "merging": ("merger",),
    "residual fusion": ("residuals",),
    "correction": ("correction",),
    "frame difference": ("difference",),
    "warping": ("warping",),
}
"""Stage -> the model's modules that are part of it; a variant has only some."""

BETWEEN = "between stages"
"""What belongs to no module: anchors, residual sums of points."""


@dataclass(frozen=True)
class ModelWork:
    """A model's size and work. All by stage: those of :data:`STAGES` that it has, and :data:`BETWEEN`.

    Fields:
        parameters: How many.
        clip: One pose in clip mode: ``T`` full frames through backbone and decoder, and the head once.
        stream: One pose in a steady stream: one new frame through backbone and decoder, and the head over ``T``.
    """

    parameters: dict[str, int]
    clip: dict[str, Work]
    stream: dict[str, Work]


def total(work: dict[str, Work]) -> Work:
    """All stages together."""
    return sum(work.values(), Work())


def model_work(config: ModelConfig, skeleton: Skeleton) -> ModelWork:
    """Count a model of this description, as it is written (not as ``torch.compile`` or folding may rewrite it).

    Raises:
        PoseGraphError: as ``build_model`` does.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.device("meta"):
        model = model_from_config(config, skeleton).eval()
    with fake:
        # Fake tensors of the CPU take the paths that real ones take; those of the meta device need not.
        model = model.to_empty(device="cpu")
    clip = blank_clips(model.config, skeleton, 1).apply(fake.from_tensor)
    parameters = {
        stage: sum(parameter.numel() for module in modules for parameter in module.parameters())
        for stage, modules in _stage_modules(model).items()
    }
    frames = clip.frames
    with fake, torch.no_grad():
        whole = work_by_stage(model, lambda: model.run(clip))
        encoded = model.encode(frames)

        def one_new_frame() -> None:
            model.encode(frames[:, -1:])
            model.reason(Encoded(*encoded), clip)

        stream = work_by_stage(model, one_new_frame)
    return ModelWork(parameters, whole, stream)


def training_work(config: RunConfig, skeleton: Skeleton) -> Work:
    """One clip of a training step of this run, forward and backward; the optimiser does no products."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    module = fake_training(config, skeleton, fake)
    clip = blank_clips(config.model, skeleton, 1).apply(fake.from_tensor)
    with fake, WorkCounter() as counter:
        loss = torch.stack(list(module.losses(module.run(clip), clip).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch
    return counter.so_far


def work_by_stage(model: PoseModel, call: Callable[[], Any]) -> dict[str, Work]:
    """What ``call`` lets the stages of ``model`` compute, forward only."""
    found = dict.fromkeys(_stage_modules(model), Work())
    with WorkCounter() as counter, _watched(model, counter, found):
        call()
    return found | {BETWEEN: counter.so_far - total(found)}


@contextmanager
def _watched(model: PoseModel, counter: WorkCounter, found: dict[str, Work]) -> Iterator[None]:
    """Add to ``found`` what is counted between a stage's start and its end."""
    before: dict[str, Work] = {}

    def start(stage: str) -> Callable[..., None]:
        return lambda *_: before.update({stage: counter.so_far})

    def end(stage: str) -> Callable[..., None]:
        return lambda *_: found.update({stage: found[stage] + counter.so_far - before[stage]})

    hooks = [
        hook
        for stage, modules in _stage_modules(model).items()
        for module in modules
        for hook in (module.register_forward_pre_hook(start(stage)), module.register_forward_hook(end(stage)))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _stage_modules(model: PoseModel) -> dict[str, list[nn.Module]]:
    """Those stages that the model has."""
    named = dict(model.named_modules())
    stages = {stage: [named[name] for name in names if name in named] for stage, names in STAGES.items()}
    return {stage: modules for stage, modules in stages.items() if modules}
