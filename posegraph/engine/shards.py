"""Which share of the files is this process's: said outright, or by what started it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from posegraph.engine.ranks import together
from posegraph.errors import PoseGraphError


@dataclass(frozen=True)
class Shard:
    """Share ``index`` (from 0) of ``count``."""

    index: int = 0
    count: int = 1


@contextmanager
def shared_out(text: str | None) -> Iterator[Shard]:
    """Yield the share that ``text`` names; None: all.

    torchrun ends all processes as soon as one fails: with ``auto`` under it, nobody leaves the block before all have
    come to its end.

    Args:
        text: ``"2/8"``, the third of eight, or ``"auto"``: :func:`own_shard`.

    Raises:
        PoseGraphError: neither of the two, a share that there is none of, ``auto`` where nothing tells it, or no share
            where several processes would all do the same.
    """
    if text is None and (count := _processes()) > 1:
        raise PoseGraphError(f"{count} processes were started, and would all do the same; give --shard auto")
    share = Shard() if text is None else own_shard() if text == "auto" else _shard(text)
    with together() if text == "auto" and _launched_by_torchrun() else nullcontext():
        yield share


def _shard(text: str) -> Shard:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not int(found[1]) < int(found[2]):
        raise PoseGraphError(
            f"--shard: got {text!r}; expected i/n with i from 0 to n-1, such as 0/4 for the first of four, or auto"
        )
    return Shard(int(found[1]), int(found[2]))


def own_shard() -> Shard:
    """The share that torchrun, a SLURM array, tasks of srun, or tasks of srun within an array give this process.

    Raises:
        PoseGraphError: none of them has started it, or the array's numbers leave gaps.
    """
    if _launched_by_torchrun():
        return Shard(_number("RANK"), _number("WORLD_SIZE"))
    if "SLURM_ARRAY_TASK_ID" not in os.environ and "SLURM_STEP_NUM_TASKS" not in os.environ:
        raise PoseGraphError(
            "--shard auto: neither torchrun (RANK, WORLD_SIZE) nor SLURM (SLURM_ARRAY_TASK_ID, or srun's SLURM_PROCID) "
            "started this process; give --shard i/n"
        )
    job = _array_task() if "SLURM_ARRAY_TASK_ID" in os.environ else Shard()
    # sbatch's own shell has SLURM_PROCID 0 and SLURM_NTASKS too; only srun numbers the tasks of a step.
    task = Shard(_number("SLURM_PROCID"), _number("SLURM_STEP_NUM_TASKS")) if _in_step() else Shard()
    return Shard(job.index * task.count + task.index, job.count * task.count)


def _processes() -> int:
    if _launched_by_torchrun():
        return _number("WORLD_SIZE")
    return _number("SLURM_STEP_NUM_TASKS") if _in_step() else 1


def _launched_by_torchrun() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def _in_step() -> bool:
    return "SLURM_STEP_NUM_TASKS" in os.environ and "SLURM_PROCID" in os.environ


def _array_task() -> Shard:
    number, first, last = (_number(f"SLURM_ARRAY_TASK_{part}") for part in ("ID", "MIN", "MAX"))
    count = _number("SLURM_ARRAY_TASK_COUNT")
    step, rest = divmod(last - first, count - 1) if count > 1 else (1, 0)
    if rest or (number - first) % step:
        raise PoseGraphError(
            f"--shard auto: the SLURM array has {count} tasks from {first} to {last} with gaps; expected numbers in "
            "equal steps, such as --array=0-7: or give --shard i/n"
        )
    return Shard((number - first) // step, count)


def _number(variable: str) -> int:
    value = os.environ.get(variable, "")
    if not value.isdigit():
        raise PoseGraphError(f"--shard auto: {variable} is {value!r}; expected a number, or give --shard i/n")
    return int(value)
