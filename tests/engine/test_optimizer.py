"""Which parameter learns at which rate, and which decays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from posegraph.engine.module import PoseTraining
from posegraph.engine.optimizer import logged_rates, parameter_groups

Untrained = Callable[..., PoseTraining]
NODES = ["fusion.gate.0.weight", "fusion.gate.0.bias", "local.temporal.conv.att_src"]


def groups(module: PoseTraining) -> list[dict[str, Any]]:
    return parameter_groups(module.model, module.config.training)


def of_parameters(module: PoseTraining, key: str) -> dict[str, Any]:
    """What the group of every parameter says, by the parameter's name in the model."""
    names = {id(parameter): name for name, parameter in module.model.named_parameters()}
    return {names[id(parameter)]: group[key] for group in groups(module) for parameter in group["params"]}


def test_layer_decay_is_vitposes(untrained: Untrained) -> None:
    """Official rule: rate 0.5 ** (depth + 2 - layer - 1), layer 0 the patches and positions, block i in layer i + 1."""
    module = untrained("model.depth=3", "training.layer_decay=0.5", "training.lr=0.8")
    rate = of_parameters(module, "lr")
    assert rate["backbone.vit.pos_embed"] == rate["backbone.vit.patch_embed.proj.0.weight"] == 0.8 * 0.5**4
    assert rate["backbone.vit.blocks.0.attn.qkv.weight"] == rate["backbone.vit.blocks.0.norm1.bias"] == 0.8 * 0.5**3
    assert rate["backbone.vit.blocks.1.mlp.fc1.bias"] == 0.8 * 0.5**2
    assert rate["backbone.vit.blocks.2.mlp.fc2.weight"] == 0.4
    full = ["backbone.vit.norm.weight", "heatmap_head.final.weight", "heatmap_head.deconv.1.bias", *NODES]
    assert {rate[name] for name in full} == {0.8}
    assert rate.keys() == {name for name, _ in module.model.named_parameters()}


def test_the_rate_of_the_backbone_comes_on_top(untrained: Untrained) -> None:
    overrides = ("model.depth=2", "training.lr=0.8", "training.backbone_lr_scale=0.1")
    rate = of_parameters(untrained(*overrides, "training.layer_decay=0.5"), "lr")
    assert rate["backbone.vit.pos_embed"] == pytest.approx(0.08 * 0.5**3)
    assert rate["backbone.vit.norm.weight"] == rate["heatmap_head.final.bias"] == pytest.approx(0.08)
    assert {rate[name] for name in NODES} == {0.8}
    flat = of_parameters(untrained(*overrides), "lr")
    image = {name: 0.08 for name in flat if name.startswith(("backbone", "heatmap_head"))}
    assert {name: flat[name] for name in image} == pytest.approx(image)


def test_what_does_not_decay(untrained: Untrained) -> None:
    decay = of_parameters(untrained("model.depth=2", "training.weight_decay=0.25"), "weight_decay")
    assert set(decay.values()) == {0.0, 0.25}
    free = {name for name, value in decay.items() if value == 0}
    assert all(name in free for name in decay if name.endswith("bias") or ".norm" in name)
    tables = {"backbone.vit.pos_embed", "local.memory.time_embedding", "joint_embedding.joint_embedding.weight",
              "joint_embedding.frame_embedding.weight", "pose_query.raw_temperature"}  # fmt: skip
    assert tables < free
    weights = {"backbone.vit.blocks.0.attn.qkv.weight", "backbone.vit.patch_embed.proj.0.weight", NODES[0],
               "pose_query.key.weight", "joint_embedding.past_mlp.0.weight"}  # fmt: skip
    assert not weights & free


def test_groups_have_names_and_fixed_parts_have_none(untrained: Untrained) -> None:
    assert [group["name"] for group in groups(untrained())] == [
        "backbone", "backbone_no_decay", "decoder", "decoder_no_decay", "graph", "graph_no_decay",
    ]  # fmt: skip
    overrides = ("model.depth=3", "training.layer_decay=0.9", "training.freeze_blocks=2", "loss.heatmap=0")
    assert [group["name"] for group in groups(untrained(*overrides))] == [
        "block_02", "block_02_no_decay", "backbone_no_decay", "graph", "graph_no_decay",
    ]  # fmt: skip
    assert [group["name"] for group in groups(untrained("training.backbone_lr_scale=0"))] == ["graph", "graph_no_decay"]


def test_a_few_rates_are_logged(untrained: Untrained) -> None:
    module = untrained("model.depth=2", "training.layer_decay=0.5", "training.lr=0.8", "training.backbone_lr_scale=0.5")
    optimizer = torch.optim.AdamW(groups(module))
    assert logged_rates(optimizer.param_groups) == pytest.approx(
        {"lr/patches": 0.4 * 0.5**3, "lr/backbone": 0.4, "lr/decoder": 0.4, "lr/graph": 0.8}
    )
    assert logged_rates(groups(untrained("training.backbone_lr_scale=0", "training.lr=0.5"))) == {"lr/graph": 0.5}
