"""What an export's answers differ from the model's by, and what they cost.

# B clips, T frames, J joints
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from posegraph.engine.exporting.exported import ExportedModel
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.inference import InferenceModel

NODES, KEYPOINTS_PX = 1e-4, 0.01
"""Largest differences of a faithful export: of nodes and peak values, and of keypoints in pixels of the crop."""

REDUCED_MEAN_PX = 1.0
"""Largest mean difference of keypoints of an export in bf16 or int8: beyond it something is wrong, not rounded."""

BATCHES = (1, 2, 5)
_REPEATS = 5


@dataclass(frozen=True)
class Differences:
    """Of an export's poses from the model's own, as written, on the same clips.

    Fields:
        nodes: Largest of nodes and of peak values, these relative to the value where it is above 1.
        max_px, mean_px: Of keypoints, in pixels of the crop.
        clips, batches: How many clips, and in which batches each part was run.
    """

    nodes: float
    max_px: float
    mean_px: float
    clips: int
    batches: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"nodes differ by {self.nodes:.1e} at most, keypoints by {self.max_px:.4f} px at most and "
            f"{self.mean_px:.4f} px on average"
        )

    def check(self, exact: bool, max_mean_px: float = REDUCED_MEAN_PX) -> None:
        """Raises :class:`PoseGraphError` with the figures when they are too large for an export of this kind."""
        # Written so that NaN fails.
        if exact and not (self.nodes <= NODES and self.max_px <= KEYPOINTS_PX):
            raise PoseGraphError(
                f"the export is not the model: {self} (of the crop); expected {NODES:.0e} and {KEYPOINTS_PX} px at "
                "most. Nothing was written; update torch and the runtime, or export to another format"
            )
        if not self.mean_px <= max_mean_px:
            raise PoseGraphError(
                f"the export is too far from the model: {self} (of the crop); expected {max_mean_px} px on average "
                "at most. Nothing was written; export with --precision fp32"
            )


@torch.no_grad()
def compare(model: PoseModel, exported: ExportedModel, clips: Sequence[ClipData]) -> Differences:
    """Run clip mode and the stream's two parts on the same clips, in several batches, beside the model as written.

    Args:
        model: In evaluation mode, on the CPU.
    """
    batches = tuple(size for size in BATCHES if size <= len(clips))
    height, width = model.config.input_hw
    scale = torch.tensor([width - 1, height - 1])
    nodes, points = [], []
    for size in batches:
        clip: ClipData = Batch.from_data_list(list(clips[:size]))
        wanted = model.run(clip)
        for found_nodes, found_values in _answers(exported, clip.frames):
            difference = (found_nodes - wanted.nodes).abs()  # [B, J, 3]
            # A peak value far above 1, of a model that has learnt nothing, is as exact as float32 makes it.
            values = (found_values - wanted.values).abs() / wanted.values.abs().clamp_min(1)
            nodes += [difference.flatten(), values.flatten()]
            points.append((difference[..., :2] * scale).norm(dim=-1).flatten())
    all_px = torch.cat(points)
    return Differences(float(torch.cat(nodes).max()), float(all_px.max()), float(all_px.mean()), len(clips), batches)


def _answers(exported: ExportedModel, frames: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Nodes and peak values, by clip mode and as a stream has them."""
    output = exported(_encoded(exported, frames))
    return [exported.clip(frames), (output.nodes, output.values)]


@torch.inference_mode()
def stream_speed(model: PoseModel, exported: ExportedModel, clip: ClipData) -> dict[str, Any]:
    """Median milliseconds of a stream's step for one person, of the export and of the model; both take turns.

    A step encodes one crop and reasons over the clip. ``model`` is what :class:`PoseStream` runs of it.
    """
    ways: dict[str, InferenceModel | ExportedModel] = {"export_ms": exported, "model_ms": InferenceModel(model)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    steps = {name: stream_step(stages, clip.frames) for name, stages in ways.items()}
    for turn in range(_REPEATS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    medians = {name: 1000 * statistics.median(each) for name, each in seconds.items()}
    return {**medians, "speedup": medians["model_ms"] / medians["export_ms"], "threads": torch.get_num_threads()}


def stream_step(stages: InferenceModel | ExportedModel, frames: Tensor) -> Callable[[], PoseOutput]:
    """What a stream computes of each of ``B`` people in a frame: one crop, and the clip ``[B, T, 3, H_in, W_in]``."""
    clip = _encoded(stages, frames)
    crops = frames[:, -1].contiguous()

    def step() -> PoseOutput:
        stages.encode(crops)
        return stages(clip)

    return step


def _encoded(stages: InferenceModel | ExportedModel, frames: Tensor) -> Encoded:
    """The frames of clips ``[B, T, 3, H_in, W_in]``, encoded one by one."""
    return Encoded(*(part.view(*frames.shape[:2], *part.shape[1:]) for part in stages.encode(frames.flatten(0, 1))))
