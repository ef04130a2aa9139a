"""The branches of DSTAG and their cross attention as one, for inference: each step is one product for all branches.

# S branches (local and global, or one of them), B clips, T frames, J joints, D node channels, H attention heads

Same answers as :class:`~posegraph.nn.branch.Branch` and :class:`~posegraph.nn.cross_branch.CrossBranchAttention`, in a
third of the operations. The graphs are those of a clip: a node's chain has two edges at most, so that its attention is
one sigmoid, and the skeleton's few joints take dense attention under a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GATConv

from posegraph.nn.branch import Branch
from posegraph.nn.cross_branch import CrossBranchAttention
from posegraph.nn.skeleton_gat import SkeletonGAT
from posegraph.nn.temporal_gat import PastMemory, TemporalGAT


class StackedBranches(nn.Module):
    """Nodes of all branches -> nodes of the key frame.

    Args:
        branches: Of one kind: all with, or all without, temporal and spatial reasoning.
        cross_branch: Their cross attention; None where there is one branch.
        skeleton_edges: Each branch's ``[2, E]`` among the joints of one clip, self-loops included.
        num_joints: ``J``.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        cross_branch: CrossBranchAttention | None,
        skeleton_edges: Sequence[Tensor],
        num_joints: int,
    ) -> None:
        super().__init__()
        temporal = [branch.temporal for branch in branches if branch.temporal is not None]
        memory = [branch.memory for branch in branches if branch.memory is not None]
        spatial = [branch.spatial for branch in branches if branch.spatial is not None]
        self.temporal = _Temporal(temporal) if temporal else None
        self.memory = _Memory(memory) if memory else None
        self.spatial = _Spatial(spatial, skeleton_edges, num_joints) if spatial else None
        self.cross_branch = None if cross_branch is None else _CrossBranch(cross_branch)

    def forward(self, nodes: Tensor) -> Tensor:
        """``[S, B, T, J, D]`` -> ``[S, B, J, D]``."""
        if self.temporal is not None and self.memory is not None:
            moved = self.temporal(nodes)
            current: Tensor = self.memory(moved[:, :, :-1], moved[:, :, -1])
        else:
            current = nodes[:, :, -1]
        if self.spatial is not None:
            current = self.spatial(current)
        if self.cross_branch is not None:
            current = self.cross_branch(current)
        return current


class StackedLinear(nn.Module):
    """``S`` linear layers, each on its own input; layer norms before them can be folded in.

    Args:
        weights: ``S`` of ``[out, in]``.
        biases: ``S`` of ``[out]``.
        norms: Layer norms whose scale and shift the layers take over.
    """

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], norms: Sequence[nn.LayerNorm] | None = None
    ) -> None:
        super().__init__()
        if norms is not None:
            biases = [bias + weight @ norm.bias for weight, bias, norm in zip(weights, biases, norms, strict=True)]
            weights = [weight * norm.weight for weight, norm in zip(weights, norms, strict=True)]
        self.register_buffer("weight", torch.stack([weight.t() for weight in weights]).contiguous(), persistent=False)
        self.register_buffer("bias", torch.stack(list(biases)).unsqueeze(1), persistent=False)

    weight: Tensor  # [S, in, out]
    bias: Tensor  # [S, 1, out]

    @classmethod
    def of(cls, layers: Sequence[nn.Linear], norms: Sequence[nn.LayerNorm] | None = None) -> StackedLinear:
        """Of layers with biases."""
        return cls([layer.weight for layer in layers], [layer.bias for layer in layers], norms)

    def forward(self, x: Tensor) -> Tensor:
        """``[S, ..., in]`` -> ``[S, ..., out]``."""
        out = torch.baddbmm(self.bias, x.flatten(1, -2), self.weight)
        return out.view(*x.shape[:-1], out.size(-1))


class _StackedNorm(nn.Module):
    def __init__(self, norms: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.eps = norms[0].eps
        self.register_buffer("weight", torch.stack([norm.weight for norm in norms]), persistent=False)  # [S, D]
        self.register_buffer("bias", torch.stack([norm.bias for norm in norms]), persistent=False)

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        shape = (x.size(0), *(1 for _ in x.shape[2:]), x.size(-1))
        normed = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return torch.addcmul(self.bias.view(shape), normed, self.weight.view(shape))


class _Projection(nn.Module):
    """What graph attention makes of each node: its message under every head, and its two parts of the logits."""

    def __init__(self, convolutions: Sequence[GATConv]) -> None:
        super().__init__()
        first = convolutions[0]
        self.heads, self.slope = first.heads, first.negative_slope
        weights = []
        for conv in convolutions:
            by_head = conv.lin.weight.view(conv.heads, -1, conv.lin.weight.size(1))  # [H, D, D]
            ends = [torch.einsum("hd,hdi->hi", att[0], by_head) for att in (conv.att_src, conv.att_dst)]
            weights.append(torch.cat([conv.lin.weight, *ends]))
        self.linear = StackedLinear(weights, [weight.new_zeros(len(weight)) for weight in weights])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``[S, ..., D]`` -> messages ``[S, ..., H, D]``, logits of sources and of targets ``[S, ..., H]``."""
        messages, source, target = self.linear(x).split([self.heads * x.size(-1), self.heads, self.heads], dim=-1)
        return messages.unflatten(-1, (self.heads, -1)), source, target


class _Temporal(nn.Module):
    """:class:`TemporalGAT` along chains."""

    def __init__(self, layers: Sequence[TemporalGAT]) -> None:
        super().__init__()
        self.project = _Projection([layer.conv for layer in layers])
        self.norm = _StackedNorm([layer.norm for layer in layers])
        self.register_buffer("bias", _biases([layer.conv for layer in layers], dims=5), persistent=False)

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        messages, source, target = self.project(x)  # [S, B, T, J, H, D], [S, B, T, J, H]
        own = F.leaky_relu(source[:, :, 1:] + target[:, :, 1:], self.project.slope)
        before = F.leaky_relu(source[:, :, :-1] + target[:, :, 1:], self.project.slope)
        own_share = torch.sigmoid(own - before).unsqueeze(-1)  # the softmax of two
        later = torch.lerp(messages[:, :, :-1], messages[:, :, 1:], own_share)
        mean = torch.cat([messages[:, :, :1].mean(dim=-2), later.mean(dim=-2)], dim=2)
        out: Tensor = self.norm(x + self.bias + mean)
        return out


class _Spatial(nn.Module):
    """:class:`SkeletonGAT` on the joints of single clips."""

    def __init__(self, layers: Sequence[SkeletonGAT], edges: Sequence[Tensor], num_joints: int) -> None:
        super().__init__()
        self.project = _Projection([layer.conv for layer in layers])
        self.norm = _StackedNorm([layer.norm for layer in layers])
        self.register_buffer("bias", _biases([layer.conv for layer in layers], dims=4), persistent=False)
        mask = torch.full((len(layers), num_joints, num_joints), float("-inf"), device=self.bias.device)
        for row, edge_index in enumerate(edges):
            mask[row, edge_index[1], edge_index[0]] = 0.0
        self.register_buffer("mask", mask[:, None, :, :, None], persistent=False)  # [S, 1, to, from, 1]

    bias: Tensor
    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        messages, source, target = self.project(x)  # [S, B, J, H, D], [S, B, J, H]
        logits = F.leaky_relu(target.unsqueeze(3) + source.unsqueeze(2), self.project.slope) + self.mask
        shares = logits.softmax(dim=3).flatten(3) / self.project.heads  # [S, B, J, J * H]: the mean over the heads
        out: Tensor = self.norm(x + self.bias + shares @ messages.flatten(2, 3))
        return out


class _Memory(nn.Module):
    """:class:`PastMemory`."""

    def __init__(self, memories: Sequence[PastMemory]) -> None:
        super().__init__()
        encoders, gates = [memory.encoder for memory in memories], [memory.gate for memory in memories]
        self.layers = nn.ModuleList(_EncoderLayer(layers) for layers in zip(*(e.layers for e in encoders), strict=True))
        self.norm = _StackedNorm([cast(nn.LayerNorm, encoder.norm) for encoder in encoders])
        times = torch.stack([memory.time_embedding for memory in memories])
        self.register_buffer("times", times[:, None, None], persistent=False)  # [S, 1, 1, T-1, D]
        self.gate_in = StackedLinear.of([cast(nn.Linear, gate[0]) for gate in gates])
        self.gate_out = StackedLinear.of([cast(nn.Linear, gate[2]) for gate in gates])

    times: Tensor

    def forward(self, past: Tensor, current: Tensor) -> Tensor:
        """``[S, B, T-1, J, D]`` and ``[S, B, J, D]`` -> ``[S, B, J, D]``."""
        tokens = past.transpose(2, 3) + self.times
        for layer in self.layers:
            tokens = layer(tokens)
        memory = self.norm(tokens).mean(dim=3)
        gate = torch.sigmoid(self.gate_out(F.gelu(self.gate_in(torch.cat([current, memory], dim=-1)))))
        return torch.lerp(memory, current, gate.type_as(memory))  # autocast leaves lerp alone


class _EncoderLayer(nn.Module):
    """:class:`torch.nn.TransformerEncoderLayer`, norm first, GELU, without dropout."""

    def __init__(self, layers: Sequence[nn.TransformerEncoderLayer]) -> None:
        super().__init__()
        attention = [layer.self_attn for layer in layers]
        self.heads, self.eps = attention[0].num_heads, layers[0].norm1.eps
        weights, biases = [a.in_proj_weight for a in attention], [a.in_proj_bias for a in attention]
        self.qkv = StackedLinear(weights, biases, [layer.norm1 for layer in layers])
        self.out = StackedLinear.of([a.out_proj for a in attention])
        self.widen = StackedLinear.of([layer.linear1 for layer in layers], [layer.norm2 for layer in layers])
        self.narrow = StackedLinear.of([layer.linear2 for layer in layers])

    def forward(self, x: Tensor) -> Tensor:
        """``[S, B, J, tokens, D]`` -> the same."""
        q, k, v = self.qkv(F.layer_norm(x, x.shape[-1:], eps=self.eps)).chunk(3, dim=-1)
        x = x + self.out(_attention(q, k, v, self.heads))
        out: Tensor = x + self.narrow(F.gelu(self.widen(F.layer_norm(x, x.shape[-1:], eps=self.eps))))
        return out


class _CrossBranch(nn.Module):
    """:class:`CrossBranchAttention` of two branches."""

    def __init__(self, cross: CrossBranchAttention) -> None:
        super().__init__()
        both = [cross.to_local, cross.to_global]
        self.heads, channels = both[0].num_heads, both[0].embed_dim
        weights, biases = [a.in_proj_weight for a in both], [a.in_proj_bias for a in both]
        self.query = StackedLinear([w[:channels] for w in weights], [b[:channels] for b in biases])
        self.key_value = StackedLinear([w[channels:] for w in weights], [b[channels:] for b in biases])
        self.out = StackedLinear.of([a.out_proj for a in both])
        self.norm = _StackedNorm([cross.local_norm, cross.global_norm])

    def forward(self, x: Tensor) -> Tensor:
        """``[2, B, J, D]`` -> the same."""
        k, v = self.key_value(x.flip(0)).chunk(2, dim=-1)
        out: Tensor = self.norm(x + self.out(_attention(self.query(x), k, v, self.heads)))
        return out


def _attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Multi-head attention among the last dimension but one, ``[..., tokens, D]``."""
    shape = q.shape
    split = (-1, shape[-2], heads, shape[-1] // heads)
    q, k, v = (each.reshape(split).transpose(1, 2) for each in (q, k, v))  # [N, H, tokens, D / H]
    out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).reshape(shape)


def _biases(convolutions: Sequence[GATConv], dims: int) -> Tensor:
    """``[S, 1, ..., D]`` of ``dims`` dimensions."""
    stacked = torch.stack([conv.bias for conv in convolutions])
    return stacked.view(len(convolutions), *([1] * (dims - 2)), -1)
