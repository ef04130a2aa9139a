"""The learning rate over a run, by hand."""

from __future__ import annotations

import pytest

from posegraph.config import TrainingConfig
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
