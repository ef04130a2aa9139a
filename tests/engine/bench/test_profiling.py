from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from posegraph.engine.bench.profiling import profile_steps


def test_the_dearest_operators_and_a_trace(tmp_path: Path) -> None:
    matrix, few = torch.ones(400, 400), torch.ones(3)

    def step() -> None:
        for _ in range(4):
            torch.mm(matrix, matrix)
        few.exp().log()

    trace = tmp_path / "new" / "step.json"
    costs = profile_steps(step, torch.device("cpu"), trace, top=3)
    assert (costs[0].name, costs[0].calls) == ("aten::mm", 4)
    assert costs[0].share > 0.5
    assert [cost.seconds for cost in costs] == sorted((cost.seconds for cost in costs), reverse=True)
    assert len(costs) == 3
    named = {event.get("name") for event in json.loads(trace.read_text())["traceEvents"]}
    assert {"aten::mm", "aten::exp"} <= named
    assert [path.name for path in trace.parent.iterdir()] == ["step.json"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="cannot write"):
        profile_steps(lambda: torch.ones(2) + 1, torch.device("cpu"), tmp_path / "file" / "trace.json")
