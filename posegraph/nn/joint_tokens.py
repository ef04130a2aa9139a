"""DSTA's parts: joint tokens of every frame, attention over joints and over time apart, and regressed points.

# N frames, B clips, T frames of a clip, J joints, C backbone channels, D token channels, h x w backbone grid

After He and Yang 2024, "Video-Based Human Pose Regression via Decoupled Space-Time Aggregation", and for spreads and
their loss Li et al. 2021, "Human Pose Regression with Residual Log-likelihood Estimation". What is kept and what is
not: docs/architecture.md.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_SPREAD = 1e-3
"""Of the crop's width: below it a spread would reward a single exact point without bound."""


class JointTokens(nn.Module):
    """A frame's features -> one token a joint, pooled from the whole grid by attention.

    A joint's query is learned and the same for all images. Beside the features' weighted mean, a token knows that of
    the cells' positions: features that were made for heatmaps say what is where by their cell, not by their channels.

    Args:
        in_channels, channels: ``C`` and ``D``.
        num_joints: ``J``.
        grid_hw: ``(h, w)``.
        heads: Of the attention.
    """

    def __init__(self, in_channels: int, channels: int, num_joints: int, grid_hw: tuple[int, int], heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.joint_embedding = nn.Embedding(num_joints, channels)
        self.query, self.key = nn.Linear(channels, channels), nn.Linear(in_channels, channels)
        self.value, self.position = nn.Linear(in_channels, channels), nn.Linear(2, channels, bias=False)
        self.out = nn.Linear(channels, channels)
        rows, columns = (torch.linspace(-1, 1, size) for size in grid_hw)
        cells = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)  # [h, w, 2], (x, y)
        self.register_buffer("cells", cells.flatten(0, 1), persistent=False)

    cells: Tensor  # [h*w, 2]

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, J, D]``."""
        grid = features.flatten(-2).transpose(1, 2)  # [N, h*w, C]
        joints = self.joint_embedding.weight
        query = self._split(self.query(joints).expand(grid.size(0), *joints.shape))
        key, value = self._split(self.key(grid)), self._split(self.value(grid) + self.position(self.cells))
        pooled = F.scaled_dot_product_attention(query, key, value)  # [N, heads, J, D / heads]
        tokens: Tensor = joints + self.out(pooled.transpose(1, 2).flatten(-2))
        return tokens

    def _split(self, x: Tensor) -> Tensor:
        """``[N, L, D]`` -> ``[N, heads, L, D / heads]``."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class JointAttention(nn.Module):
    """Space: the joints of one frame look at each other."""

    def __init__(self, channels: int, heads: int, layers: int) -> None:
        super().__init__()
        self.encoder = _encoder(channels, heads, layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, J, D]`` -> ``[B, J, D]``."""
        out: Tensor = self.encoder(tokens)
        return out


class FrameAttention(nn.Module):
    """Time: each joint looks at itself in all frames of the clip.

    Args:
        channels, heads, layers: Of the transformer.
        num_frames: ``T``.
        key: Number of the key frame, whose tokens are returned.
    """

    def __init__(self, channels: int, heads: int, layers: int, num_frames: int, key: int) -> None:
        super().__init__()
        self.key = key
        self.time_embedding = nn.Parameter(torch.zeros(num_frames, channels))
        nn.init.normal_(self.time_embedding, std=0.02)
        self.encoder = _encoder(channels, heads, layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, T, J, D]`` -> ``[B, J, D]``."""
        num_clips, num_frames, num_joints, channels = tokens.shape
        chains = tokens.transpose(1, 2).reshape(num_clips * num_joints, num_frames, channels) + self.time_embedding
        out: Tensor = self.encoder(chains)[:, self.key]
        return out.view(num_clips, num_joints, channels)


class PointRegression(nn.Module):
    """Both views of a joint -> its point and how far off it may be; every joint has a last layer of its own."""

    def __init__(self, channels: int, num_joints: int) -> None:
        super().__init__()
        self.merge = nn.Sequential(nn.Linear(2 * channels, channels), nn.GELU())
        self.weight = nn.Parameter(torch.zeros(num_joints, channels, 4))
        self.bias = nn.Parameter(torch.zeros(num_joints * 4))  # a vector: those have no weight decay
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, space: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Two ``[B, J, D]`` -> points and spreads ``[B, J, 2]``, normalised, float32. Points start near the middle."""
        merged = self.merge(torch.cat([space, time], dim=-1)).transpose(0, 1)  # [J, B, D]
        with torch.autocast(merged.device.type, enabled=False):
            bias = self.bias.float().view(-1, 1, 4)
            out = torch.baddbmm(bias, merged.float(), self.weight.float()).transpose(0, 1)  # [B, J, 4]
        spread = SMALLEST_SPREAD + (1 - SMALLEST_SPREAD) * torch.sigmoid(out[..., 2:])
        return 0.5 + out[..., :2], spread


def _encoder(channels: int, heads: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        channels, heads, dim_feedforward=4 * channels, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(channels), enable_nested_tensor=False)
