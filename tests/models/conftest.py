"""Random weights of other people's models, and the same weights under other projects' key names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
from transformers.utils import logging

import posegraph
from posegraph.models.base import PoseModel

logging.disable_progress_bar()

SIZES = {
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "s": {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12},
    "b": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
}
COCO_LABELS = [
    "Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist",
    "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle",
]  # fmt: skip
"""Joint names as in the config.json of usyd-community's models."""

Weights = dict[str, Tensor]


def _vitpose(
    size: str = "tiny", decoder: str = "classic", labels: list[str] | None = None, **changes: Any
) -> VitPoseForPoseEstimation:
    """transformers' ViTPose with random weights, none of them at a value that would hide a mistake."""
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(out_indices=[SIZES[size]["num_hidden_layers"]], **{**SIZES[size], **changes})
    names = {"id2label": dict(enumerate(labels))} if labels else {"num_labels": 17}
    config = VitPoseConfig(backbone_config=backbone, use_simple_decoder=decoder == "simple", **names)
    with torch.device("meta"):  # its own random weights would take longer to draw than all else here
        model = VitPoseForPoseEstimation(config)
    model = model.to_empty(device="cpu").eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.zero_()
            elif name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("position_embeddings"):
                tensor.normal_(std=0.5)
            else:
                tensor.normal_(std=0.1 if name.endswith(("bias", "running_mean")) else 0.02)
    return model


def _official(weights: Weights) -> Weights:
    """Hugging Face's names -> ViTAE-Transformer/ViTPose's, the reverse of transformers' convert_vitpose_to_hf.py."""
    pairs = {
        "embeddings.patch_embeddings.projection": "patch_embed.proj",
        "embeddings.position_embeddings": "pos_embed",
        "encoder.layer": "blocks",
        "attention.output.dense": "attn.proj",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "backbone.layernorm": "backbone.last_norm",
        "head.conv": "keypoint_head.final_layer",
        "head.deconv1": "keypoint_head.deconv_layers.0",
        "head.batchnorm1": "keypoint_head.deconv_layers.1",
        "head.deconv2": "keypoint_head.deconv_layers.3",
        "head.batchnorm2": "keypoint_head.deconv_layers.4",
    }
    return _renamed(weights, pairs)


def _mmpose1(weights: Weights) -> Weights:
    """Hugging Face's names -> those of mmpretrain's VisionTransformer in mmpose 1.x, whose table has no row 0."""
    renamed = _renamed(
        _official(weights),
        {
            "patch_embed.proj": "patch_embed.projection",
            "blocks": "layers",
            "norm1": "ln1",
            "norm2": "ln2",
            "mlp.fc1": "ffn.layers.0.0",
            "mlp.fc2": "ffn.layers.1",
            "last_norm": "ln1",
            "keypoint_head": "head",
        },
    )
    table = renamed["backbone.pos_embed"]
    return renamed | {"backbone.pos_embed": table[:, 1:] + table[:, :1]}


def _renamed(weights: Weights, pairs: dict[str, str]) -> Weights:
    renamed = {}
    for key, value in weights.items():
        if re.search(r"attention\.(key|value)\.", key):
            continue
        if ".attention.query." in key:
            value = torch.cat([weights[key.replace("query", part)] for part in ("query", "key", "value")])
            key = key.replace("attention.attention.query", "attn.qkv")
        for old, new in pairs.items():
            key = key.replace(old, new)
        renamed[key] = value
    return renamed


@pytest.fixture(scope="session")
def vitpose() -> Callable[..., VitPoseForPoseEstimation]:
    return _vitpose


@pytest.fixture(scope="session")
def official() -> Callable[[Weights], Weights]:
    return _official


@pytest.fixture(scope="session")
def mmpose1() -> Callable[[Weights], Weights]:
    return _mmpose1


@pytest.fixture(scope="session")
def coco_labels() -> list[str]:
    return COCO_LABELS


@pytest.fixture
def tiny() -> Callable[..., PoseModel]:
    """A model of posegraph of the size that ``vitpose()`` has."""

    def tiny(preset: str = "vitpose-s", **overrides: Any) -> PoseModel:
        torch.manual_seed(7)
        sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2, "node_channels": 16, "attention_heads": 2}
        return posegraph.build_model(preset, **{**sizes, **overrides}).eval()

    return tiny


@pytest.fixture(scope="session")
def images() -> Tensor:
    """A crop of noise."""
    return torch.randn(1, 3, 256, 192, generator=torch.Generator().manual_seed(1))
