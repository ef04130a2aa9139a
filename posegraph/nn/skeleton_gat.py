"""Spatial reasoning of one branch: graph attention over the skeleton (paper section 3.4.2; spec section 5)."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.nn import GATConv


class SkeletonGAT(nn.Module):
    """``norm(x + GATConv(x))`` over skeleton edges: 1 hop in the local branch, at most 2 in the global one."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.conv = GATConv(channels, channels, heads=heads, concat=False, add_self_loops=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Nodes ``[N, D]`` of any graph, ``edge_index [2, E]`` -> ``[N, D]``."""
        out: Tensor = self.norm(x + self.conv(x, edge_index))
        return out
