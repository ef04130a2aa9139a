"""Every kind of layer against a count by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch_geometric.nn import GATConv

from posegraph.engine.bench import Work, WorkCounter
from posegraph.nn.deformable import GuidedDeformation

EDGES = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 0]])


def count(call: Callable[[], object], grad: bool = False) -> Work:
    with WorkCounter() as counter, torch.set_grad_enabled(grad):
        call()
    return counter.so_far


def products(call: Callable[[], object]) -> tuple[int, int]:
    work = count(call)
    return work.weights, work.attention


def test_linear() -> None:
    # 2 rows, 4 in, 3 out
    assert products(lambda: nn.Linear(4, 3)(torch.ones(2, 4))) == (24, 0)
    assert products(lambda: nn.Linear(4, 3, bias=False)(torch.ones(5, 2, 4))) == (120, 0)


def test_convolutions() -> None:
    # 8 out x 4 x 4 cells x (3 in x 3 x 3 taps), the padding's zeros included
    assert products(lambda: nn.Conv2d(3, 8, 3, stride=2, padding=1)(torch.ones(1, 3, 8, 8))) == (8 * 16 * 27, 0)
    # two groups: each output sees half of the channels
    assert products(lambda: nn.Conv2d(4, 6, 1, groups=2)(torch.ones(2, 4, 3, 3))) == (2 * 6 * 9 * 2, 0)


def test_a_transposed_convolution_counts_its_inputs_times_its_taps() -> None:
    layer = nn.ConvTranspose2d(2, 5, 4, stride=2, padding=1)
    assert products(lambda: layer(torch.ones(1, 2, 3, 2))) == (2 * 6 * 5 * 16, 0)


@pytest.mark.parametrize("backend", [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])
def test_attention_is_two_products_whichever_way_it_is_computed(backend: SDPBackend) -> None:
    query, key = torch.ones(1, 2, 3, 4), torch.ones(1, 2, 5, 4)  # 2 heads, 3 queries, 5 keys, 4 channels
    with sdpa_kernel(backend):
        assert products(lambda: F.scaled_dot_product_attention(query, key, key)) == (0, 2 * (2 * 3 * 5 * 4))


def test_multi_head_attention() -> None:
    layer, tokens = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.ones(2, 3, 8)
    weights = 6 * 8 * 24 + 6 * 8 * 8  # queries, keys and values; the output
    attention = 2 * (2 * 2 * 3 * 3 * 4)  # clips, heads, queries, keys, channels
    assert products(lambda: layer(tokens, tokens, tokens, need_weights=False)) == (weights, attention)


def test_a_transformer_layer_that_torch_would_fuse() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).eval()
    weights = 4 * (8 * 24 + 8 * 8 + 2 * 8 * 16)
    assert products(lambda: layer(torch.ones(1, 4, 8))) == (weights, 2 * (2 * 4 * 4 * 4))
    assert torch.backends.mha.get_fastpath_enabled()


def test_graph_attention() -> None:
    layer = GATConv(6, 5, heads=2, concat=False, add_self_loops=False)
    linear = 3 * 6 * 10  # nodes, in, heads x out
    scores, messages = 2 * 3 * 10, 4 * 10  # both ends of 3 nodes; 4 edges
    assert products(lambda: layer(torch.ones(3, 6), EDGES)) == (linear, scores + messages)


def test_batched_products_and_einsum() -> None:
    one, other = torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    assert products(lambda: one @ other) == (0, 120)
    assert products(lambda: torch.einsum("bij,bjk->bik", one, other)) == (0, 120)


def test_products_of_vectors() -> None:
    assert products(lambda: torch.ones(3, 4) @ torch.ones(4)) == (12, 0)
    assert products(lambda: torch.ones(4) @ torch.ones(4)) == (4, 0)


def test_interpolation() -> None:
    image, line = torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2)
    assert products(lambda: F.interpolate(image, size=(4, 4), mode="bilinear")) == (4 * 3 * 16, 0)
    assert products(lambda: F.interpolate(line, size=4, mode="linear")) == (2 * 3 * 4, 0)


def test_what_does_no_products_is_counted_in_elements() -> None:
    x = torch.ones(2, 5)

    def elements(call: Callable[[], object]) -> int:
        work = count(call)
        assert work.macs == 0
        return work.elements

    assert elements(lambda: x.relu()) == 10
    assert elements(lambda: x.sum()) == 10
    assert elements(lambda: x.softmax(-1)) == 10
    assert elements(lambda: F.gelu(x)) == 10
    assert elements(lambda: F.layer_norm(x, (5,))) == 10
    assert elements(lambda: x + torch.ones(3, 2, 5)) == 30
    assert elements(lambda: torch.cat([x.t().reshape(10), x.flatten()]).clone()[3:].view(17, 1)) == 0


def test_two_flops_are_a_mac_and_work_adds_up() -> None:
    work = Work(10, 2, 5) + Work(1, 1, 1) - Work(0, 1, 0)
    assert (work.weights, work.attention, work.elements, work.macs, work.flops) == (11, 2, 6, 13, 26)


def backward(call: Callable[[], Tensor]) -> tuple[int, int]:
    work = count(lambda: call().sum().backward(), grad=True)
    return work.weights, work.attention


def test_backward_costs_twice_the_forward_where_inputs_learn() -> None:
    layer, x = nn.Linear(4, 3), torch.ones(2, 4)
    assert backward(lambda: layer(x)) == (2 * 24, 0)  # no gradient of the input
    assert backward(lambda: layer(x.clone().requires_grad_())) == (3 * 24, 0)
    graph = GATConv(6, 5, heads=2, concat=False, add_self_loops=False)
    assert backward(lambda: graph(torch.ones(3, 6, requires_grad=True), EDGES)) == (3 * 180, 3 * 100)


def test_attention_backward_makes_its_scores_again() -> None:
    query, key, value = (torch.ones(1, 2, size, 4, requires_grad=True) for size in (3, 5, 5))
    assert backward(lambda: F.scaled_dot_product_attention(query, key, value)) == (0, (2 + 5) * 120)


def test_sampling_between_cells() -> None:
    maps, grid = torch.ones(2, 3, 4, 5, requires_grad=True), torch.zeros(2, 6, 7, 2, requires_grad=True)

    def sampled() -> Tensor:
        return F.grid_sample(maps, grid, align_corners=True)

    samples = 2 * 3 * 6 * 7  # each of four neighbours
    assert products(sampled) == (4 * samples, 0)
    # backward: to four neighbours, and from four to each of two coordinates
    assert backward(sampled) == (4 * samples + 12 * samples, 0)


def test_a_deformable_convolution() -> None:
    joints, guide, cells = 3, 4, 6 * 5
    layer = GuidedDeformation(guide, joints, dilation=2, masked=True, identity=False)
    places = cells * guide * 9 * 27  # to two offsets and a factor of nine taps
    samples = joints * 9 * cells
    work = products(lambda: layer(torch.ones(1, joints, 6, 5), torch.ones(1, guide, 6, 5)))
    # The taps' weights come as a batched product, which counts like one of two activations.
    assert work == (places + 4 * samples, samples)


def test_interpolation_backward() -> None:
    image = torch.ones(1, 3, 2, 2, requires_grad=True)
    assert backward(lambda: F.interpolate(image, size=(4, 4), mode="bilinear")) == (2 * 4 * 3 * 16, 0)


def test_fake_tensors_count_as_real_ones_do() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).eval()
    real = count(lambda: layer(torch.ones(1, 4, 8)))
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert count(lambda: layer(torch.ones(1, 4, 8))) == real


def test_counting_ends_with_its_block() -> None:
    with WorkCounter() as counter, torch.no_grad():
        nn.Linear(4, 3)(torch.ones(2, 4))
        assert counter.so_far.macs == 24
        nn.Linear(4, 3)(torch.ones(2, 4))
    nn.Linear(4, 3)(torch.ones(2, 4))
    GATConv(6, 5, add_self_loops=False)(torch.ones(3, 6), EDGES)
    assert counter.so_far.macs == 48
