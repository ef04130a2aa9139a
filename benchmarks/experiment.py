"""What the benchmarks that train share: jobs that several processes work through, training, scoring, provenance.

A job is done when its result file is there. Results appear whole or not at all, and a job is locked while it is worked
on: processes can be started and stopped at any time, on the same folder, and each goes on with what is left.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import shlex
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from posegraph.config import RunConfig
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import evaluate
from posegraph.engine.precision import fastest_precision
from posegraph.engine.run_folder import CONFIG
from posegraph.engine.training import train
from posegraph.environment import describe_environment
from posegraph.errors import PoseGraphError
from posegraph.files import json_text, read_json, write_json
from posegraph.metrics.splits import split_scores

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs"
POLL_S = 5.0
FINISHED = "finished.json"
"""In a run's folder: it has had all its steps."""


def quiet() -> None:
    """Only what this file says: no advice of Lightning at the start of every training."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated")
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*deprecated")


def say(text: str) -> None:
    """Progress, with the time; stdout is for results."""
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


# --- jobs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """Something that takes long and leaves one file.

    Fields:
        name: Of no other job.
        result: The file; where it is, the job is done.
        lock: Held by the process that works on it.
        run: Does it, and writes the result last.
        needs: Jobs that come first.
    """

    name: str
    result: Path
    lock: Path
    run: Callable[[], None]
    needs: tuple[Job, ...] = ()

    @property
    def done(self) -> bool:
        """Its result is there."""
        return self.result.is_file()


def work_through(jobs: Sequence[Job], poll_s: float = POLL_S) -> None:
    """Do all jobs that are not done, and those that they need, in order; wait for those of other processes.

    A job that another process works on is passed over. The system drops the lock of a process that died, whatever its
    end was, and its job is taken over.
    """
    every = list({one.name: one for job in jobs for one in (*job.needs, job)}.values())
    told = False
    while waiting := [job for job in every if not job.done]:
        if any(_done_here(job) for job in waiting if all(need.done for need in job.needs)):
            told = False
            continue
        if not told:
            say(f"waiting for another process: {', '.join(job.name for job in waiting)}")
            told = True
        time.sleep(poll_s)


def _done_here(job: Job) -> bool:
    """Whether this process did it: not if another one holds it."""
    job.lock.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    try:
        if not job.done:  # another process may have finished it since
            say(job.name)
            job.run()
    finally:
        lock.release()
    return True


def recorded_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write what rows are made with, or hold it against what is written there.

    Raises :class:`PoseGraphError` where they differ: rows of one folder are made alike.
    """
    if not path.is_file():
        write_json(path, settings)
        return
    then: dict[str, Any] = read_json(path)
    for key, now in settings.items():
        if json_text(then.get(key)) != json_text(now):
            raise PoseGraphError(
                f"{path}: {key} was {then.get(key)} for the rows of this folder, and is now {now}; give a new --out, "
                "or the settings of that time"
            )


def agreed_precision(folder: Path) -> str:
    """The fastest of this machine, measured once for all rows of a folder: they are computed alike."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "precision.json"
    with FileLock(folder / ".precision.lock"):
        if not path.is_file():
            write_json(path, fastest_precision())
        return str(read_json(path))


# --- training and scoring --------------------------------------------------------------------------------------------


def trained(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Train, or go on with what was interrupted; of a run that has finished, what was written then.

    Returns:
        ``steps``, ``train_s`` (wall time of the last session), ``resumed`` (there was an earlier one), and
        :func:`provenance`.
    """
    finished = folder / FINISHED
    if finished.is_file():
        return dict(read_json(finished))
    facts, start = provenance(), time.perf_counter()
    resume = (folder / CONFIG).is_file()
    result = train(config, folder, resume=resume, progress=False, on_notice=say)
    seconds = round(time.perf_counter() - start, 1)
    figures = {"steps": result.steps, "train_s": seconds, "resumed": resume} | facts
    write_json(finished, figures)
    return figures


def scored(run: Path, data: Path) -> dict[str, Any]:
    """Scores of a run on annotations, boxes from the annotations.

    Returns:
        ``mAP``; ``AP`` and ``PCK`` by joint group; ``splits``: part -> number of joints, AP and PCK@0.5 head sizes of
        the part; ``parameters``; ``score_s``.
    """
    start, model = time.perf_counter(), load(run)
    found = evaluate(model, data, metrics=("ap", "pck"))
    ap, pck = found.scores.ap, found.scores.pck[0]
    if ap is None:
        raise PoseGraphError(f"{data}: has no AP; expected people with head boxes; give the synthetic set")
    splits = asdict(split_scores(found.truth, found.scored))
    fast_from = splits.pop("fast_from")
    return {
        "mAP": ap.table["Mean"],
        "AP": ap.table,
        "PCK": {"alpha": pck.alpha, **pck.table},
        "splits": splits,
        "fast_from": fast_from,
        "people": sum(map(len, found.truth)),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "score_s": round(time.perf_counter() - start, 1),
    }


def provenance() -> dict[str, Any]:
    """Commit (``-dirty``: with changes that are not committed), machine, and the time now."""
    return {
        "commit": commit(),
        "machine": {"processor": processor(), "threads": os.environ.get("OMP_NUM_THREADS"), **describe_environment()},
        "started_utc": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}",
    }


def command(script: str, words: Sequence[str]) -> str:
    """What was called, to be published: of paths only the last part, of ``NAME=PATH,PATH[:A-B]`` likewise."""
    parts = [re.sub(r"[^=,\s]*/([^/=,\s]+)", r"\1", word) for word in words]
    return shlex.join(["python", f"benchmarks/{script}", *parts])


@cache
def commit() -> str:
    """Of the code when it was first asked for; ``unknown`` without git."""
    try:
        changed = _git("status", "--porcelain", "--", "posegraph", "benchmarks/*.py")
        return _git("rev-parse", "--short=10", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip()


def processor() -> str:
    """Its name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows in a folder, in the order of their names."""
    return [read_json(path) for path in sorted(folder.glob("*.json"))]
