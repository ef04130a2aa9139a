from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from posegraph_cli.bench import bench

QUICK = ["--steps", "2", "--warmup", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict, Path]:
    """What a bench of the tiny preset prints and writes."""
    out = tmp_path_factory.mktemp("bench")
    arguments = ["ncstr-tiny", *QUICK, "--people", "3", "--batch", "2", "--profile", "--out", str(out)]
    result = CliRunner().invoke(bench, [*arguments, "--json", str(out / "bench.json")], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout, json.loads((out / "bench.json").read_text()), out


def test_tables_say_what_they_count(report) -> None:
    shown, _, _ = report
    for words in (
        "one pose of 17 joints; clip: 3 full frames and the head; stream: 1 new frame and the head",
        "GMACs, clip of these attention products GMACs, stream of these attention products",
        "clip mode, a frame: 3 people in batches of at most 2; float32, cpu; 2 steps after 1",
        "multiplication and an addition",
        "p99, ms a frame",
        "the 10 dearest operators",
    ):
        assert words in " ".join(shown.split())


def test_json_has_every_figure_and_how_it_was_made(report) -> None:
    _, found, out = report
    (model,) = found["models"]
    assert model["settings"] == {
        "mode": "clip", "device": "cpu", "batch": 2, "people": 3, "dtype": "float32", "compiled": None, "warmup": 1,
        "steps": 2,
    }  # fmt: skip
    assert model["poses_a_step"] == 3
    assert len(model["seconds"]) == 2
    assert model["poses_per_second"] == pytest.approx(3 * 2 / sum(model["seconds"]))
    parts = model["work"]["clip"]
    whole = model["work_in_all"]["clip"]
    assert sum(part["macs"] for part in parts.values()) == whole["macs"] == whole["flops"] / 2
    assert {"backbone", "decoder", "pose query", "temporal", "spatial", "cross-branch", "fusion"} < set(parts)
    assert found["environment"]["torch"]
    assert found["environment"]["threads"] >= 1
    assert found["definitions"]["FLOP"].startswith("2 a MAC")
    assert len(model["operators"]) == 10
    assert Path(model["trace"]) == out / "ncstr-tiny-clip.trace.json"
    assert Path(model["trace"]).stat().st_size > 1000


def test_json_on_stdout_stands_alone() -> None:
    result = CliRunner().invoke(bench, ["ncstr-tiny", *QUICK, "--mode", "stream", "--json", "-"])
    assert json.loads(result.stdout)["models"][0]["settings"]["mode"] == "stream"


def test_nothing_to_do_is_wrong_usage() -> None:
    result = CliRunner().invoke(bench, [])
    assert result.exit_code == 2
    assert "name a MODEL, for instance ncstr-b, or ask for --paper" in result.stderr
