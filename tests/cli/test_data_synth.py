"""``posegraph data synth --benchmark``: a fixed set, held against its checksums."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from posegraph.data.synthetic import SYNTH_OCCLUSION, checksums, generate_benchmark
from posegraph.errors import PoseGraphError
from posegraph_cli.data import data

TINY = replace(SYNTH_OCCLUSION, name="tiny-v1", frames=2, people=1, size=(96, 72), splits={"train": 1, "test": 1})


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny benchmark, known under its name, drawn once."""
    generate_benchmark(tmp_path / "drawn", TINY, workers=1)
    kept = checksums.checksums(tmp_path / "drawn", TINY)
    monkeypatch.setattr(checksums, "RECIPES", {"tiny": TINY})
    monkeypatch.setattr(checksums, "reference", lambda recipe: kept)
    return tmp_path / "drawn"


def test_draws_and_compares(tiny: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(data, ["synth", str(tmp_path / "new"), "--benchmark", "tiny"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{split}: annotations of 1 clips as in the reference; images of 1 clips as in the reference"
        for split in ("train", "test")
    ]
    assert "2 sequences, 4 frames" in done.stderr


def test_verify_fails_on_another_set(tiny: Path) -> None:
    command = ["synth", str(tiny), "--benchmark", "tiny", "--verify"]
    assert CliRunner().invoke(data, command).exit_code == 0
    next((tiny / "images/test").rglob("*.jpg")).write_bytes(b"?")
    done = CliRunner().invoke(data, [*command, "--json", "-"])
    assert isinstance(done.exception, PoseGraphError)
    assert "images are not to the last bit" in str(done.exception)
    assert json.loads(done.stdout)["splits"][1]["differing"] == {"annotations": [], "images": ["000001_synthetic"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--benchmark", "tiny", "--frames", "30"], r"--frames: tiny-v1 fixes it; leave it away"),
        (["--benchmark", "tidy"], r"found 'tidy', expected one of: tiny \(now tiny-v1\)"),
        (["--verify"], r"--verify: found no --benchmark"),
    ],
)
def test_what_does_not_go_together(tiny: Path, tmp_path: Path, words: list[str], message: str) -> None:
    done = CliRunner().invoke(data, ["synth", str(tmp_path / "new"), *words])
    assert isinstance(done.exception, PoseGraphError)
    with pytest.raises(PoseGraphError, match=message):
        raise done.exception
    assert not (tmp_path / "new").exists()
