"""The head's operators: as many for one person as for many, for few joints as for more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from posegraph.engine.blank_clips import blank_clips
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import build_model
from posegraph.models.inference import InferenceModel
from posegraph.skeleton import Skeleton

SIZES = {"input_hw": (64, 48), "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "stem": "patch"}


class Dispatched(TorchDispatchMode):
    """Notes every operator, and what it makes of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[str] = []
        self.integers: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.operators.append(str(func))
        views = any(argument.alias_info is not None for argument in func._schema.arguments)
        if isinstance(out, Tensor) and out.dtype == torch.int64 and not views:
            self.integers.append(tuple(out.shape))
        return out


def chain(num_joints: int) -> Skeleton:
    names = tuple(f"joint {number}" for number in range(num_joints))
    return Skeleton(name="chain", joints=names, bones=tuple(pairwise(names)))


def model_of(num_joints: int) -> PoseModel:
    return build_model("ncstr-tiny", chain(num_joints), deconv_channels=(8, 8), **SIZES).eval()


def inputs(model: PoseModel, people: int) -> tuple[Encoded, ClipData]:
    clip = blank_clips(model.config, model.skeleton, people)
    shape, joints = (people, 3), model.skeleton.num_joints
    return Encoded(torch.randn(*shape, 16, 4, 3), torch.rand(*shape, joints, 16, 12)), clip


def written(model: PoseModel, people: int) -> Callable[[], object]:
    encoded, clip = inputs(model, people)
    return lambda: model.reason(encoded, clip)


def inference(model: PoseModel, people: int) -> Callable[[], object]:
    fast, (encoded, _) = InferenceModel(model), inputs(model, people)
    return lambda: fast(encoded)


def dispatched(call: Callable[[], object]) -> Dispatched:
    with torch.no_grad():
        call()  # what is made once may be made now
        with Dispatched() as found:
            call()
    return found


@pytest.mark.parametrize("form", [written, inference])
def test_no_operator_more_for_more_joints_or_people(form: Callable[[PoseModel, int], Callable[[], object]]) -> None:
    few = dispatched(form(model_of(5), 2)).operators
    assert dispatched(form(model_of(23), 2)).operators == few
    assert dispatched(form(model_of(5), 7)).operators == few


@pytest.mark.parametrize("form", [written, inference])
def test_no_edges_are_made_in_the_forward(form: Callable[[PoseModel, int], Callable[[], object]]) -> None:
    """Whole numbers are made only for heatmap cells, and per edge nothing but the look-up of what exists."""
    model, people = model_of(5), 2
    _, clip = inputs(model, people)
    found = dispatched(form(model, people)).integers
    edges = {clip[name].size(1) for name in ("temporal_edge_index", "hop1_edge_index", "hop2_edge_index")}
    assert not [shape for shape in found if edges & set(shape)]
