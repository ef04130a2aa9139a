"""One branch of DSTAG: time first, then skeleton (paper section 3.4; spec section 5).

# B clips, T frames, J joints, D node channels
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from posegraph.graph import ClipData
from posegraph.nn.skeleton_gat import SkeletonGAT
from posegraph.nn.temporal_gat import PastMemory, TemporalGAT


class Branch(nn.Module):
    """Nodes of a clip -> nodes of its key frame.

    Args:
        hops: Which skeleton graph of the clip is used, 1 (local) or 2 (global).
        temporal, memory: Temporal reasoning; both None in the spatial-only variant.
        spatial: Spatial reasoning; None in the temporal-only variant.
    """

    def __init__(
        self,
        hops: Literal[1, 2],
        temporal: TemporalGAT | None,
        memory: PastMemory | None,
        spatial: SkeletonGAT | None,
    ) -> None:
        super().__init__()
        self.edges = f"hop{hops}_edge_index"
        self.temporal, self.memory, self.spatial = temporal, memory, spatial

    def forward(self, nodes: Tensor, clip: ClipData) -> Tensor:
        """``[B, T, J, D]`` -> ``[B, J, D]``."""
        if self.temporal is not None and self.memory is not None:
            moved = self.temporal(nodes.flatten(0, 2), clip.temporal_edge_index).view_as(nodes)
            current = self.memory(moved[:, :-1], moved[:, -1])
        else:
            current = nodes[:, -1]
        if self.spatial is not None:
            current = self.spatial(current.flatten(0, 1), clip[self.edges]).view_as(current)
        out: Tensor = current
        return out
