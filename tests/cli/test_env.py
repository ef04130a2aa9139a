from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch
from click.testing import CliRunner

import posegraph
from posegraph_cli.env import env

HEAVY = ("torch", "torch_geometric", "numpy", "cv2", "networkx", "pydantic", "matplotlib")


def test_json_on_stdout_stands_alone() -> None:
    result = CliRunner().invoke(env, ["--json", "-"])
    found = json.loads(result.stdout)
    assert found["posegraph"] == posegraph.__version__
    assert found["torch"] == torch.__version__
    assert found["cpus"] >= 1


def test_json_file_beside_the_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(env, ["--json", str(tmp_path / "env.json")])
    assert "pytorch-lightning" in result.stdout
    assert json.loads((tmp_path / "env.json").read_text())["python"] == sys.version.split()[0]


def test_help_and_package_import_nothing_heavy() -> None:
    program = (
        "import sys, posegraph, posegraph_cli.main as cli\n"
        "sys.argv = ['posegraph', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as exit:\n    assert exit.code == 0\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded: []"
    assert "Show versions and hardware" in result.stdout


def test_public_names_are_found_when_asked_for() -> None:
    from posegraph.skeleton import Skeleton

    assert posegraph.Skeleton is Skeleton
    assert {"ClipData", "Skeleton", "build_model", "load"} < set(dir(posegraph))
