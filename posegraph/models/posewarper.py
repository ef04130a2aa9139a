"""PoseWarper: the other frames' heatmaps, warped to the key frame and added to its own (after Bertasius et al. 2019).

# B clips, T frames, S = T - 1 supporting frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posegraph.config import ModelConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.vitpose import peak_nodes
from posegraph.nn.heatmap_warping import FrameDifference, HeatmapWarping
from posegraph.skeleton import Skeleton


class PoseWarper(PoseModel):
    """Differences between the key frame and each other one, warped heatmaps, and their weighted mean with its own.

    ``share`` is how much of a joint's heatmap each supporting frame gives. It starts at zero: untrained it is ViT
    alone.
    """

    trains_decoder = True

    def __init__(
        self,
        config: ModelConfig,
        skeleton: Skeleton,
        backbone: ViTBackbone,
        heatmap_head: HeatmapHead,
        difference: FrameDifference,
        warping: HeatmapWarping,
    ) -> None:
        super().__init__(config, skeleton, backbone, heatmap_head)
        self.difference, self.warping = difference, warping
        # A vector, as those have no weight decay: it would pull towards ViT alone.
        self.share = nn.Parameter(torch.zeros((config.num_frames - 1) * skeleton.num_joints))

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Differences, warping, weighted mean; the graph takes no part."""
        features, own_features = self._supporting(encoded.features)
        heatmaps, own = self._supporting(self.with_gradient(encoded.heatmaps))  # [B, S, J, H, W], [B, 1, J, H, W]
        difference = self.difference((own_features - features).flatten(0, 1), (own - heatmaps).flatten(0, 1))
        warped = self.warping(heatmaps.flatten(0, 1), difference).view(heatmaps.shape)
        key = encoded.heatmaps[:, self.config.key_frame]
        weights = self.share.view(*heatmaps.shape[1:3], 1, 1)  # [S, J, 1, 1]
        refined = key.float() + (weights * (warped - own.float())).sum(dim=1)
        nodes, values = peak_nodes(refined)
        return PoseOutput(nodes, key, values, nodes_learn=False, refined=refined)

    def _supporting(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, T, ...]`` -> those of the supporting frames ``[B, S, ...]``, and of the key frame ``[B, 1, ...]``."""
        key = self.config.key_frame
        others = torch.cat([values[:, :key], values[:, key + 1 :]], dim=1)
        return others, values[:, key : key + 1]
