"""The pose graph: edges, and clips as PyG data."""

from posegraph.graph.clip_data import ClipData
from posegraph.graph.edges import skeleton_hops, temporal_chain, with_self_loops
from posegraph.graph.transforms import AddSkeletonHops, AddTemporalChains

__all__ = [
    "AddSkeletonHops",
    "AddTemporalChains",
    "ClipData",
    "skeleton_hops",
    "temporal_chain",
    "with_self_loops",
]
