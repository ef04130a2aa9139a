"""What every pose model of posegraph is: a backbone with heatmaps, and nodes for a clip.

# B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from posegraph.config import ModelConfig, RunConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone, last_frame_gradient_only
from posegraph.graph import ClipData
from posegraph.skeleton import Skeleton


class PoseOutput(NamedTuple):
    """All that a model says about a batch of clips.

    Fields:
        nodes: ``[B, J, 3]`` normalised x, y and visibility of the key frame.
        heatmaps: ``[B, J, H, W]`` prior heatmaps of the key frame, with gradient.
        values: ``[B, J]`` their peak values.
    """

    nodes: Tensor
    heatmaps: Tensor
    values: Tensor


class Encoded(NamedTuple):
    """What the backbone and its decoder see in the frames of a batch of clips.

    Fields:
        features: ``[B, T, C, h, w]``.
        heatmaps: ``[B, T, J, H, W]``, raw.
    """

    features: Tensor
    heatmaps: Tensor


class PoseModel(nn.Module):
    """Base of all models. Called on a batched :class:`ClipData` it returns nodes ``[B, J, 3]``.

    Attributes:
        config: The numbers it was built with.
        skeleton: Its joints.
        run_config: The run that trained it, where it comes from a checkpoint; its box scale and scoring apply.
    """

    def __init__(
        self, config: ModelConfig, skeleton: Skeleton, backbone: ViTBackbone, heatmap_head: HeatmapHead
    ) -> None:
        super().__init__()
        self.config, self.skeleton = config, skeleton
        self.run_config = RunConfig(model=config)
        self.backbone, self.heatmap_head = backbone, heatmap_head

    def forward(self, clip: ClipData) -> Tensor:
        """A batched clip -> nodes ``[B, J, 3]``: normalised x, y and visibility."""
        return self.run(clip).nodes

    def run(self, clip: ClipData) -> PoseOutput:
        """A batched clip -> nodes and what they were made from."""
        return self.reason(self.encode(clip.frames), clip)

    def encode(self, frames: Tensor) -> Encoded:
        """Crops ``[B, T, 3, H_in, W_in]`` -> features and heatmaps of every frame, each frame by itself."""
        if torch.is_grad_enabled() and not self.config.past_gradient:
            features = last_frame_gradient_only(self.backbone, frames)
        else:
            features = self.backbone(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        heatmaps = self.heatmap_head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return Encoded(features, heatmaps)

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Encoded frames of a batched clip, and its graph -> :class:`PoseOutput`."""
        raise NotImplementedError

    @torch.no_grad()
    def heatmaps(self, images: Tensor) -> Tensor:
        """Single crops ``[N, 3, H_in, W_in]`` -> heatmaps ``[N, J, H, W]``, without gradient."""
        out: Tensor = self.heatmap_head(self.backbone(images))
        return out

    def image_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of backbone and decoder."""
        yield from self.backbone.parameters()
        yield from self.heatmap_head.parameters()

    def graph_parameters(self) -> Iterator[nn.Parameter]:
        """All others: the node-centric head."""
        image = {id(parameter) for parameter in self.image_parameters()}
        yield from (parameter for parameter in self.parameters() if id(parameter) not in image)
