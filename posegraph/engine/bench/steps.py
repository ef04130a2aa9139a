"""What one measured step of ``posegraph bench`` is, in its three modes. Only the model: no decoding, cropping, drawing.

# N clips of a batch, T frames
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.compilation import CompileMode, compile_stages
from posegraph.engine.module import PoseTraining
from posegraph.engine.optimizer import parameter_groups
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.inference import InferenceModel

Step = Callable[[], Any]


def clip_step(model: PoseModel, sizes: list[int], device: torch.device, compiled: CompileMode | None) -> Step:
    """All frames of every clip through the whole model, a batch of each of these sizes; as ``posegraph eval`` runs."""
    model = model.to(device).eval()
    batches = [_noise(model, size, device) for size in sizes]
    if compiled:
        compile_stages(model, compiled)
    return lambda: [model.run(clip).nodes for clip in batches]


def stream_step(model: PoseModel, sizes: list[int], device: torch.device, compiled: CompileMode | None) -> Step:
    """A steady stream: the newest frame of every clip through backbone and decoder, the head over all ``T``.

    The stages are those that :class:`~posegraph.engine.streaming.PoseStream` runs, rewritten for inference.
    """
    fast = InferenceModel(model.to(device))
    if compiled:
        compile_stages(fast, compiled)
    crops = [_noise(model, size, device).frames for size in sizes]  # [N, T, 3, H_in, W_in]
    with torch.inference_mode():
        # Copied: what a CUDA graph returns is overwritten when it runs again.
        pasts = [
            [tuple(map(torch.clone, fast.encode(frames[:, frame]))) for frame in range(frames.size(1) - 1)]
            for frames in crops
        ]

    def step() -> list[Tensor]:
        nodes = []
        for frames, past in zip(crops, pasts, strict=True):
            seen = [*past, fast.encode(frames[:, -1])]
            encoded = Encoded(*(torch.stack(parts, dim=1) for parts in zip(*seen, strict=True)))  # [N, T, ...]
            nodes.append(fast(encoded).nodes)
        return nodes

    return step


def train_step(model: PoseModel, batch: int, device: torch.device, compiled: CompileMode | None) -> Step:
    """Forward, loss, backward, clipping and AdamW on one batch, as its run sets them; the model itself learns."""
    config = model.run_config.model_copy(update={"model": model.config})
    every_joint = torch.ones(model.skeleton.num_joints, dtype=torch.bool)
    module = PoseTraining(model, config, every_joint).to(device).train()
    if compiled:
        compile_stages(module.model, compiled)
    optimizer = torch.optim.AdamW(parameter_groups(module.model, config.training))
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    clip = _noise(model, batch, device)

    def step() -> None:
        with torch.enable_grad():
            loss = torch.stack(list(module.losses(module.run(clip), clip).values())).sum()
        optimizer.zero_grad()
        # Outside of autocast's region, as Lightning has it.
        with torch.autocast(device.type, enabled=False):
            loss.backward()  # type: ignore[no-untyped-call]  # torch
        if config.training.clip_gradient:
            torch.nn.utils.clip_grad_norm_(learning, config.training.clip_gradient)
        optimizer.step()

    return step


def _noise(model: PoseModel, count: int, device: torch.device) -> ClipData:
    """Clips of noise: nothing in a network is as fast on zeros as on images."""
    clip = blank_clips(model.config, model.skeleton, count)
    clip.frames.normal_(generator=torch.Generator().manual_seed(0))
    moved: ClipData = clip.to(device)
    return moved
