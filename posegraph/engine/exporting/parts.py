"""A model in the parts that are exported: plain tensors in and out, and the graph of a clip inside.

# N crops, B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from posegraph.encoders.fast_deconvolution import FastDeconvolution
from posegraph.engine.exporting.deconvolution import ExportedDeconvolution
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.inference import FastHeatmapHead, InferenceModel


class PartSpec(NamedTuple):
    """What goes into a part and comes out; the first dimension of each is the batch."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


PARTS: Mapping[str, PartSpec] = {
    "encode": PartSpec(("crops",), ("features", "heatmaps")),
    "reason": PartSpec(("features", "heatmaps"), ("nodes", "values")),
    "clip": PartSpec(("frames",), ("nodes", "values")),
}
"""``encode`` and ``reason`` are a stream's two parts, ``clip`` is the whole."""


class EncodePart(nn.Module):
    """``crops [N, 3, H_in, W_in]`` -> features ``[N, C, h, w]`` and heatmaps ``[N, J, H, W]``, in float32.

    Args:
        backbone, heatmap_head: Of an :class:`InferenceModel`.
        dtype: In which the backbone computes.
    """

    def __init__(self, backbone: nn.Module, heatmap_head: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.backbone, self.heatmap_head, self.dtype = backbone.to(dtype), heatmap_head, dtype

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(crops.to(self.dtype)).float()
        return features, self.heatmap_head(features)


class ReasonPart(nn.Module):
    """Features ``[B, T, C, h, w]`` and heatmaps ``[B, T, J, H, W]`` -> nodes ``[B, J, 3]``, peak values ``[B, J]``."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        output = self.head(Encoded(features, heatmaps))
        return output.nodes, output.values


class ClipPart(nn.Module):
    """Frames ``[B, T, 3, H_in, W_in]`` -> nodes ``[B, J, 3]`` and peak values ``[B, J]`` of the last one."""

    def __init__(self, encode: EncodePart, reason: ReasonPart) -> None:
        super().__init__()
        self.encode, self.reason = encode, reason

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        features, heatmaps = self.encode(frames.flatten(0, 1))
        shape = (-1, frames.size(1))
        nodes, values = self.reason(features.unflatten(0, shape), heatmaps.unflatten(0, shape))
        return nodes, values


@torch.no_grad()
def model_parts(model: PoseModel, dtype: torch.dtype = torch.float32) -> dict[str, nn.Module]:
    """The parts of a model, in evaluation mode. The model is not changed.

    Args:
        model: On the CPU.
        dtype: In which the backbone computes; everything behind it stays in float32.
    """
    stages = InferenceModel(model)
    heatmap_head = stages.heatmap_head
    if isinstance(heatmap_head, FastHeatmapHead):
        heatmap_head.deconv = nn.Sequential(*(_exported(layer) for layer in heatmap_head.deconv))
    backbone = stages.backbone
    if dtype != torch.float32:
        backbone = deepcopy(backbone)  # its tensors are the model's own
    encode, reason = EncodePart(backbone, heatmap_head, dtype), ReasonPart(stages.head)
    return {"encode": encode.eval(), "reason": reason.eval(), "clip": ClipPart(encode, reason).eval()}


def _exported(layer: nn.Module) -> nn.Module:
    return ExportedDeconvolution(layer) if isinstance(layer, FastDeconvolution) else layer
