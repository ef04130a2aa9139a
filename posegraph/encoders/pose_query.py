"""PQE: every joint reads the image around itself (paper section 3.3; spec section 4).

# B clips, T frames, J joints, C backbone channels, D node channels, h x w backbone grid, H x W heatmap grid

The paper up-samples features to H x W before it projects them. Up-sampling ``U`` and projections are linear, so
``q . W_k U F = U ((W_k^T q) . F)`` and ``sum a_i W_v (U F)_i = W_v (F U^T a)``: logits are made on the h x w grid, the
*logits* are up-sampled, and ``U^T`` pulls the attention weights back before they touch channels. Same result, and
nothing of size C x H x W or D x H x W is ever built.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posegraph.encoders.joint_embedding import Joints


class PoseQueryEncoder(nn.Module):
    """Joint tokens, features and heatmaps -> image-conditioned nodes, for a local and a global window.

    Args:
        in_channels: ``C``.
        channels: ``D``.
        grid_hw, heatmap_hw: ``(h, w)`` and ``(H, W)``.
        radius_min, radius_growth, radius_max: Current frame: ``r_L = clip(r_min + alpha |displacement|, r_min, r_max)``
            and ``r_G = 2 r_L`` (paper eq. 8).
        past_radius: Half-widths of the past frames' windows, local and global.
        window_scale: Factor on the current frame's windows (2 without centre prediction).
        heatmap_prior: Add ``log(max(h, 0) + epsilon)`` to the logits.
        prior_epsilon: That epsilon.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        grid_hw: tuple[int, int],
        heatmap_hw: tuple[int, int],
        radius_min: float = 3.0,
        radius_growth: float = 1.0,
        radius_max: float = 12.0,
        past_radius: tuple[float, float] = (4.0, 8.0),
        window_scale: float = 1.0,
        heatmap_prior: bool = True,
        prior_epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        self.radius_min, self.radius_growth, self.radius_max = radius_min, radius_growth, radius_max
        self.past_radius = past_radius
        self.window_scale = window_scale
        self.heatmap_prior, self.prior_epsilon = heatmap_prior, prior_epsilon
        self.query = nn.Linear(channels, channels)
        # No bias: it would add the same number to every logit of a joint, which softmax does not see.
        self.key = nn.Linear(in_channels, channels, bias=False)
        self.value = nn.Linear(in_channels, channels)
        self.out = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        # softplus(0.5413) = 1: the attention starts at the usual 1 / sqrt(D).
        self.raw_temperature = nn.Parameter(torch.tensor([math.log(math.e - 1)]))  # [1]: FSDP2 shards no scalars
        self.register_buffer("up_y", upsampling_matrix(grid_hw[0], heatmap_hw[0]), persistent=False)
        self.register_buffer("up_x", upsampling_matrix(grid_hw[1], heatmap_hw[1]), persistent=False)

    up_y: Tensor  # [H, h]
    up_x: Tensor  # [W, w]

    def forward(self, joints: Joints, features: Tensor, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """Joints, features ``[B, T, C, h, w]``, heatmaps ``[B, T, J, H, W]`` -> two node sets ``[B, T, J, D]``."""
        logits = self.logits(joints.tokens, features, heatmaps)
        local_radius, global_radius = self.radii(joints.speed, num_frames=features.size(1))
        local = self.read(logits, joints, local_radius, features)
        global_ = self.read(logits, joints, global_radius, features)
        return local, global_

    def logits(self, tokens: Tensor, features: Tensor, heatmaps: Tensor) -> Tensor:
        """Unmasked logits ``[B, T, J, H, W]`` in float32 (paper eq. 7)."""
        query = self.query(tokens) @ self.key.weight  # [B, T, J, C]: W_k^T q
        temperature = F.softplus(self.raw_temperature)
        # Autocast would round each of these products to 8 bits: neighbouring cells would tie.
        with torch.autocast(features.device.type, enabled=False):
            coarse = query.float() @ features.float().flatten(-2)  # [B, T, J, h*w]
            coarse = coarse / (math.sqrt(self.query.out_features) * temperature.float())
            coarse = coarse.view(*coarse.shape[:-1], *features.shape[-2:])
            logits: Tensor = self.up_y @ coarse @ self.up_x.t()
        if self.heatmap_prior:
            logits = logits + (heatmaps.float().clamp_min(0) + self.prior_epsilon).log()
        return logits

    def radii(self, speed: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Window half-widths ``[B, T, J]``, local and global, from the speed ``[B, J]`` in heatmap pixels."""
        current = (self.radius_min + self.radius_growth * speed).clamp(self.radius_min, self.radius_max)
        current = (current * self.window_scale).unsqueeze(1)
        past_local, past_global = (
            speed.new_full((speed.size(0), num_frames - 1, speed.size(1)), radius) for radius in self.past_radius
        )
        return torch.cat([past_local, current], dim=1), torch.cat([past_global, 2 * current], dim=1)

    def read(self, logits: Tensor, joints: Joints, radius: Tensor, features: Tensor) -> Tensor:
        """Attend inside windows of half-width ``radius [B, T, J]`` -> nodes ``[B, T, J, D]`` (paper eq. 9, 10)."""
        mask = window_mask(joints.centres, radius, (logits.size(-2), logits.size(-1)))
        attention = logits.masked_fill(~mask, float("-inf")).flatten(-2).softmax(-1).view_as(logits)
        pulled = self.up_y.t() @ attention @ self.up_x  # [B, T, J, h, w]: U^T a
        pooled = pulled.flatten(-2).to(features.dtype) @ features.flatten(-2).transpose(-1, -2)  # [B, T, J, C]
        context = self.out(self.value(pooled))
        nodes: Tensor = self.norm(joints.tokens + context)
        return nodes


def window_mask(centres: Tensor, radius: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Square windows of half-width ``radius [...]`` around the rounded ``centres [..., 2]``: ``[..., H, W]`` bool.

    Centres are clamped to the grid, so that no window is empty.
    """
    height, width = grid_hw
    x = centres[..., 0].round().clamp(0, width - 1)
    y = centres[..., 1].round().clamp(0, height - 1)
    columns = torch.arange(width, device=centres.device)
    rows = torch.arange(height, device=centres.device)
    near_x = (columns - x.unsqueeze(-1)).abs() <= radius.unsqueeze(-1)
    near_y = (rows - y.unsqueeze(-1)).abs() <= radius.unsqueeze(-1)
    return near_y.unsqueeze(-1) & near_x.unsqueeze(-2)


def upsampling_matrix(size_in: int, size_out: int) -> Tensor:
    """``[size_out, size_in]``: bilinear interpolation along one axis, ``align_corners=False``."""
    identity = torch.eye(size_in).unsqueeze(0)
    return F.interpolate(identity, size=size_out, mode="linear", align_corners=False)[0].t().contiguous()
