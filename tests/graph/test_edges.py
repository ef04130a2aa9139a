"""Edge lists on graphs small enough to write down."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from posegraph.graph import AddSkeletonHops, AddTemporalChains, skeleton_hops, temporal_chain, with_self_loops
from posegraph.skeleton import Skeleton

CHAIN = Skeleton(name="chain", joints=("a", "b", "c", "d"), bones=(("a", "b"), ("b", "c"), ("c", "d")))
APART = Skeleton(name="apart", joints=("a", "b", "c"), bones=(("c", "a"),))


def pairs(edge_index: torch.Tensor) -> list[tuple[int, int]]:
    return sorted(map(tuple, edge_index.t().tolist()))


def test_temporal_chain_of_two_frames() -> None:
    assert temporal_chain(num_frames=2, num_joints=2).tolist() == [[0, 1], [2, 3]]


def test_temporal_chain_of_three_frames_points_forwards_one_frame() -> None:
    assert temporal_chain(num_frames=3, num_joints=2).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_temporal_chain_of_one_frame_is_empty() -> None:
    found = temporal_chain(num_frames=1, num_joints=4)
    assert (found.shape, found.dtype) == ((2, 0), torch.int64)


def test_hops_of_a_chain() -> None:
    one = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert pairs(skeleton_hops(CHAIN, 1)) == one
    assert pairs(skeleton_hops(CHAIN, 2)) == sorted([*one, (0, 2), (2, 0), (1, 3), (3, 1)])
    assert pairs(skeleton_hops(CHAIN, 3)) == [(a, b) for a in range(4) for b in range(4) if a != b]


def test_hops_do_not_cross_a_gap() -> None:
    assert pairs(skeleton_hops(APART, 2)) == [(0, 2), (2, 0)]


def test_hops_without_bones() -> None:
    found = skeleton_hops(Skeleton(name="dust", joints=("a", "b")), 1)
    assert (found.shape, found.dtype) == ((2, 0), torch.int64)


def test_two_hops_are_the_union_of_a_and_a_squared() -> None:
    coco = Skeleton.load("coco17")
    adjacency = torch.zeros(17, 17)
    for a, b in coco.bone_rows:
        adjacency[a, b] = adjacency[b, a] = 1
    near = (adjacency + adjacency @ adjacency > 0) & ~torch.eye(17, dtype=torch.bool)
    assert pairs(skeleton_hops(coco, 2)) == sorted(map(tuple, near.nonzero().tolist()))


def test_self_loops_come_last() -> None:
    assert with_self_loops(torch.tensor([[0], [2]]), 3).tolist() == [[0, 0, 1, 2], [2, 0, 1, 2]]


def test_transforms_add_self_loops_to_any_data() -> None:
    data = AddSkeletonHops(APART)(AddTemporalChains(2, 3)(Data(num_nodes=6)))
    assert pairs(data.temporal_edge_index) == sorted([(0, 3), (1, 4), (2, 5), *((n, n) for n in range(6))])
    assert pairs(data.hop1_edge_index) == [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]
    assert torch.equal(data.hop1_edge_index, data.hop2_edge_index)
