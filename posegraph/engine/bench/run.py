"""``posegraph bench`` as a whole: models in, tables and JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from posegraph.engine.bench.measurement import Bench, BenchSettings, bench, device_named, open_model, running, step_of
from posegraph.engine.bench.paper import paper_table
from posegraph.engine.bench.profiling import OperatorCost, profile_steps
from posegraph.engine.bench.tables import (
    DEFINITIONS,
    Table,
    as_json,
    definitions_table,
    latency_table,
    paper_columns,
    profile_table,
    work_table,
)
from posegraph.environment import describe_environment
from posegraph.models.base import PoseModel


@dataclass(frozen=True)
class BenchReport:
    """Tables for people, and the same with more for programs."""

    tables: list[Table]
    json: dict[str, Any]


def run(
    specs: Sequence[str],
    skeleton: str | None,
    options: Mapping[str, Any],
    paper: bool = False,
    traces: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> BenchReport:
    """Count and measure models, one after another.

    Args:
        specs: Presets, or what ``posegraph eval`` opens.
        skeleton: Joints of presets, and of weights that do not say theirs.
        options: Of :class:`BenchSettings`.
        paper: Add the paper's Table 5.
        traces: Folder for Chrome traces; None: operators are not profiled.
        tell: Called with a line before each model.

    Raises:
        PoseGraphError: a model, device or setting that cannot be used.
    """
    settings = BenchSettings(**options)
    device_named(settings.device)
    benches: list[Bench] = []
    profiles: list[Table] = []
    content: dict[str, Any] = {
        "definitions": DEFINITIONS,
        "environment": describe_environment() | {"threads": torch.get_num_threads()},
        "models": [],
    }
    for spec in specs:
        tell(f"{spec}: {settings.warmup + settings.steps} steps in {settings.mode} mode")
        model = open_model(spec, skeleton)
        found = bench(spec, model, settings)
        benches.append(found)
        content["models"].append(as_json(found))
        if traces is not None:
            trace = traces / f"{Path(spec).name}-{settings.mode}.trace.json"
            costs = _profiled(model, settings, trace)
            profiles.append(profile_table(spec, costs, str(trace)))
            content["models"][-1] |= {"trace": str(trace), "operators": [asdict(cost) for cost in costs]}
    tables = [*map(work_table, benches), *([latency_table(benches)] if benches else []), *profiles]
    if paper:
        rows = paper_table()
        tables.append(paper_columns(rows))
        content["paper"] = [asdict(row) for row in rows]
    return BenchReport([definitions_table(), *tables], content)


def _profiled(model: PoseModel, settings: BenchSettings, trace: Path) -> list[OperatorCost]:
    with running(settings):
        return profile_steps(step_of(model, settings), device_named(settings.device), trace)
