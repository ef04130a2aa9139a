"""Graph attention over the skeleton: how far information reaches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from posegraph.graph import skeleton_hops, with_self_loops
from posegraph.nn.skeleton_gat import SkeletonGAT
from posegraph.skeleton import Skeleton

D = 8
CHAIN = Skeleton(name="chain", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")))


@pytest.mark.parametrize(("hops", "reached"), [(1, [0, 1, 2]), (2, [0, 1, 2, 3])])
def test_information_reaches_as_far_as_the_hops(hops: int, reached: list[int]) -> None:
    torch.manual_seed(0)
    layer, x = SkeletonGAT(D), torch.randn(5, D)
    edge_index = with_self_loops(skeleton_hops(CHAIN, hops), 5)
    before = layer(x, edge_index)
    x[1] += 1
    changed = (layer(x, edge_index) - before).abs().amax(-1) > 1e-6
    assert changed.nonzero().flatten().tolist() == reached


def test_a_joint_without_bones_sees_itself_alone() -> None:
    torch.manual_seed(0)
    layer, x = SkeletonGAT(D, heads=1), torch.randn(3, D)
    alone = layer(x, with_self_loops(torch.empty(2, 0, dtype=torch.long), 3))
    torch.testing.assert_close(alone, F.layer_norm(x + layer.conv.lin(x) + layer.conv.bias, (D,)))


def test_equal_neighbours_are_averaged() -> None:
    """Attention over equal nodes is uniform, so the message is the node's own transform."""
    torch.manual_seed(0)
    layer, x = SkeletonGAT(D, heads=1), torch.randn(1, D).expand(5, D).contiguous()
    out = layer(x, with_self_loops(skeleton_hops(CHAIN, 2), 5))
    torch.testing.assert_close(out, F.layer_norm(x + layer.conv.lin(x) + layer.conv.bias, (D,)))
