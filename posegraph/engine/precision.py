"""Which number format this machine trains fastest in."""

from __future__ import annotations

import time
from typing import Literal

import torch

Precision = Literal["32-true", "bf16-mixed"]


def fastest_precision() -> Precision:
    """``bf16-mixed`` where a matrix product is faster in bfloat16 on this machine, else ``32-true``.

    Some processors compute bfloat16 natively and train almost twice as fast with it, others emulate it.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kinds: dict[Precision, torch.dtype] = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
    times: dict[Precision, float] = {}
    for precision, dtype in kinds.items():
        matrix = torch.ones(512, 512, dtype=dtype, device=device)
        runs = []
        for _ in range(10):
            start = time.perf_counter()
            (matrix @ matrix)[0, 0].item()  # .item() waits for a GPU
            runs.append(time.perf_counter() - start)
        times[precision] = min(runs)
    return min(times, key=lambda precision: times[precision])
