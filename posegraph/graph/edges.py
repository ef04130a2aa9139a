"""Edge lists of the pose graph, as pure functions. An edge ``(a, b)`` carries a message from ``a`` to ``b``.

# T frames, J joints, E edges
Node ``(frame, joint)`` of a clip has index ``frame * J + joint``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posegraph.skeleton import Skeleton


def temporal_chain(num_frames: int, num_joints: int) -> Tensor:
    """Edges ``[2, (T-1) * J]`` from each joint to itself one frame later; nothing flows back (paper eq. 11).

    >>> temporal_chain(num_frames=2, num_joints=2).tolist()
    [[0, 1], [2, 3]]
    """
    source = torch.arange((num_frames - 1) * num_joints)
    return torch.stack([source, source + num_joints])


def skeleton_hops(skeleton: Skeleton, hops: int) -> Tensor:
    """Edges ``[2, E]``, both ways, between joints at most ``hops`` bones apart (paper eq. 13: 1, eq. 14: 2)."""
    pairs = skeleton.neighbours(hops)
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t().contiguous()


def with_self_loops(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Edges ``[2, E + num_nodes]``: the given ones, then one from every node to itself."""
    nodes = torch.arange(num_nodes, device=edge_index.device)
    return torch.cat([edge_index, torch.stack([nodes, nodes])], dim=1)
