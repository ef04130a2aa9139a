"""ViT alone: the paper's single-frame baseline, heatmaps and Taylor decoding (paper Table 6, last row).

# B clips, T frames, J joints, H x W heatmap grid
"""

from __future__ import annotations

import torch
from torch import Tensor

from posegraph import codec
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.nn.expert_fusion import confidence


class ViTPose(PoseModel):
    """Looks at the key frame alone; the node is the heatmap's sub-pixel peak and its value."""

    trains_decoder = True

    def encode(self, frames: Tensor) -> Encoded:
        """Crops ``[B, T, 3, H_in, W_in]`` -> the key frame's features and heatmaps, ``T`` 1."""
        features = self.backbone(frames[:, -1])
        return Encoded(features.unsqueeze(1), self.heatmap_head(features).unsqueeze(1))

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """The key frame's heatmaps, decoded; the graph takes no part."""
        heatmaps = encoded.heatmaps[:, -1]
        nodes, values = peak_nodes(heatmaps)
        return PoseOutput(nodes, heatmaps, values, nodes_learn=False)


def peak_nodes(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Heatmaps ``[B, J, H, W]`` -> nodes ``[B, J, 3]`` at their sub-pixel peaks, and peak values ``[B, J]``."""
    nodes = codec.encode(heatmaps.detach().float())
    values = nodes[..., 2]
    return torch.cat([nodes[..., :2], confidence(values).unsqueeze(-1)], dim=-1), values
