"""NSEF: each branch predicts nodes, a gate blends them (paper section 3.5, eq. 16-19; spec section 6).

# B clips, J joints, D node channels
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCORE_RANGE = (0.01, 0.99)


def confidence(values: Tensor) -> Tensor:
    """Heatmap peak values as probabilities: clipped to [0.01, 0.99], where their logit is finite."""
    return values.clamp(*SCORE_RANGE)


class NodeExpert(nn.Module):
    """Node embedding -> ``(x, y, v)``: an offset from the anchor point, and a change of the anchor's visibility logit.

    The last layer starts at zero: an untrained expert returns the anchor.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, 3),
        )
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, z: Tensor, anchor: Tensor, values: Tensor) -> Tensor:
        """Nodes ``z [B, J, D]``, anchors ``[B, J, 2]`` normalised, peak values ``[B, J]`` -> ``[B, J, 3]`` float32."""
        out = self.mlp(z).float()
        points = anchor + out[..., :2]
        visibility = torch.sigmoid(torch.logit(confidence(values)) + out[..., 2])
        return torch.cat([points, visibility.unsqueeze(-1)], dim=-1)


class ExpertFusion(nn.Module):
    """Convex combination of a local and a global expert, per joint.

    Gate input ``[z_L; z_G; y_L; y_G]``; MLP -> two scores -> softplus -> divided by their sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local_expert = NodeExpert(channels)
        self.global_expert = NodeExpert(channels)
        self.gate = nn.Sequential(nn.Linear(2 * channels + 6, 2 * channels), nn.GELU(), nn.Linear(2 * channels, 2))

    def forward(self, local: Tensor, global_: Tensor, anchor: Tensor, values: Tensor) -> Tensor:
        """Two ``[B, J, D]``, anchors ``[B, J, 2]``, peak values ``[B, J]`` -> nodes ``[B, J, 3]``."""
        y_local = self.local_expert(local, anchor, values)
        y_global = self.global_expert(global_, anchor, values)
        gate_in = torch.cat([local, global_, y_local.to(local.dtype), y_global.to(local.dtype)], dim=-1)
        scores = F.softplus(self.gate(gate_in).float())
        weights = scores / scores.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
        fused: Tensor = weights[..., :1] * y_local + weights[..., 1:] * y_global
        return fused
