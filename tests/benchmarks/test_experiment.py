"""Jobs are done once, by one process at a time, and are taken over from a process that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from posegraph.errors import PoseGraphError


@pytest.fixture(scope="module")
def experiment(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("experiment")


class Counted:
    """Jobs that write their name, and count how often."""

    def __init__(self, module: ModuleType, folder: Path) -> None:
        self.module, self.folder = module, folder
        self.order: list[str] = []

    def job(self, name: str, *needs: object) -> object:
        result = self.folder / f"{name}.json"

        def run() -> None:
            self.order.append(name)
            result.write_text("{}")

        return self.module.Job(name, result, self.folder / f"{name}.lock", run, needs)


def test_jobs_are_done_once_and_after_what_they_need(experiment: ModuleType, tmp_path: Path) -> None:
    counted = Counted(experiment, tmp_path)
    start = counted.job("start")
    jobs = [counted.job("a", start), counted.job("b", start)]
    experiment.work_through(jobs)
    assert counted.order == ["start", "a", "b"]
    (tmp_path / "b.json").unlink()
    experiment.work_through(jobs)
    assert counted.order == ["start", "a", "b", "b"]


def test_a_job_that_fails_leaves_the_others_as_they_are(experiment: ModuleType, tmp_path: Path) -> None:
    counted = Counted(experiment, tmp_path)

    def stopped() -> None:
        raise KeyboardInterrupt

    broken = experiment.Job("broken", tmp_path / "broken.json", tmp_path / "broken.lock", stopped)
    with pytest.raises(KeyboardInterrupt):
        experiment.work_through([counted.job("a"), broken, counted.job("b")])
    assert counted.order == ["a"]
    experiment.work_through([counted.job("a"), counted.job("broken"), counted.job("b")])
    assert counted.order == ["a", "broken", "b"]


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_processes_job_is_passed_over_and_taken_over_when_it_dies(
    experiment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(experiment, tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waits: list[list[str]] = []

        def sleep(seconds: float) -> None:
            waits.append(list(counted.order))
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait()

        monkeypatch.setattr(time, "sleep", sleep)
        experiment.work_through([counted.job("a"), counted.job("b")])
    assert waits == [["b"]]
    assert counted.order == ["b", "a"]


def test_rows_of_a_folder_are_made_alike(experiment: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "settings" / "tiny.json"
    experiment.recorded_settings(path, {"further": ("training.lr=1e-3",), "precision": "32-true"})
    experiment.recorded_settings(path, {"further": ("training.lr=1e-3",), "precision": "32-true"})
    with pytest.raises(
        PoseGraphError, match=r"further was \['training.lr=1e-3'\] .* and is now \('training.lr=2e-3',\)"
    ):
        experiment.recorded_settings(path, {"further": ("training.lr=2e-3",), "precision": "32-true"})


def test_the_precision_of_a_folder_is_measured_once(
    experiment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter(["bf16-mixed", "32-true"])
    monkeypatch.setattr(experiment, "fastest_precision", lambda: next(found))
    assert [experiment.agreed_precision(tmp_path) for _ in range(2)] == ["bf16-mixed"] * 2


def test_a_published_command_has_no_folders_of_the_machine(experiment: ModuleType) -> None:
    words = [
        "--video",
        "a=/x/y/a.avi,/z/a.json",
        "--evaluate",
        "b=/x/frames:0-19",
        "--out",
        "runs/deep",
        "--seeds",
        "0",
    ]
    expected = "python benchmarks/s.py --video a=a.avi,a.json --evaluate b=frames:0-19 --out deep --seeds 0"
    assert experiment.command("s.py", words) == expected
