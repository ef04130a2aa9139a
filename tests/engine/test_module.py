"""The training module: what a batch draws, mixed precision, checkpointed blocks, accumulation, validation's figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data

from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule
from posegraph.engine.module import PoseTraining
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.skeleton import Skeleton

Untrained = Callable[..., PoseTraining]
DEEP = ("model.depth=3", "model.drop_path=0.5")


def step(module: PoseTraining, clips: ClipData) -> dict[str, Tensor]:
    """Gradients after one batch whose dropped paths are those of seed 0."""
    torch.manual_seed(0)
    torch.stack(list(module.losses(module.run(clips), clips).values())).sum().backward()
    return {name: value.grad for name, value in module.named_parameters() if value.grad is not None}


@pytest.mark.parametrize(
    "more",
    [
        ("model.past_gradient=true",),
        ("model.past_gradient=false",),
        ("model.past_gradient=true", "training.freeze_blocks=1", "loss.heatmap=0"),
    ],
)
def test_checkpointed_blocks_have_the_same_gradients(untrained: Untrained, clips: ClipData, more: tuple[str]) -> None:
    plain, checkpointed = untrained(*DEEP, *more), untrained(*DEEP, *more, "training.checkpoint_blocks=true")
    calls = [0]
    checkpointed.model.backbone.vit.blocks[2].register_forward_pre_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    expected, found = step(plain, clips), step(checkpointed, clips)
    forward = 2 if "model.past_gradient=false" in more else 1
    assert calls == [forward + 1]  # computed again in the backward pass
    assert expected.keys() == found.keys()
    assert {"model.backbone.vit.blocks.1.attn.qkv.weight", "model.backbone.vit.norm.bias"} <= found.keys()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


class Place:
    """Stands for a Trainer at some place of a run."""

    def __init__(self, epoch: int, rank: int = 0) -> None:
        self.current_epoch, self.global_rank = epoch, rank
        self.barebones = False


def drawn(module: PoseTraining, epoch: int, batch: int, rank: int = 0) -> list[float]:
    module._trainer = Place(epoch, rank)  # type: ignore[assignment]
    torch.rand(17)  # whatever was drawn before
    module.on_train_batch_start(None, batch)  # type: ignore[arg-type]
    return torch.rand(4).tolist()


def test_what_a_batch_draws_follows_from_seed_epoch_batch_and_rank(untrained: Untrained) -> None:
    module, other = untrained(), untrained("seed=1")
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0, 1), (1, 0, 1)]
    draws = [drawn(module, *place) for place in places] + [drawn(other, 0, 0)]
    assert len({tuple(draw) for draw in draws}) == len(draws)
    assert [drawn(module, *place) for place in reversed(places)] == draws[-2::-1]


def test_a_run_of_bf16_trains_and_keeps_float32_where_it_counts(
    untrained: Untrained, fit: Callable[..., lightning.Trainer]
) -> None:
    module = untrained("training.precision=bf16-mixed", "training.max_steps=2")
    seen: dict[str, Any] = {}
    model = module.model
    model.heatmap_head.register_forward_hook(lambda _m, _i, out: seen.update(heatmaps=out.dtype))
    model.joint_embedding.register_forward_pre_hook(lambda _m, inputs: seen.update(prior=inputs[0].dtype))
    model.joint_embedding.register_forward_hook(lambda _m, _i, out: seen.update(joints=out))
    model.fusion.register_forward_hook(lambda _m, _i, out: seen.update(nodes=out.dtype))
    before = {name: value.clone() for name, value in module.named_parameters()}
    trainer = fit(module)
    assert trainer.global_step == 2
    assert seen["heatmaps"] == torch.bfloat16  # it is mixed indeed
    assert (seen["prior"], seen["nodes"]) == (torch.float32, torch.float32)
    assert {value.dtype for value in seen["joints"]} == {torch.float32}
    assert {value.dtype for value in module.parameters()} == {torch.float32}
    assert all(torch.isfinite(value).all() for value in module.parameters())
    moved = [name for name, value in module.named_parameters() if not torch.equal(value, before[name])]
    assert len(moved) > 0.9 * len(before)


def test_mixed_precision_does_not_round_points_and_logits(untrained: Untrained, clips: ClipData) -> None:
    """bf16 has 8 bits: a normalised point would be off by a fifth of a cell, and logits of neighbours would tie."""
    model = untrained("model.heatmap_prior=false").model.eval()
    torch.manual_seed(1)
    heatmaps, features = torch.rand(2, 3, 17, 16, 12), torch.randn(2, 3, 32, 8, 6)
    with torch.no_grad():
        expected = model.joint_embedding(heatmaps)
        with torch.autocast("cpu", torch.bfloat16):
            joints = model.joint_embedding(heatmaps)
            logits = model.pose_query.logits(joints.tokens, features, heatmaps)
    torch.testing.assert_close(joints.tokens, expected.tokens, rtol=1e-6, atol=1e-6)
    assert logits.dtype == torch.float32
    rounded = logits.to(torch.bfloat16).float()
    assert (rounded != logits).float().mean() > 0.9


class Batches(lightning.LightningDataModule):
    """The same clips in batches of a given size."""

    def __init__(self, clips: list[ClipData], size: int) -> None:
        super().__init__()
        self.batches = [Batch.from_data_list(clips[start : start + size]) for start in range(0, len(clips), size)]

    def train_dataloader(self) -> DataLoader[ClipData]:
        return DataLoader(self.batches, batch_size=None, collate_fn=lambda batch: batch)


def test_two_batches_a_step_are_one_of_twice_the_size(
    untrained: Untrained, configure: Callable[..., RunConfig], fit: Callable[..., lightning.Trainer]
) -> None:
    # No batch norm learns: the decoder is fixed, and the stem has none.
    settings = (
        "model.stem=patch",
        "loss.heatmap=0",
        "model.depth=2",
        "training.max_steps=3",
        "training.lr=3e-4",
    )
    config = configure("training.batch_size=24")
    clips = next(iter(ClipDataModule(config, Skeleton.load(config.skeleton)).train_dataloader())).to_data_list()
    assert len(clips) == 24
    whole = untrained(*settings)
    parts = untrained(*settings, "training.accumulate=2")
    assert fit(whole, Batches(clips, 8)).global_step == 3
    assert fit(parts, Batches(clips, 4)).global_step == 3
    start = untrained(*settings).state_dict()
    assert sum(not torch.equal(value, start[name]) for name, value in whole.state_dict().items()) > 50
    # A key's bias adds the same to all logits of a query: its gradient is rounding alone, which AdamW makes a step of.
    found, expected = ({name: value for name, value in module.state_dict().items() if "in_proj_bias" not in name}
                       for module in (parts, whole))  # fmt: skip
    # A hundredth of one step of AdamW: gradients near zero are scaled up, their rounding too.
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-6)


def validation(module: PoseTraining, *batches: ClipData) -> tuple[float, float]:
    """Loss and share of near joints."""
    module.val_loss.reset()
    module.val_within.reset()
    with torch.no_grad():
        for clips in batches:
            module.eval().validation_step(clips, 0)
    return module.val_loss.compute().item(), module.val_within.compute().item()


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_clips_that_fill_up_a_share_count_nothing(untrained: Untrained, clips: ClipData) -> None:
    module, single = untrained("loss.heatmap=1"), clips.to_data_list()
    filled, filling = Batch.from_data_list(single), Batch.from_data_list(single[:2])
    filled.counted, filling.counted = torch.tensor([True, True, False, True]), torch.tensor([False, False])
    without = Batch.from_data_list([single[0], single[1], single[3]])
    assert validation(module, filled, filling) == pytest.approx(validation(module, without), rel=1e-5)


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_validation_does_not_depend_on_batches(untrained: Untrained, clips: ClipData) -> None:
    module, single = untrained("loss.heatmap=1"), clips.to_data_list()
    parts = validation(module, *(Batch.from_data_list(part) for part in (single[:1], single[1:])))
    assert parts == pytest.approx(validation(module, clips), rel=1e-5)
    with torch.no_grad():
        output = module.run(clips)
        loss = sum(float(part) for part in module.losses(output, clips).values())
    counted = (clips.annotated & clips.in_crop).nonzero().tolist()
    near = sum(bool((output.nodes[b, j, :2] - clips.keypoints_norm[b, j]).norm() < 0.05) for b, j in counted)
    assert parts == (pytest.approx(loss, rel=1e-5), pytest.approx(near / len(counted)))


def test_clips_move_to_the_device_without_waiting(
    untrained: Untrained,
    fit: Callable[..., lightning.Trainer],
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """By the data module's hook: Lightning would warn of one in the training module."""
    waits: list[bool] = []
    move = Data.to

    def noted(clip: ClipData, device: torch.device, *, non_blocking: bool = False) -> ClipData:
        waits.append(not non_blocking)
        return move(clip, device, non_blocking=non_blocking)

    monkeypatch.setattr(Data, "to", noted)
    fit(untrained("training.max_steps=2"))
    assert waits == [False, False]
    assert not [warning for warning in recwarn if "transfer_batch_to_device" in str(warning.message)]


def test_half_precision_without_a_gpu_is_refused(untrained: Untrained, fit: Callable[..., lightning.Trainer]) -> None:
    with pytest.raises(PoseGraphError, match="16-mixed needs a GPU, and there is none; use bf16-mixed or 32-true"):
        fit(untrained("training.precision=16-mixed"))
