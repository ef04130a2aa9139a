"""The learning rate over a run."""

from __future__ import annotations

import math

from posegraph.config import TrainingConfig


def rate_factor(step: int, total: int, settings: TrainingConfig) -> float:
    """What the peak learning rate is multiplied by at ``step`` of ``total``.

    Linear warm-up, then either a tenth after each milestone (a share of the run), or half a cosine down to zero.
    """
    warmup = settings.warmup_steps
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "cosine":
        progress = min((step - warmup) / max(total - warmup, 1), 1.0)
        return 0.5 * (1 + math.cos(math.pi * progress))
    return float(0.1 ** sum(step >= share * total for share in settings.milestones))
