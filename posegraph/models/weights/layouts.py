"""Whose names are these? Recognise a layout by its keys, and give every tensor posegraph's name.

Key names are those of ViTAE-Transformer/ViTPose (mmpose 0.x), open-mmlab mmpretrain and mmpose 1.x, transformers
(before and after its version 5), timm, facebookresearch mae, dino and dinov2.

In posegraph's names, what the model has no place for is still there after renaming, for the next step to fold in:
``attn.q|k|v``, ``ls1|ls2.gamma``, ``mlp.experts.K``, and the decoders of ViTPose+'s other data sets, ``associate.K``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from posegraph.errors import PoseGraphError

Rules = tuple[tuple[str, str], ...]

BLOCK = r"backbone.vit.blocks.\1."
_DECODER: Rules = (
    (r"deconv_layers\.(\d+)\.(\w+)", r"deconv.\1.\2"),
    (r"final_layer\.(\w+)", r"final.\1"),
)
_TIMM: Rules = (
    (r"(pos_embed|patch_embed\.proj\.\w+|norm\.\w+)", r"backbone.vit.\1"),
    # dinov2 groups blocks in chunks for training; the second number counts through.
    (r"blocks\.(?:\d+\.)?(\d+)\.((?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12]|ls[12])\.\w+)", BLOCK + r"\2"),
)
_HF_BLOCK = r"(?:encoder\.)?layers?\.(\d+)\."
_HUGGING_FACE: Rules = (
    (r"embeddings\.position_embeddings", "backbone.vit.pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(\w+)", r"backbone.vit.patch_embed.proj.\1"),
    (_HF_BLOCK + r"(?:layernorm_before|norm1)\.(\w+)", BLOCK + r"norm1.\2"),
    (_HF_BLOCK + r"(?:layernorm_after|norm2)\.(\w+)", BLOCK + r"norm2.\2"),
    (_HF_BLOCK + r"attention\.attention\.([qkv])(?:uery|ey|alue)\.(\w+)", BLOCK + r"attn.\2.\3"),
    (_HF_BLOCK + r"attention\.([qkv])_proj\.(\w+)", BLOCK + r"attn.\2.\3"),
    (_HF_BLOCK + r"attention\.(?:output\.dense|o_proj)\.(\w+)", BLOCK + r"attn.proj.\2"),
    (_HF_BLOCK + r"(?:mlp\.fc1|intermediate\.dense)\.(\w+)", BLOCK + r"mlp.fc1.\2"),
    (_HF_BLOCK + r"(?:mlp\.fc2|output\.dense)\.(\w+)", BLOCK + r"mlp.fc2.\2"),
    (_HF_BLOCK + r"mlp\.experts\.(\d+)\.(\w+)", BLOCK + r"mlp.experts.\2.\3"),
    (_HF_BLOCK + r"layer_scale([12])\.lambda1", BLOCK + r"ls\2.gamma"),
    (r"layernorm\.(\w+)", r"backbone.vit.norm.\1"),
)


@dataclass(frozen=True)
class Layout:
    """One family of key names.

    Fields:
        name: For people.
        marker: A key that only this family has; what stands before it (a wrapper's ``module.``) is taken off all keys.
        rules: Whole key -> posegraph's name; a key that no rule matches is left out.
        vitpose: ViTPose adds the position table's row before the grid to every patch, also where its file still holds
            the class token of the weights that it was trained from.
    """

    name: str
    marker: str
    rules: Rules
    vitpose: bool = False


LAYOUTS = (
    Layout("posegraph", r"backbone\.vit\.pos_embed", ((r"(.+)", r"\1"),)),
    Layout(
        "ViTPose (mmpose 0.x)",
        r"(?:backbone\.last_norm\.weight|keypoint_head\.final_layer\.weight)",
        (
            *((rf"backbone\.{key}", name) for key, name in _TIMM),
            (r"backbone\.blocks\.(\d+)\.mlp\.experts\.(\d+)\.(\w+)", BLOCK + r"mlp.experts.\2.\3"),
            (r"backbone\.last_norm\.(\w+)", r"backbone.vit.norm.\1"),
            *((rf"keypoint_head\.{key}", f"heatmap_head.{name}") for key, name in _DECODER),
            (r"associate_keypoint_heads\.(\d+)\.deconv_layers\.(\d+)\.(\w+)", r"associate.\1.deconv.\2.\3"),
            (r"associate_keypoint_heads\.(\d+)\.final_layer\.(\w+)", r"associate.\1.final.\2"),
        ),
        vitpose=True,
    ),
    Layout(
        "mmpose 1.x",
        r"(?:backbone\.)?layers\.0\.ln1\.weight",
        (
            (r"(?:backbone\.)?pos_embed", "backbone.vit.pos_embed"),
            (r"(?:backbone\.)?patch_embed\.projection\.(\w+)", r"backbone.vit.patch_embed.proj.\1"),
            (r"(?:backbone\.)?layers\.(\d+)\.ln([12])\.(\w+)", BLOCK + r"norm\2.\3"),
            (r"(?:backbone\.)?layers\.(\d+)\.(attn\.(?:qkv|proj)\.\w+)", BLOCK + r"\2"),
            (r"(?:backbone\.)?layers\.(\d+)\.(?:attn|ffn)\.gamma([12])\.weight", BLOCK + r"ls\2.gamma"),
            (r"(?:backbone\.)?layers\.(\d+)\.ffn\.layers\.0\.0\.(\w+)", BLOCK + r"mlp.fc1.\2"),
            (r"(?:backbone\.)?layers\.(\d+)\.ffn\.layers\.1\.(\w+)", BLOCK + r"mlp.fc2.\2"),
            (r"(?:backbone\.)?ln1\.(\w+)", r"backbone.vit.norm.\1"),
            *((rf"head\.{key}", f"heatmap_head.{name}") for key, name in _DECODER),
        ),
    ),
    Layout(
        "ViTPose (Hugging Face)",
        r"backbone\.embeddings\.position_embeddings",
        (
            *((rf"backbone\.{key}", name) for key, name in _HUGGING_FACE),
            (r"head\.deconv1\.(\w+)", r"heatmap_head.deconv.0.\1"),
            (r"head\.batchnorm1\.(\w+)", r"heatmap_head.deconv.1.\1"),
            (r"head\.deconv2\.(\w+)", r"heatmap_head.deconv.3.\1"),
            (r"head\.batchnorm2\.(\w+)", r"heatmap_head.deconv.4.\1"),
            (r"head\.conv\.(\w+)", r"heatmap_head.final.\1"),
        ),
        vitpose=True,
    ),
    Layout("ViT (Hugging Face)", r"embeddings\.patch_embeddings\.projection\.weight", _HUGGING_FACE),
    Layout("ViT (timm, MAE, DINO)", r"patch_embed\.proj\.weight", _TIMM),
)
"""In the order in which they are tried: the last ones' markers are part of others' names."""


@dataclass(frozen=True)
class Renamed:
    """Tensors by posegraph's names.

    Fields:
        layout: Whose names they had.
        tensors: Floating ones in float32.
        origin: posegraph's name -> the file's.
        unknown: Keys of the file that no rule matches.
    """

    layout: Layout
    tensors: dict[str, Tensor]
    origin: dict[str, str]
    unknown: tuple[str, ...]


def renamed(tensors: Mapping[str, Tensor], spec: str) -> Renamed:
    """Recognise the layout and apply its rules. Raises :class:`PoseGraphError` for names of no known family."""
    layout, prefix = _layout_of(tensors, spec)
    rules = [(re.compile(key), name) for key, name in layout.rules]
    found: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    unknown = []
    for key, value in tensors.items():
        name = _name(key.removeprefix(prefix), rules) if key.startswith(prefix) else None
        if name is None:
            unknown.append(key)
            continue
        found[name] = value.float() if value.is_floating_point() else value
        origin[name] = key
    return Renamed(layout, found, origin, tuple(unknown))


def _layout_of(keys: Iterable[str], spec: str) -> tuple[Layout, str]:
    keys = list(keys)
    for layout in LAYOUTS:
        marker = re.compile(rf"(?P<prefix>(?:\w+\.)*?){layout.marker}")
        for key in keys:
            match = marker.fullmatch(key)
            if match:
                return layout, match["prefix"]
    raise PoseGraphError(
        f"{spec}: no vision transformer that posegraph knows (its {len(keys)} tensors begin with "
        f"{', '.join(sorted(keys)[:3])}); known are: {', '.join(layout.name for layout in LAYOUTS)}"
    )


def _name(key: str, rules: list[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, name in rules:
        match = pattern.fullmatch(key)
        if match:
            return match.expand(name)
    return None
