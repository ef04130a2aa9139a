"""Which operators a step spends its time in, and a trace that browsers show."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from posegraph.engine.bench.measuring import synchronise
from posegraph.files import full_disk_told, replacing

STEPS = 3


@dataclass(frozen=True)
class OperatorCost:
    """An operator's part in a step.

    Fields:
        name: PyTorch's.
        calls: A step.
        seconds: A step, its own (of a GPU: its kernels'), not those of operators that it calls.
        share: Of all operators' own seconds.
    """

    name: str
    calls: float
    seconds: float
    share: float


def profile_steps(
    step: Callable[[], Any], device: torch.device, trace: str | Path, top: int = 10
) -> list[OperatorCost]:
    """The ``top`` dearest operators of a step, the dearest first; profiling adds its own time to small ones.

    One step warms up, :data:`STEPS` are profiled, and ``trace`` becomes their Chrome trace (chrome://tracing,
    ui.perfetto.dev).
    """
    # The profiler's library reports to stderr what it looks for and does not find.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    step()
    synchronise(device)
    with profile(activities=activities) as found:
        for _ in range(STEPS):
            step()
        synchronise(device)
    with full_disk_told(trace, "make room on the disk, or choose another folder"), replacing(trace) as temporary:
        found.export_chrome_trace(str(temporary))
    own = {
        event.key: (event.count / STEPS, (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6)
        for event in found.key_averages()
    }
    total = sum(seconds for _, seconds in own.values())
    costs = [
        OperatorCost(name, calls, seconds / STEPS, seconds / max(total, 1e-12))
        for name, (calls, seconds) in own.items()
    ]
    return sorted(costs, key=lambda cost: cost.seconds, reverse=True)[:top]
