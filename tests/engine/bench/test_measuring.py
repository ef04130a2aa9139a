"""Clocks and memory, with CUDA's calls replaced by ones that are seen."""

from __future__ import annotations

import pytest
import torch

from posegraph.engine.bench import measuring
from posegraph.engine.bench.measuring import Latency, PeakMemory, synchronise, time_steps

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_percentiles_and_throughput() -> None:
    latency = Latency(first_s=9.0, seconds=(0.1, 0.2, 0.3, 0.4))
    assert latency.percentile(50) == pytest.approx(0.25)
    assert latency.percentile(100) == pytest.approx(0.4)
    assert latency.per_second(items=5) == pytest.approx(20.0)


def test_the_warm_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    durations = iter([8.0, 4.0, 1.0, 2.0, 3.0])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])

    def step() -> None:
        now[0] += next(durations)

    assert time_steps(step, CPU, warmup=2, steps=3) == Latency(8.0, (1.0, 2.0, 3.0))


def test_a_gpu_is_waited_for_before_and_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: happened.append(f"wait {device}"))
    time_steps(lambda: happened.append("step"), CUDA, warmup=1, steps=1)
    assert happened == ["wait cuda:0", "step", "wait cuda:0"] * 2
    synchronise(CPU)
    assert len(happened) == 6


def test_memory_of_a_cpu_is_what_the_process_grew_by() -> None:
    memory = PeakMemory(CPU)
    block = torch.ones(100_000_000 // 4)
    del block
    found = memory.beyond()
    if found is None:
        pytest.skip("this system does not tell")
    assert 95e6 < found < 130e6


def test_memory_of_a_gpu_is_its_allocators_peak_beyond_what_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 400)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 1000)
    assert PeakMemory(CUDA).beyond() == 600
    assert reset == [CUDA]


def test_a_mark_that_cannot_be_set_back_says_nothing_until_it_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"VmRSS": 100, "VmHWM": 500}
    monkeypatch.setattr(measuring, "_resident", held.__getitem__)
    monkeypatch.setattr(measuring, "_reset_mark", lambda: False)
    memory = PeakMemory(CPU)
    assert memory.beyond() is None
    held["VmHWM"] = 800
    assert memory.beyond() == 700
