"""DSTA: joints regressed from tokens, space and time apart (He and Yang 2024); no heatmap in its answer.

# B clips, T frames, J joints, D token channels
"""

from __future__ import annotations

import torch
from torch import Tensor

from posegraph.config import ModelConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput, Regression
from posegraph.nn.expert_fusion import confidence
from posegraph.nn.joint_tokens import FrameAttention, JointAttention, JointTokens, PointRegression
from posegraph.nn.real_nvp import RealNVP
from posegraph.skeleton import Skeleton


class DSTA(PoseModel):
    """Joint tokens of every frame, attention over joints and over frames, points with spreads.

    How sure it is of a joint is 1 minus its mean spread. The decoder is trained beside it where ``loss.heatmap`` asks
    for it; ``flow``, the shape of the errors, is the loss's: an answer needs neither.
    """

    reads_heatmaps = False

    def __init__(
        self,
        config: ModelConfig,
        skeleton: Skeleton,
        backbone: ViTBackbone,
        heatmap_head: HeatmapHead,
        tokens: JointTokens,
        spatial: JointAttention,
        temporal: FrameAttention,
        regression: PointRegression,
        flow: RealNVP,
    ) -> None:
        super().__init__(config, skeleton, backbone, heatmap_head)
        self.tokens, self.spatial, self.temporal = tokens, spatial, temporal
        self.regression, self.flow = regression, flow

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Tokens, two attentions, regression; the graph takes no part."""
        features, key = encoded.features, self.config.key_frame
        tokens = self.tokens(features.flatten(0, 1)).unflatten(0, features.shape[:2])  # [B, T, J, D]
        points, spread = self.regression(self.spatial(tokens[:, key]), self.temporal(tokens))  # [B, J, 2]
        sure = 1 - spread.detach().mean(dim=-1)
        nodes = torch.cat([points.detach(), confidence(sure).unsqueeze(-1)], dim=-1)
        regression = Regression(points, spread, self.flow)
        return PoseOutput(nodes, self._heatmaps(features[:, key]), sure, nodes_learn=False, regression=regression)

    def _heatmaps(self, features: Tensor) -> Tensor:
        """Of the key frame, for the loss on them alone: none where that is not learnt."""
        if self.training and any(parameter.requires_grad for parameter in self.heatmap_head.parameters()):
            heatmaps: Tensor = self.heatmap_head(features)
            return heatmaps
        return features.new_zeros(features.size(0), 0, *self.config.heatmap_hw)
