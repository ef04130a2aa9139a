"""PyG transforms that give a clip its pose graph."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from posegraph.graph.edges import skeleton_hops, temporal_chain, with_self_loops
from posegraph.skeleton import Skeleton


class AddTemporalChains(BaseTransform):  # type: ignore[misc]  # PyG ships no types for it
    """Add ``temporal_edge_index [2, (2T-1) J]``: chains of each joint through ``T`` frames, and self-loops."""

    def __init__(self, num_frames: int, num_joints: int) -> None:
        self.edge_index = with_self_loops(temporal_chain(num_frames, num_joints), num_frames * num_joints)

    def forward(self, data: Data) -> Data:
        data.temporal_edge_index = self.edge_index
        return data


class AddSkeletonHops(BaseTransform):  # type: ignore[misc]  # PyG ships no types for it
    """Add ``hop1_edge_index`` and ``hop2_edge_index`` over the key frame's joints, self-loops included."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.hop1 = with_self_loops(skeleton_hops(skeleton, 1), skeleton.num_joints)
        self.hop2 = with_self_loops(skeleton_hops(skeleton, 2), skeleton.num_joints)

    def forward(self, data: Data) -> Data:
        data.hop1_edge_index = self.hop1
        data.hop2_edge_index = self.hop2
        return data
