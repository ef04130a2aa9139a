"""The learning rate over a run, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from posegraph.config import TrainingConfig
from posegraph.engine.module import PoseTraining
from posegraph.engine.schedule import rate_factor


def factors(total: int, steps: list[int], **settings: object) -> list[float]:
    config = TrainingConfig(**settings)
    return [rate_factor(step, total, config) for step in steps]


def test_milestones_are_shares_of_the_run() -> None:
    found = factors(100, [0, 49, 50, 74, 75, 99], milestones=(0.5, 0.75))
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_falls_to_zero() -> None:
    found = factors(100, [0, 25, 50, 75, 100, 500], schedule="cosine")
    assert found == pytest.approx([1, 0.853553, 0.5, 0.146447, 0, 0], abs=1e-6)


def test_warm_up_is_linear_and_reaches_the_peak() -> None:
    assert factors(100, [0, 1, 3, 4], warmup_steps=4, milestones=()) == [0.25, 0.5, 1.0, 1.0]
    assert factors(104, [4, 54], warmup_steps=4, schedule="cosine") == pytest.approx([1.0, 0.5])


class Rates(lightning.Callback):
    """The graph head's rate at every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, *arguments: Any) -> None:
        optimizer = arguments[-1]
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.seen.append(optimizer.param_groups[-1]["lr"])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["training.warmup_steps=2", "training.milestones=[0.5,0.75]"], [0.5, 1.0, 0.1, 0.01]),
        (["training.schedule=cosine"], [1.0, 0.853553, 0.5, 0.146447]),
    ],
)
def test_a_run_follows_the_schedule_step_by_step(
    untrained: Callable[..., PoseTraining], fit: Callable[..., Any], overrides: list[str], expected: list[float]
) -> None:
    """Four steps of two accumulated batches: the schedule counts steps, not batches."""
    module = untrained("training.lr=1e-3", "training.accumulate=2", "training.batch_size=2", *overrides)
    rates = Rates()
    trainer = fit(module, None, rates)
    assert trainer.global_step == 4
    assert [rate / 1e-3 for rate in rates.seen] == pytest.approx(expected, rel=1e-5)
