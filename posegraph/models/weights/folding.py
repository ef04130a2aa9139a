"""What other backbones compute with more tensors, in posegraph's fewer: each of these is exact."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from posegraph.errors import PoseGraphError

_QUERY = re.compile(r"(.+\.attn\.)q\.(weight|bias)")
_SCALE = re.compile(r"(.+\.)ls([12])\.gamma")
_EXPERT = re.compile(r"(.+\.mlp\.)experts\.(\d+)\.(weight|bias)")
_SCALED = {"1": "attn.proj", "2": "mlp.fc2"}


def merge_query_key_value(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Hugging Face's three projections become timm's one, their rows one after the other."""
    merged = dict(tensors)
    for name in tensors:
        match = _QUERY.fullmatch(name)
        if match:
            block, kind = match.groups()
            parts = [merged.pop(f"{block}{part}.{kind}", None) for part in "qkv"]
            if all(part is not None for part in parts):
                merged[f"{block}qkv.{kind}"] = torch.cat([part for part in parts if part is not None])
    return merged


def fold_layer_scale(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """LayerScale multiplies a branch's output by a vector: so can the last linear map of that branch."""
    folded = dict(tensors)
    for name, gamma in tensors.items():
        match = _SCALE.fullmatch(name)
        if match:
            linear = match[1] + _SCALED[match[2]]
            if f"{linear}.weight" in folded:
                folded[f"{linear}.weight"] = folded[f"{linear}.weight"] * folded.pop(name).unsqueeze(1)
            if f"{linear}.bias" in folded:
                folded[f"{linear}.bias"] = folded[f"{linear}.bias"] * gamma
    return folded


def num_experts(tensors: dict[str, Tensor]) -> int:
    """Experts of ViTPose+'s mixture; 0: an ordinary ViTPose."""
    numbers = [int(match[2]) for match in map(_EXPERT.fullmatch, tensors) if match]
    return max(numbers) + 1 if numbers else 0


def fold_expert(tensors: dict[str, Tensor], expert: int, spec: str) -> tuple[dict[str, Tensor], list[str]]:
    """ViTPose+ with one expert fixed is a plain ViTPose: its last channels come from that expert's map of the same
    hidden layer, so that expert's rows go below those of ``fc2`` (ViTPose++, Xu et al. 2023).

    The decoder that was trained with expert ``k`` is ``associate.{k - 1}`` where the file holds it (the official
    ``.pth``), else the file's only one. Also returned: the names of what belongs to the other experts.

    Raises:
        PoseGraphError: no such expert.
    """
    count = num_experts(tensors)
    if not 0 <= expert < max(count, 1):
        has = f"experts 0 to {count - 1}" if count else "no mixture of experts"
        raise PoseGraphError(f"{spec}: has {has}, got weights_expert {expert}; choose one that is there")
    associate = f"associate.{expert - 1}."
    decoder = associate if any(name.startswith(associate) for name in tensors) else "heatmap_head."
    folded, unused = {}, []
    for name, value in tensors.items():
        match = _EXPERT.fullmatch(name)
        if match:
            linear = f"{match[1]}fc2.{match[3]}"
            if int(match[2]) != expert:
                unused.append(name)
            elif linear in tensors:
                folded[linear] = torch.cat([tensors[linear], value])
        elif name.startswith(("associate.", "heatmap_head.")):
            if name.startswith(decoder):
                folded[name.replace(decoder, "heatmap_head.", 1)] = value
            else:
                unused.append(name)
        else:
            folded.setdefault(name, value)
    return folded, unused
