"""Seconds and memory of work that is repeated, on devices that run ahead of Python, too."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Latency:
    """Seconds of repeated steps.

    Fields:
        first_s: The very first one: memory pools are filled, code is compiled.
        seconds: Of each step after the warm-up, with the device's work done at its beginning and at its end.
    """

    first_s: float
    seconds: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Seconds that ``percent`` of the steps stay below, linear between two steps."""
        return float(np.percentile(self.seconds, percent))

    def per_second(self, items: int) -> float:
        """How many of the ``items`` of a step are done in a second, over all steps."""
        return items * len(self.seconds) / sum(self.seconds)


def time_steps(step: Callable[[], Any], device: torch.device, *, warmup: int, steps: int) -> Latency:
    """Time ``steps`` calls after ``warmup`` (at least one) that do not count."""
    seconds = []
    for _ in range(max(warmup, 1) + steps):
        synchronise(device)
        start = time.perf_counter()
        step()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return Latency(seconds[0], tuple(seconds[-steps:]))


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class PeakMemory:
    """The most memory that a piece of work holds beyond what was held when it began.

    On CUDA devices: tensors, by the allocator's own counter. Elsewhere the process's resident memory, as Linux counts
    it: libraries' work space and freed memory that the allocator keeps are part of it.
    """

    def __init__(self, device: torch.device) -> None:
        gc.collect()
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
            return
        _give_back_freed_memory()
        self._before, self._mark = _resident("VmRSS"), _resident("VmHWM")
        self._counts_anew = _reset_mark()

    def beyond(self) -> int | None:
        """Bytes since this was made. None: this system does not tell."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        peak = _resident("VmHWM")
        # A mark that can not be set back says nothing until it is passed.
        return peak - self._before if self._counts_anew or peak > self._mark else None


def _resident(name: str) -> int:
    """Bytes of this process now (VmRSS) or at most so far (VmHWM); 0 on systems without Linux's table."""
    if not _STATUS.exists():
        return 0
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    return int(lines.get(name, "0 kB").split()[0]) * 1024


def _reset_mark() -> bool:
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _give_back_freed_memory() -> None:
    """What earlier work freed would be used again, unseen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
