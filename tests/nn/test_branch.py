"""One branch: time before skeleton, and which past a joint may know."""

from __future__ import annotations

import torch
from torch_geometric.data import Batch

from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.nn.branch import Branch
from posegraph.nn.skeleton_gat import SkeletonGAT
from posegraph.nn.temporal_gat import PastMemory, TemporalGAT
from posegraph.skeleton import Skeleton

T, J, D = 3, 5, 8
CHAIN = Skeleton(name="chain", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")))


def clips(count: int) -> Batch:
    add = (AddTemporalChains(T, J), AddSkeletonHops(CHAIN))
    return Batch.from_data_list(
        [add[1](add[0](ClipData(frames=torch.zeros(1, T, 3, 2, 2), num_nodes=T * J))) for _ in range(count)]
    )


def branch(hops=1, time: bool = True, space: bool = True) -> Branch:
    torch.manual_seed(0)
    temporal, memory = (TemporalGAT(D), PastMemory(D, 2, 1)) if time else (None, None)
    return Branch(hops, temporal, memory, SkeletonGAT(D) if space else None)


def reach(module: Branch, frame: int, joint: int) -> list[int]:
    """Joints of the key frame's output that change when one input node changes."""
    clip, nodes = clips(1), torch.randn(1, T, J, D)
    before = module(nodes, clip)
    nodes[0, frame, joint] += 1
    return ((module(nodes, clip) - before).abs().amax(-1) > 1e-6).nonzero()[:, 1].tolist()


def test_in_time_a_joint_knows_its_own_past_alone() -> None:
    module = branch(space=False)
    for frame in range(T):
        assert [reach(module, frame, joint) for joint in range(J)] == [[0], [1], [2], [3], [4]]


def test_graph_attention_alone_reaches_one_frame_back() -> None:
    module = branch(space=False)
    torch.nn.init.zeros_(module.memory.gate[-1].weight)
    torch.nn.init.constant_(module.memory.gate[-1].bias, 40.0)  # nothing of the memory
    assert [reach(module, frame, 2) for frame in range(T)] == [[], [2], [2]]


def test_the_skeleton_spreads_it_by_one_hop_or_two() -> None:
    for frame in range(T):
        assert reach(branch(hops=1), frame, 2) == [1, 2, 3]
        assert reach(branch(hops=2), frame, 2) == [0, 1, 2, 3, 4]
        assert reach(branch(hops=2), frame, 0) == [0, 1, 2]


def test_without_time_the_past_is_not_read() -> None:
    module = branch(time=False)
    assert reach(module, 0, 2) == reach(module, 1, 2) == []
    assert reach(module, 2, 2) == [1, 2, 3]


def test_without_both_the_key_frames_nodes_pass_unchanged() -> None:
    nodes = torch.randn(1, T, J, D)
    assert torch.equal(branch(time=False, space=False)(nodes, clips(1)), nodes[:, -1])


def test_a_batch_is_its_clips() -> None:
    module, nodes = branch(hops=2), torch.randn(3, T, J, D)
    together = module(nodes, clips(3))
    assert together.shape == (3, J, D)
    for place in range(3):
        torch.testing.assert_close(together[place : place + 1], module(nodes[place : place + 1], clips(1)))
