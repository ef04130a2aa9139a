"""A compiled model is the same model: losses, gradients, names, and a bounded number of compilations.

The compiler's last stage, minutes of C++, is left out: ``eager`` runs what was traced as it is, ``aot_eager`` also
derives the backward pass. What is traced, guarded and compiled again is the same with every back end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch_geometric.data import Batch

from posegraph.engine.module import PoseTraining
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData

Untrained = Callable[..., PoseTraining]
Compiler = Callable[[str], CompileCounterWithBackend]
COMPILED = "training.compile=true"
SLIM = ("model.memory_layers=1", "model.stem=patch", "model.patch_size=16", "model.depth=2", "model.drop_path=0.3")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], CompileCounterWithBackend]]:
    """Have a back end compile, counted; a graph break is an error."""
    compile_with = torch.compile

    def use(backend: str) -> CompileCounterWithBackend:
        counter = CompileCounterWithBackend(backend)
        monkeypatch.setattr(torch, "compile", functools.partial(compile_with, backend=counter, fullgraph=True))
        return counter

    torch.compiler.reset()
    yield use
    torch.compiler.reset()


def step(module: PoseTraining, clips: ClipData) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients."""
    torch.manual_seed(0)
    module.zero_grad()
    loss = torch.stack(list(module.losses(module.run(clips), clips).values())).sum()
    loss.backward()
    return loss.detach(), {name: value.grad for name, value in module.named_parameters() if value.grad is not None}


@pytest.mark.parametrize(
    ("backend", "more"),
    [
        ("eager", ["model.variant=local_only"]),
        (
            "aot_eager",
            ["model.variant=vit_alone", "training.checkpoint_blocks=true", "training.freeze_blocks=1"],
        ),
    ],
)
def test_losses_gradients_and_names_are_those_of_the_eager_model(
    untrained: Untrained, clips: ClipData, compiler: Compiler, backend: str, more: list[str]
) -> None:
    eager, counter = untrained(*SLIM, *more), compiler(backend)
    compiled = untrained(*SLIM, *more, COMPILED)
    assert list(compiled.state_dict()) == list(eager.state_dict())
    expected, found = step(eager, clips), step(compiled, clips)
    assert counter.frame_count >= 2  # backbone and decoder at least
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_odd_batches_are_not_compiled_again_and_again(
    untrained: Untrained, clips: ClipData, compiler: Compiler
) -> None:
    counter = compiler("eager")
    module = untrained(*SLIM, COMPILED, "model.variant=vit_alone").eval()
    single = clips.to_data_list()

    def counts(*sizes: int) -> list[int]:
        found = []
        for size in sizes:
            with torch.no_grad():
                module.run(Batch.from_data_list(single[:size]))
            found.append(counter.frame_count)
        return found

    first, second, *others = counts(4, 3, 2, 4, 3)
    assert (first, second) == (2, 4)  # backbone and decoder; once more for all sizes
    assert others == [4, 4, 4]


def test_a_compiler_that_fails_is_one_clear_line(
    untrained: Untrained, clips: ClipData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., None]:
        raise RuntimeError("no C++ compiler\nin sight")

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=broken))
    module = untrained(*SLIM, COMPILED)
    with pytest.raises(PoseGraphError, match=r"training\.compile: torch\.compile failed .*training\.compile=false$"):
        module.run(clips)
