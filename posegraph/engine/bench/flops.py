"""How much arithmetic a call does: torch's ``FlopCounterMode``, and what it leaves out.

# N nodes, E edges, H heads, C channels a head, Q queries, K keys

Counted in multiply-adds (MACs): every product, one for each number that is multiplied and added to a sum, zeros of a
padding included. torch's counter knows linear layers, convolutions (transposed ones, too) and batched products. Added
here, for without it they would count as nothing:

- fused attention on the CPU, forward and backward: ``2 Q K C`` a head; 5 products in place of 2 backward, as torch's
  counter has it on a GPU (the scores are made again);
- the graph part of PyG's ``GATConv``: ``2 N H C`` for the two halves of the scores, ``E H C`` for the sum over
  messages, and twice that backward;
- interpolation: 2 an output element and axis, and so sampling between cells (``grid_sample``, which deformable
  convolutions read with): 4 a sample, backward 12 (the map's gradient, and that of both coordinates); products of
  vectors.

PyTorch's fused transformer layer, one operator without a formula, is switched off meanwhile.

Everything else (norms, activations, softmax, residual sums, biases that are added by themselves ...) does no products.
It is counted apart, in elements: for each operation those of the largest tensor that it reads or writes. Views, copies
and look-ups compute nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle
from torch_geometric.nn import GATConv

Shape = tuple[int, ...]
aten = torch.ops.aten


@dataclass(frozen=True)
class Work:
    """What was computed.

    Fields:
        weights: Multiply-adds of activations with weights: linear layers and convolutions.
        attention: Multiply-adds of activations with activations: attention's two products, batched products, and the
            graph part of ``GATConv``.
        elements: Elements that all other operations went over.
    """

    weights: int = 0
    attention: int = 0
    elements: int = 0

    @property
    def macs(self) -> int:
        """Multiply-adds, attention products included."""
        return self.weights + self.attention

    @property
    def flops(self) -> int:
        """Two for each multiply-add."""
        return 2 * self.macs

    def __add__(self, other: Work) -> Work:
        return Work(self.weights + other.weights, self.attention + other.attention, self.elements + other.elements)

    def __sub__(self, other: Work) -> Work:
        return self + Work(-other.weights, -other.attention, -other.elements)


class WorkCounter:
    """Counts what runs between entering and leaving it: on tensors of any device, or on fake ones.

    ``so_far`` is the count; it may be asked for at any time. Code that ``torch.compile`` has compiled is not seen.

    >>> with WorkCounter() as counter, torch.no_grad():
    ...     out = nn.Linear(4, 3)(torch.ones(2, 4))
    >>> counter.so_far.macs
    24
    """

    def __init__(self) -> None:
        self._products = FlopCounterMode(display=False, custom_mapping=_MISSED)
        self._others = _Elements()
        self._graph = 0
        self._hook: RemovableHandle | None = None
        self._fused_layers = True

    def __enter__(self) -> WorkCounter:
        self._fused_layers = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._hook = register_module_forward_hook(self._after_module)
        self._products.__enter__()  # type: ignore[no-untyped-call]  # torch
        self._others.__enter__()  # type: ignore[no-untyped-call]  # torch
        return self

    def __exit__(self, *exception: Any) -> None:
        self._others.__exit__(*exception)  # type: ignore[no-untyped-call]  # torch
        self._products.__exit__(*exception)  # type: ignore[no-untyped-call]  # torch
        assert self._hook is not None
        self._hook.remove()
        torch.backends.mha.set_fastpath_enabled(self._fused_layers)

    @property
    def so_far(self) -> Work:
        """All that was computed since the counter was entered."""
        flops = self._products.get_flop_counts().get("Global", {})
        attention = sum(count for operator, count in flops.items() if _is_attention(operator))
        weights = sum(flops.values()) - attention
        return Work(weights // 2, attention // 2 + self._graph, self._others.count)

    def _after_module(self, module: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        if isinstance(module, GATConv):
            x, edge_index = inputs[:2]
            self._graph += gat_macs(x.size(0), edge_index.size(1), module.heads, module.out_channels) * (
                3 if torch.is_grad_enabled() and x.requires_grad else 1
            )


def gat_macs(nodes: int, edges: int, heads: int, channels: int) -> int:
    """Multiply-adds of ``GATConv`` beside its linear layer: both halves of the scores, and the sum over messages."""
    return (2 * nodes + edges) * heads * channels


def _is_attention(operator: Any) -> bool:
    """Whether its operands are activations; of batched products with one weight, PyTorch makes plain ones."""
    return "attention" in str(operator) or operator in (aten.bmm, aten.baddbmm)


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    batch, heads, queries, channels = query
    return 2 * batch * heads * queries * key[2] * (channels + value[3])


def _attention_backward(_: Shape, query: Shape, key: Shape, value: Shape, *__: Any, **___: Any) -> int:
    """Five products: the scores once more, and the gradients of scores, values, queries and keys."""
    batch, heads, queries, channels = query
    return 2 * batch * heads * queries * key[2] * (3 * channels + 2 * value[3])


def _interpolation(axes: int) -> Callable[..., int]:
    """Forward and backward alike: the larger side has an element for each sum of ``2 ** axes`` neighbours."""

    def flops(first: Shape, *_: Any, out_shape: Shape, **__: Any) -> int:
        neighbours: int = 2**axes
        return 2 * neighbours * max(math.prod(first), math.prod(out_shape))

    return flops


def _sampling(maps: Shape, grid: Shape, *_: Any, **__: Any) -> int:
    """Maps ``[N, channels, ...]`` read at a grid ``[N, H, W, 2]``: four neighbours a sample."""
    return 2 * 4 * maps[1] * math.prod(grid[:-1])


def _sampling_backward(_: Shape, maps: Shape, grid: Shape, *__: Any, **___: Any) -> int:
    """Four neighbours' gradients, and those of both coordinates, each from four neighbours."""
    return 2 * 12 * maps[1] * math.prod(grid[:-1])


def _vector_product(first: Shape, *_: Any, **__: Any) -> int:
    return 2 * math.prod(first)


_MISSED = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    aten.upsample_linear1d: _interpolation(1),
    aten.upsample_linear1d_backward: _interpolation(1),
    aten.upsample_bilinear2d: _interpolation(2),
    aten.upsample_bilinear2d_backward: _interpolation(2),
    aten.grid_sampler_2d: _sampling,
    aten.grid_sampler_2d_backward: _sampling_backward,
    aten.mv: _vector_product,
    aten.dot: _vector_product,
}

_MOVES = {
    *(aten._to_copy, aten._unsafe_view, aten.cat, aten.clone, aten.copy_, aten.gather, aten.index, aten.index_select),
    *(aten.select_backward, aten.slice_backward, aten.stack, aten.embedding, aten.flip, aten.roll, aten.repeat),
    *(aten.constant_pad_nd, aten.new_zeros, aten.new_full, aten.new_ones, aten.new_empty, aten.zeros_like),
    *(aten.ones_like, aten.empty_like, aten.full_like, aten.fill_, aten.zero_, aten._reshape_alias),
}
"""Operations that write tensors and compute nothing. Views are told by their schema, and makers by having no input."""


class _Elements(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
    """Counts the elements of every operation that is no product, no view and no copy."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch
        self.count = 0
        self._products = {*FlopCounterMode(display=False, custom_mapping=_MISSED).flop_registry}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = getattr(func, "_overloadpacket", None)
        if packet not in self._products and packet not in _MOVES and not _is_view(func):
            read, written = _sizes(args), _sizes(out)
            if read and written:
                self.count += max(read + written)
        return out


def _is_view(func: Any) -> bool:
    return any(a.alias_info is not None and not a.alias_info.is_write for a in func._schema.arguments)


def _sizes(value: Any) -> list[int]:
    if isinstance(value, Tensor):
        return [value.numel()]
    return [size for item in value for size in _sizes(item)] if isinstance(value, (tuple, list)) else []
