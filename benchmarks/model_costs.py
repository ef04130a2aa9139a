"""What models cost, beside each other: parameters and products counted, milliseconds measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from posegraph.config import RunConfig
from posegraph.engine.bench.measurement import BenchSettings, running, step_of
from posegraph.engine.bench.model_work import model_work, total
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton


def costs(runs: Mapping[str, RunConfig], rounds: int) -> dict[str, dict[str, Any]]:
    """Of one pose, name by name; random weights, for no figure depends on them.

    Returns:
        ``frames`` and ``future_frames`` of a clip; ``parameters`` that an answer needs; of a clip and, where the model
        is causal, of a stream's new frame ``gmacs_clip``, ``gmacs_stream``, ``ms_clip`` and ``ms_stream`` (medians of
        ``rounds`` on the CPU).
    """
    found: dict[str, dict[str, Any]] = {}
    steps: dict[tuple[str, str], Any] = {}
    for name, run in runs.items():
        skeleton = Skeleton.load(run.skeleton)
        work = model_work(run.model, skeleton)
        # A stage that an answer does not run through is there for training alone.
        used = [stage for stage, one in work.clip.items() if one.macs]
        found[name] = {
            "frames": run.model.clip_frames,
            "future_frames": run.model.future_frames,
            "parameters": sum(work.parameters.get(stage, 0) for stage in used),
            "gmacs_clip": total(work.clip).macs / 1e9,
            "gmacs_stream": None if run.model.future_frames else total(work.stream).macs / 1e9,
        }
        model = model_from_config(run.model, skeleton).eval()
        for mode in ("clip", "stream"):
            if mode == "clip" or not run.model.future_frames:
                steps[name, mode] = step_of(model, BenchSettings(mode, device="cpu"))
    for (name, mode), milliseconds in _in_turns(steps, rounds).items():
        found[name][f"ms_{mode}"] = milliseconds
    return found


def _in_turns(steps: dict[tuple[str, str], Any], rounds: int) -> dict[tuple[str, str], float]:
    """Median milliseconds of each step; the order turns from round to round, so that all meet the same machine."""
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in steps}
    with running(BenchSettings(device="cpu")):
        for number in range(rounds + 2):  # two to warm up
            for name in reversed(steps) if number % 2 else steps:
                start = time.perf_counter()
                steps[name]()
                seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values[2:]) for name, values in seconds.items()}
