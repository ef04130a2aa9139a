"""DCPose: the key frame's heatmaps, corrected by those of its neighbours (Liu et al. 2021).

# B clips, T frames, J joints, H x W heatmap grid
"""

from __future__ import annotations

from torch import Tensor

from posegraph.config import ModelConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.vitpose import peak_nodes
from posegraph.nn.pose_refinement import PoseCorrection, PoseResidualFusion, PoseTemporalMerger
from posegraph.skeleton import Skeleton


class DCPose(PoseModel):
    """Heatmaps of all frames merged, their differences fused, and a correction of the key frame's from both.

    Untrained it is ViT alone: the correction starts at zero.
    """

    trains_decoder = True

    def __init__(
        self,
        config: ModelConfig,
        skeleton: Skeleton,
        backbone: ViTBackbone,
        heatmap_head: HeatmapHead,
        merger: PoseTemporalMerger,
        residuals: PoseResidualFusion,
        correction: PoseCorrection,
    ) -> None:
        super().__init__(config, skeleton, backbone, heatmap_head)
        self.merger, self.residuals, self.correction = merger, residuals, correction

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Merging, residual fusion, correction; the graph takes no part."""
        key = encoded.heatmaps[:, self.config.key_frame]  # [B, J, H, W]
        heatmaps: Tensor = self.with_gradient(encoded.heatmaps)
        refined = key.float() + self.correction(self.merger(heatmaps), self.residuals(heatmaps))
        nodes, values = peak_nodes(refined)
        return PoseOutput(nodes, key, values, nodes_learn=False, refined=refined)
