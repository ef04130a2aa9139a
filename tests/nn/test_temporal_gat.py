"""Graph attention through time: by hand on two nodes, and what may not flow."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from posegraph.graph import temporal_chain, with_self_loops
from posegraph.nn.temporal_gat import PastMemory, TemporalGAT

T, J, D = 3, 4, 8


def edges(num_frames: int = T, num_joints: int = J) -> torch.Tensor:
    return with_self_loops(temporal_chain(num_frames, num_joints), num_frames * num_joints)


def test_two_nodes_by_hand() -> None:
    """One joint in two frames: the second node attends to the first and to itself, the first to itself alone."""
    torch.manual_seed(0)
    layer, x = TemporalGAT(D, heads=2), torch.randn(2, D)
    weight = layer.conv.lin.weight.view(2, D, D)
    source, target, bias = layer.conv.att_src[0], layer.conv.att_dst[0], layer.conv.bias
    messages = []
    for head in range(2):
        first, second = weight[head] @ x[0], weight[head] @ x[1]
        wanted = second @ target[head]
        logits = F.leaky_relu(torch.stack([first @ source[head] + wanted, second @ source[head] + wanted]), 0.2)
        share = logits.exp() / logits.exp().sum()
        messages.append(torch.stack([first, share[0] * first + share[1] * second]))
    expected = F.layer_norm(x + torch.stack(messages).mean(0) + bias, (D,))
    torch.testing.assert_close(layer(x, edges(2, 1)), expected)


def test_nothing_flows_back_in_time_nor_to_another_joint() -> None:
    torch.manual_seed(0)
    layer, x = TemporalGAT(D), torch.randn(T * J, D)
    before = layer(x, edges())
    for frame in range(T):
        for joint in range(J):
            moved = x.clone()
            moved[frame * J + joint] += 1
            changed = (layer(moved, edges()) - before).abs().amax(-1).view(T, J) > 1e-6
            expected = torch.zeros(T, J, dtype=torch.bool)
            expected[frame : frame + 2, joint] = True  # one layer reaches one frame
            assert torch.equal(changed, expected)


def test_memory_gate_blends_current_and_past() -> None:
    torch.manual_seed(0)
    memory = PastMemory(D, heads=2, layers=1)
    past, current = torch.randn(2, 2, J, D), torch.randn(2, J, D)
    last = memory.gate[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, 40.0)  # g = 1: nothing of the past
    torch.testing.assert_close(memory(past, current), current)
    torch.nn.init.constant_(last.bias, -40.0)  # g = 0: the past alone
    summary = memory(past, current)
    torch.testing.assert_close(memory(past, torch.randn(2, J, D)), summary)
    torch.nn.init.zeros_(last.bias)  # g = 1/2
    torch.testing.assert_close(memory(past, current), (current + summary) / 2)


def test_memory_reads_a_joints_own_past_in_its_order() -> None:
    torch.manual_seed(0)
    memory = PastMemory(D, heads=2, layers=1)
    torch.nn.init.normal_(memory.time_embedding)
    past, current = torch.randn(2, 2, J, D), torch.randn(2, J, D)
    before = memory(past, current)
    assert (memory(past.flip(1), current) - before).abs().amax(-1).min() > 1e-4
    moved = past.clone()
    moved[1, 0, 2, 3] += 1  # one channel: the same on all is removed by LayerNorm
    changed = (memory(moved, current) - before).abs().amax(-1) > 1e-6
    assert changed.nonzero().tolist() == [[1, 2]]
