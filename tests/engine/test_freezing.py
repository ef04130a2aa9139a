"""What stays fixed does not learn, keeps its statistics, and costs no graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from posegraph.config import Variant
from posegraph.engine.module import PoseTraining
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData

Untrained = Callable[..., PoseTraining]
DEEP = ("model.depth=3", "model.drop_path=0.5")


def learning(module: PoseTraining) -> set[str]:
    return {name.removeprefix("model.") for name, value in module.named_parameters() if value.requires_grad}


def loss(module: PoseTraining, clips: ClipData) -> Tensor:
    return torch.stack(list(module.losses(module.run(clips), clips).values())).sum()


def test_the_first_blocks_are_fixed_with_everything_below_them(untrained: Untrained) -> None:
    everything = learning(untrained(*DEEP))
    two = learning(untrained(*DEEP, "training.freeze_blocks=2"))
    below = ("backbone.vit.pos_embed", "backbone.vit.patch_embed.", "backbone.vit.blocks.0.", "backbone.vit.blocks.1.")
    assert everything - two == {name for name in everything if name.startswith(below)}
    all_of_them = learning(untrained(*DEEP, "training.freeze_blocks=3"))
    assert {name for name in all_of_them if name.startswith("backbone.")} == {
        "backbone.vit.norm.weight",
        "backbone.vit.norm.bias",
    }


def test_more_blocks_than_there_are_is_refused(configure) -> None:
    with pytest.raises(
        PoseGraphError, match=r"freeze_blocks: 3, but model\.depth gives the backbone 2; give at most 2"
    ):
        configure("model.depth=2", "training.freeze_blocks=3")


def test_nothing_left_to_learn_is_refused(configure) -> None:
    with pytest.raises(PoseGraphError, match="backbone_lr_scale: 0 freezes all"):
        configure("model.variant=vit_alone", "training.backbone_lr_scale=0")


def test_fixed_parts_stay_in_evaluation_mode(untrained: Untrained) -> None:
    module = untrained(*DEEP, "training.freeze_blocks=2")
    for _ in range(2):
        vit = module.model.backbone.vit
        assert not any(part.training for fixed in (vit.patch_embed, *vit.blocks[:2]) for part in fixed.modules())
        assert vit.blocks[2].drop_path1.training
        assert module.model.fusion.training
        module.eval()
        assert not vit.blocks[2].training
        module.train()


def test_steps_leave_weights_and_statistics_of_fixed_parts_alone(untrained: Untrained, clips: ClipData) -> None:
    module = untrained(*DEEP, "training.freeze_blocks=2", "loss.heatmap=0")
    before = {name: value.clone() for name, value in module.model.state_dict().items()}
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss(module, clips).backward()
        optimizer.step()
    after = module.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    fixed = ("backbone.vit.pos_embed", "backbone.vit.patch_embed", "backbone.vit.blocks.0", "backbone.vit.blocks.1",
             "heatmap_head")  # fmt: skip
    assert any("running_mean" in name for name in before if name.startswith("backbone.vit.patch_embed"))
    assert not {name for name in moved if name.startswith(fixed)}
    assert "backbone.vit.blocks.2.attn.qkv.weight" in moved


def test_fixed_parts_build_no_graph(untrained: Untrained, clips: ClipData) -> None:
    module = untrained(*DEEP, "training.freeze_blocks=2", "loss.heatmap=0", "model.past_gradient=true")
    seen: dict[str, bool] = {}

    def watch(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.update({name: output.requires_grad})

    vit = module.model.backbone.vit
    parts = {"patches": vit.patch_embed, "0": vit.blocks[0], "1": vit.blocks[1], "2": vit.blocks[2]}
    for name, part in {**parts, "decoder": module.model.heatmap_head}.items():
        part.register_forward_hook(watch(name))
    loss(module, clips).backward()
    assert seen == {"patches": False, "0": False, "1": False, "2": True, "decoder": False}


CASES = [
    *[[f"model.variant={variant}"] for variant in get_args(Variant)],
    *[[fixed, heatmap] for fixed in ("training.freeze_blocks=2", "training.backbone_lr_scale=0")
      for heatmap in ("loss.heatmap=0", "loss.heatmap=1")],
    ["model.variant=vit_alone", "training.freeze_blocks=2"],
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_what_learns_has_a_gradient(untrained: Untrained, clips: ClipData, case: list[str]) -> None:
    """Distributed training waits for the gradient of every parameter that asks for one."""
    module = untrained("model.depth=2", *case)
    loss(module, clips).backward()
    assert not {name for name, value in module.named_parameters() if value.requires_grad and value.grad is None}
