"""PQE for inference: neighbouring linear maps multiplied out, and all windows read at once.

# S windows (local and global, or one of them), B clips, T frames, J joints, C backbone channels, D node channels
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posegraph.encoders.joint_embedding import Joints
from posegraph.encoders.pose_query import PoseQueryEncoder, window_mask


class FastPoseQuery(nn.Module):
    """Same answers as :class:`PoseQueryEncoder`.

    Args:
        encoder: What to take the weights from.
        windows: Which node sets are wanted, 0 the local and 1 the global one.
    """

    def __init__(self, encoder: PoseQueryEncoder, windows: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.windows = encoder, list(windows)
        scale = math.sqrt(encoder.query.out_features) * F.softplus(encoder.raw_temperature)
        key = encoder.key.weight / scale  # [D, C]
        self.register_buffer("to_features", (encoder.query.weight.t() @ key).t().contiguous(), persistent=False)
        self.register_buffer("to_features_bias", encoder.query.bias @ key, persistent=False)
        self.register_buffer("context", encoder.out.weight @ encoder.value.weight, persistent=False)
        self.register_buffer("context_bias", encoder.out(encoder.value.bias), persistent=False)

    to_features: Tensor  # [C, D]
    to_features_bias: Tensor
    context: Tensor  # [D, C]
    context_bias: Tensor

    def forward(self, joints: Joints, features: Tensor, heatmaps: Tensor) -> Tensor:
        """Joints, features ``[B, T, C, h, w]``, heatmaps ``[B, T, J, H, W]`` -> nodes ``[S, B, T, J, D]``."""
        up_y, up_x = self.encoder.up_y, self.encoder.up_x
        cells = features.flatten(-2)  # [B, T, C, h*w]
        query = F.linear(joints.tokens, self.to_features, self.to_features_bias)
        coarse = (query @ cells).view(*query.shape[:-1], *features.shape[-2:])  # [B, T, J, h, w]
        logits = up_y @ (coarse @ up_x.t())  # [B, T, J, H, W]
        if self.encoder.heatmap_prior:
            logits += (heatmaps.clamp_min(0) + self.encoder.prior_epsilon).log_()
        radii = self.encoder.radii(joints.speed, num_frames=features.size(1))
        radius = torch.stack([radii[window] for window in self.windows], dim=2)  # [B, T, S, J]
        mask = window_mask(joints.centres.unsqueeze(2), radius, (logits.size(-2), logits.size(-1)))
        inside = torch.where(mask, logits.unsqueeze(2), float("-inf"))
        attention = inside.flatten(-2).softmax(-1).view(mask.shape)
        pulled = up_y.t() @ (attention @ up_x)  # [B, T, S, J, h, w]
        pooled = pulled.flatten(-2).flatten(2, 3) @ cells.transpose(-1, -2)  # [B, T, S * J, C]
        context = F.linear(pooled, self.context, self.context_bias).view(*radius.shape, -1)
        nodes: Tensor = self.encoder.norm(joints.tokens.unsqueeze(2) + context)
        return nodes.movedim(2, 0)
