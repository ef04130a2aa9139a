"""How the processes of a run speak to each other: values, results of one of them, and what went wrong."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed

from posegraph.data.datamodule import rank_and_size
from posegraph.engine.distributed import launched, own_device
from posegraph.errors import PoseGraphError, SharedError

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""How long a process waits for another one's share of an evaluation; one that ends is noticed at once."""

_talk: Any = None
"""The group that objects are exchanged in: gloo, also beside NCCL. None: the default group."""


class _Failure(NamedTuple):
    message: str


@contextmanager
def together(cuda: bool = False) -> Iterator[None]:
    """A block that all processes of torchrun or SLURM run; none leaves it before all have come to its end.

    An error on one of them ends the block on all, with a :class:`SharedError` that rank 0 reports. On one process it is
    a plain block.

    Args:
        cuda: The processes will train on GPUs: their tensors travel by NCCL, else by gloo.

    Raises:
        SharedError: an error on any of the processes, or they were not started by the same command.
    """
    _join(cuda)
    try:
        _check_commands()
        yield
    except SharedError:
        raise
    except Exception as error:
        expected = isinstance(error, PoseGraphError)
        try:
            exchange(_Failure(str(error) if expected else f"{type(error).__name__}: {error}"))
        except SharedError:
            if expected:
                raise
        raise
    exchange(None)


def exchange(value: T) -> list[T]:
    """Every process's value, in the order of ranks; on one process, its own.

    Raises:
        SharedError: another process failed before it came here, inside :func:`together`, or has ended.
    """
    rank, size = rank_and_size()
    if size == 1:
        return [value]
    values: list[Any] = [None] * size
    try:
        torch.distributed.all_gather_object(values, value, group=_talk)
    except RuntimeError as error:
        raise _lost(error) from error
    for source, found in enumerate(values):
        if isinstance(found, _Failure):
            raise SharedError(found.message if source == 0 else f"rank {source}: {found.message}", told_here=rank == 0)
    return values


def once(function: Callable[[], T]) -> T:
    """What ``function`` returns on rank 0, which alone calls it; on all processes."""
    found: list[Any] = exchange(function() if rank_and_size()[0] == 0 else None)
    result: T = found[0]
    return result


def is_rank_zero() -> bool:
    """Whether this process speaks and writes for all that work together; one alone does."""
    return rank_and_size()[0] == 0


@contextmanager
def broken_connection_told() -> Iterator[None]:
    """Say in one line that another process has ended, where PyTorch says that a connection broke."""
    try:
        yield
    except RuntimeError as error:
        if rank_and_size()[1] > 1 and ("gloo" in str(error) or isinstance(error, torch.distributed.DistError)):
            raise _lost(error) from error
        raise


def _lost(error: RuntimeError) -> SharedError:
    reason = re.sub(r"^\[.*?\] ?", "", str(error)).split(". ")[0]
    return SharedError(f"another process of this run has ended ({reason}); see what it said", told_here=is_rank_zero())


def _check_commands() -> None:
    """Tasks of their own, started by one srun, must not take each other for ranks."""
    commands = exchange(
        [argument for argument in sys.argv[1:] if not argument.startswith(("--local-rank", "--local_rank"))]
    )
    for rank, command in enumerate(commands):
        if command != commands[0]:
            raise PoseGraphError(
                f"rank {rank} was started with {shlex.join(command)!r}, rank 0 with {shlex.join(commands[0])!r}; "
                "expected one command, on which they work together: start other work by itself (srun --ntasks=1)"
            )


def _join(cuda: bool) -> None:
    """Connect the processes of a launcher, as Lightning would, which then finds them connected."""
    global _talk
    started = launched()
    if started is None or started.environment.world_size() == 1 or torch.distributed.is_initialized():
        return
    environment = started.environment
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = environment.main_address, str(environment.main_port)
    if cuda:
        torch.cuda.set_device(own_device())
    torch.distributed.init_process_group(
        "nccl" if cuda else "gloo", rank=environment.global_rank(), world_size=environment.world_size()
    )
    _talk = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    atexit.register(torch.distributed.destroy_process_group)
