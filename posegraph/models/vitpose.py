"""ViT alone: the paper's single-frame baseline, heatmaps and Taylor decoding (paper Table 6, last row)."""

from __future__ import annotations

import torch

from posegraph import codec
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel, PoseOutput
from posegraph.nn.expert_fusion import confidence


class ViTPose(PoseModel):
    """Looks at the key frame alone; the node is the heatmap's sub-pixel peak and its value."""

    def run(self, clip: ClipData) -> PoseOutput:
        """A batched clip -> :class:`PoseOutput`."""
        heatmaps = self.heatmap_head(self.backbone(clip.frames[:, -1]))
        nodes = codec.encode(heatmaps.detach().float())
        values = nodes[..., 2]
        return PoseOutput(torch.cat([nodes[..., :2], confidence(values).unsqueeze(-1)], dim=-1), heatmaps, values)
