"""``torch.compile`` for training, streams and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from posegraph.errors import PoseGraphError
from posegraph.nn.branch import Branch

CompileMode = Literal["default", "reduce-overhead"]


def compile_stages(model: nn.Module, mode: CompileMode = "default") -> None:
    """Have every stage that takes plain tensors compiled when it is first called; PyG's ``Data`` stays outside.

    Done in place: parameters keep their names. The backbone is one stage, not a stage for each block: blocks differ in
    their drop-path rate, a constant of the compiled code, and would be compiled one by one until torch gives up. A
    second size of batch (validation's last) compiles a stage once more, for all sizes.

    Args:
        mode: torch.compile's. ``reduce-overhead`` replays CUDA graphs on a GPU: what a stage returns is overwritten
            when it is called again. On a CPU it is ``default``.
    """
    # In evaluation mode PyTorch's fused transformer layer, one opaque operator, breaks the compiler's stride rules.
    torch.backends.mha.set_fastpath_enabled(False)
    for stage in model.children():
        for part in stage.children() if isinstance(stage, Branch) else [stage]:
            part.compile(mode=mode)


@contextmanager
def compile_faults(
    option: str = "training.compile", otherwise: str = "train with training.compile=false"
) -> Iterator[None]:
    """Turn the compiler's failure into a :class:`PoseGraphError`: what asked for it, and what to do without."""
    from torch._dynamo.exc import TorchDynamoException  # slow to import; only runs that compile need it

    try:
        yield
    except TorchDynamoException as error:
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0][:120] if lines else 'no reason given'}"
        raise PoseGraphError(
            f"{option}: torch.compile failed ({reason}); it needs a C++ compiler on the CPU and Triton on a GPU; "
            f"install these, or {otherwise}"
        ) from error
