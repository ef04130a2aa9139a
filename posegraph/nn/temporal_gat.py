"""Temporal reasoning of one branch: causal graph attention and a past memory (paper section 3.4.1; spec section 5).

# B clips, T frames, J joints, D node channels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv


class TemporalGAT(nn.Module):
    """Attention along each joint's chain: ``norm(x + GATConv(x))`` over directed edges ``(t-1, j) -> (t, j)``.

    The heads are averaged, so that ``channels`` need not be divided among them.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        # Self-loops are in the edge list: shapes stay static for compiling and export.
        self.conv = GATConv(channels, channels, heads=heads, concat=False, add_self_loops=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Nodes ``[N, D]`` of any graph, ``edge_index [2, E]`` -> ``[N, D]``."""
        out: Tensor = self.norm(x + self.conv(x, edge_index))
        return out


class PastMemory(nn.Module):
    """Summarise a joint's past nodes and blend them into its current one (paper eq. 12).

    A Transformer encoder over the past tokens, with a time embedding, averaged to ``m``; gate
    ``g = sigmoid(MLP [h; m])``; ``u = g h + (1 - g) m``.
    """

    def __init__(self, channels: int, heads: int = 4, layers: int = 2, past_frames: int = 2) -> None:
        super().__init__()
        self.time_embedding = nn.Parameter(torch.zeros(past_frames, channels))
        nn.init.normal_(self.time_embedding, std=0.02)
        layer = nn.TransformerEncoderLayer(
            channels,
            heads,
            dim_feedforward=4 * channels,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(channels), enable_nested_tensor=False)
        self.gate = nn.Sequential(nn.Linear(2 * channels, channels), nn.GELU(), nn.Linear(channels, channels))

    def forward(self, past: Tensor, current: Tensor) -> Tensor:
        """Past ``[B, T-1, J, D]``, current ``[B, J, D]`` -> ``[B, J, D]``."""
        num_clips, num_past, num_joints, channels = past.shape
        tokens = past.transpose(1, 2).reshape(num_clips * num_joints, num_past, channels) + self.time_embedding
        memory = self.encoder(tokens).mean(dim=1).view(num_clips, num_joints, channels)
        gate = torch.sigmoid(self.gate(torch.cat([current, memory], dim=-1)))
        blended: Tensor = gate * current + (1 - gate) * memory
        return blended
