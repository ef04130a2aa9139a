"""The memory estimate against counts made another way."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import pytest
import torch
from torch.distributed._tools.mem_tracker import MemTracker

from posegraph.config import RunConfig
from posegraph.engine.memory import MemoryEstimate, estimate_memory
from posegraph.engine.module import PoseTraining
from posegraph.graph import ClipData
from posegraph.skeleton import Skeleton

DEEP = ("model.depth=4", "model.embed_dim=64", "model.stem=patch", "model.patch_size=16", "model.drop_path=0")
ALONE = (*DEEP, "model.variant=vit_alone")
FRAMES, TOKENS, CHANNELS, HEADS = 4, 4 * 3, 64, 2


@functools.cache
def estimated(config: RunConfig) -> MemoryEstimate:
    return estimate_memory(config, Skeleton.load(config.skeleton))


def test_weights_gradients_and_moments_are_those_of_a_real_step(
    configure: Callable[..., RunConfig], untrained: Callable[..., PoseTraining], clips: ClipData
) -> None:
    overrides = (*DEEP, "training.freeze_blocks=2", "loss.heatmap=0", "training.ema=0.99")
    module, found = untrained(*overrides), estimated(configure(*overrides))
    optimizer = torch.optim.AdamW([value for value in module.parameters() if value.requires_grad])
    torch.stack(list(module.losses(module.run(clips), clips).values())).sum().backward()
    optimizer.step()
    held = [*module.model.parameters(), *module.model.buffers()]
    moments = [value for state in optimizer.state.values() for name, value in state.items() if name != "step"]
    assert found.weights == found.ema == sum(value.nbytes for value in held)
    assert found.gradients == sum(value.grad.nbytes for value in module.parameters() if value.grad is not None)
    assert found.optimizer == sum(value.nbytes for value in moments)
    assert found.gradients < found.weights
    assert found.total == sum(vars(found).values())


def test_a_block_keeps_what_can_be_counted_by_hand(configure: Callable[..., RunConfig]) -> None:
    """In float32, for every token of C channels: 16 C numbers, a mean and a deviation of each norm, one for each head.

    That is the block's input and the second norm's (2 C), both norms' outputs (2 C), q, k, v (3 C), the attention's
    output (C), the MLP before and after its activation (2 x 4 C), and the normaliser of each head's softmax.
    """
    four, five = (estimated(configure(*ALONE, f"model.depth={depth}")).activations for depth in (4, 5))
    assert five - four == 4 * FRAMES * TOKENS * (16 * CHANNELS + 4 + HEADS)


def test_activations_grow_linearly_with_the_batch(configure: Callable[..., RunConfig]) -> None:
    """With mixed precision on top of a constant: the weights in 16 bits."""
    mixed = (*ALONE, "training.precision=bf16-mixed")
    one, two, five = (estimated(configure(*mixed, f"training.batch_size={size}")).activations for size in (1, 2, 5))
    assert five - two == pytest.approx(3 * (two - one), rel=0.01)
    assert 2 * one - two > estimated(configure(*mixed, "training.batch_size=1")).gradients // 4


def test_the_peak_of_a_simulated_step_is_near(
    configure: Callable[..., RunConfig], untrained: Callable[..., PoseTraining], clips: ClipData
) -> None:
    """PyTorch's own tracker follows every allocation of a step of the real model."""
    overrides = (*DEEP, "model.past_gradient=true", "loss.heatmap=1")
    module, found = untrained(*overrides), estimated(configure(*overrides))
    tracker = MemTracker()
    with warnings.catch_warnings(), tracker:
        warnings.simplefilter("ignore")
        tracker.track_external(module)
        torch.stack(list(module.losses(module.run(clips), clips).values())).sum().backward()
    peak = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    assert found.weights + found.activations == pytest.approx(peak, rel=0.1)
    last_frame = estimated(configure(*overrides, "model.past_gradient=false"))
    assert last_frame.activations < 0.75 * found.activations


def test_checkpointed_blocks_keep_their_inputs_and_one_block(configure: Callable[..., RunConfig]) -> None:
    checkpointed = (*ALONE, "training.checkpoint_blocks=true")
    plain, found = estimated(configure(*ALONE)), estimated(configure(*checkpointed))
    tokens = 4 * FRAMES * TOKENS
    assert plain.recomputed == 0
    assert found.recomputed == tokens * (15 * CHANNELS + 4 + HEADS)  # all but the input, which is kept
    assert plain.activations - found.activations == 4 * found.recomputed
    half = estimated(configure(*checkpointed, "training.freeze_blocks=2"))
    assert half.recomputed == found.recomputed
    # Two blocks' inputs less, and the image that the patches' gradient is made from.
    assert found.activations - half.activations == 2 * tokens * CHANNELS + 4 * FRAMES * 3 * 64 * 48
    above = estimated(configure(*checkpointed, "training.freeze_blocks=4"))
    assert above.recomputed == 0
