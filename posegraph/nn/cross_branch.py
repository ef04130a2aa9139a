"""Bi-directional attention between the branches (paper section 3.4.3, eq. 15; spec section 5)."""

from __future__ import annotations

from torch import Tensor, nn


class CrossBranchAttention(nn.Module):
    """Local joints attend to the global ones of the same clip, and the reverse; residual and LayerNorm on both."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.to_local = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.to_global = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.local_norm = nn.LayerNorm(channels)
        self.global_norm = nn.LayerNorm(channels)

    def forward(self, local: Tensor, global_: Tensor) -> tuple[Tensor, Tensor]:
        """Two ``[B, J, D]`` -> two ``[B, J, D]``. Both directions read the nodes as they came in."""
        from_global, _ = self.to_local(local, global_, global_, need_weights=False)
        from_local, _ = self.to_global(global_, local, local, need_weights=False)
        return self.local_norm(local + from_global), self.global_norm(global_ + from_local)
