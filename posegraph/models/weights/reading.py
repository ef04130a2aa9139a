"""Weights read and given posegraph's names, and what can be told from them about the model that they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from posegraph.errors import PoseGraphError
from posegraph.models.weights.folding import fold_expert, fold_layer_scale, merge_query_key_value, num_experts
from posegraph.models.weights.joints import labels
from posegraph.models.weights.layouts import Renamed, renamed
from posegraph.models.weights.sources import Source, open_source
from posegraph.skeleton import Skeleton

POSITIONS = "backbone.vit.pos_embed"
PATCHES = "backbone.vit.patch_embed.proj.weight"
DECODER = "heatmap_head."
LAST_LAYER = "heatmap_head.final.weight"
_BLOCK = re.compile(r"backbone\.vit\.blocks\.(\d+)\..+")
_FIRST_NORM = "backbone.vit.blocks.0.norm1.weight"


@dataclass(frozen=True)
class Weights:
    """Weights by posegraph's names.

    Fields:
        source: Where they come from.
        layout: Whose names they had.
        tensors: By posegraph's names; experts, LayerScale and separate projections are folded in.
        origin: posegraph's name -> the file's key, as far as a tensor is one of the file's.
        left_out: Keys of the file that have no place.
        folded: What was folded in, in words.
        class_token: The position table's row before the grid belongs to a class token.
        decoder_expert: With which of ViTPose+'s experts the decoder was trained.
    """

    source: Source
    layout: str
    tensors: dict[str, Tensor]
    origin: dict[str, str]
    left_out: tuple[str, ...]
    folded: tuple[str, ...]
    class_token: bool
    decoder_expert: int

    @property
    def spec(self) -> str:
        """What the user gave."""
        return self.source.spec

    @property
    def embed_dim(self) -> int:
        """Backbone channels ``C``."""
        return self.tensors[POSITIONS].size(2)

    @property
    def depth(self) -> int:
        """Transformer blocks."""
        return 1 + max(int(match[1]) for match in map(_BLOCK.fullmatch, self.tensors) if match)

    @property
    def num_heads(self) -> int | None:
        """Heads, where the file says."""
        if self.source.own is not None:
            return self.source.own.config.model.num_heads
        heads = self.backbone_config.get("num_attention_heads")
        return heads if isinstance(heads, int) else None

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The part of a Hugging Face ``config.json`` that is about the backbone."""
        config = dict(self.source.config)
        inner = config.get("backbone_config")
        return dict(inner) if isinstance(inner, dict) else config

    @property
    def grid_hw(self) -> tuple[int, int] | None:
        """The grid that the file says its positions are for."""
        if self.source.own is not None:
            return self.source.own.config.model.grid_hw
        image, patch = (_pair(self.backbone_config.get(key)) for key in ("image_size", "patch_size"))
        return (image[0] // patch[0], image[1] // patch[1]) if image and patch else None

    @property
    def decoder(self) -> Literal["classic", "simple"] | None:
        """Which of ViTPose's decoders they hold; None: a backbone alone."""
        last = self.tensors.get(LAST_LAYER)
        if last is None:
            return None
        return "classic" if self.deconv_channels or last.shape[-1] != 3 else "simple"

    @property
    def deconv_channels(self) -> tuple[int, ...]:
        """Widths of the classic decoder's transposed convolutions."""
        kernels = [self.tensors[name] for name in sorted(self.tensors) if name.startswith(DECODER)]
        return tuple(kernel.size(1) for kernel in kernels if kernel.ndim == 4 and kernel.shape[-1] == 4)

    @property
    def said_joints(self) -> Skeleton | tuple[str, ...] | None:
        """The joints of the decoder's rows, where the file says."""
        if self.source.own is not None:
            return self.source.own.skeleton
        return self.source.joints or labels(self.source.config)


def read_weights(spec: str | Path | Source, expert: int = 0) -> Weights:
    """Open SPEC (see :func:`open_source`), recognise whose names its tensors have, and fold what posegraph has not.

    Args:
        spec: Where the weights are.
        expert: ViTPose+: which of its experts is taken.

    Raises:
        PoseGraphError: a SPEC that cannot be opened, names of no known layout, no such expert.
    """
    source = spec if isinstance(spec, Source) else open_source(spec)
    found = renamed(source.tensors, source.spec)
    _check_kind(found, source.spec)
    tensors = merge_query_key_value(found.tensors)
    folded, left_out = [], list(found.unknown)
    if any(name.endswith(".gamma") for name in tensors):
        tensors = fold_layer_scale(tensors)
        folded.append("LayerScale folded into attn.proj and mlp.fc2")
    experts, decoder_expert = num_experts(tensors), 0
    if experts or expert:
        decoder_expert = expert if any(name.startswith("associate.") for name in tensors) else 0
        tensors, unused = fold_expert(tensors, expert, source.spec)
        left_out += [found.origin[name] for name in unused]
        other = "" if expert == decoder_expert else "; the decoder is the only one there is, of expert 0"
        folded.append(f"expert {expert} of {experts} folded into mlp.fc2{other}")
    token = any(key.split(".")[-1] == "cls_token" for key in found.unknown)
    return Weights(
        source,
        found.layout.name,
        tensors,
        {name: found.origin[_first_part(name, found)] for name in tensors if _first_part(name, found) in found.origin},
        tuple(left_out),
        tuple(folded),
        token and not found.layout.vitpose,
        decoder_expert,
    )


def _first_part(name: str, found: Renamed) -> str:
    """The tensor, or the first of those that it was put together from."""
    return name if name in found.origin else name.replace(".attn.qkv.", ".attn.q.")


def _check_kind(found: Renamed, spec: str) -> None:
    """It is a plain vision transformer: positions, and blocks that compute what posegraph's do."""
    positions = found.tensors.get(POSITIONS)
    if positions is None or positions.ndim != 3 or _FIRST_NORM not in found.tensors:
        raise PoseGraphError(
            f"{spec}: has names like {found.layout.name}'s, but no position table and blocks of a vision transformer; "
            "give weights of a ViTPose or of a plain ViT"
        )
    first_block = found.origin[_FIRST_NORM].rpartition(".0.")[0] + ".0."
    odd = [key for key in found.unknown if key.startswith(first_block)]
    if odd:
        raise PoseGraphError(
            f"{spec}: its blocks also hold {', '.join(odd[:3])}, which a plain ViT's do not; give weights of a plain "
            "ViT (LayerNorm, one GELU layer, no gates)"
        )


def _pair(value: Any) -> tuple[int, int] | None:
    pair = value if isinstance(value, (list, tuple)) else [value, value]
    usable = len(pair) == 2 and all(isinstance(number, int) and number > 0 for number in pair)
    return (pair[0], pair[1]) if usable else None
