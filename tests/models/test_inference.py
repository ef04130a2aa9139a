"""A model rewritten for inference answers what the model answers, stage by stage, and leaves it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch_geometric.data import Batch

from posegraph.config import Variant
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.models.base import PoseModel
from posegraph.models.build import build_model
from posegraph.models.inference import FastHeatmapHead, InferenceModel
from posegraph.skeleton import Skeleton

SMALL: dict[str, Any] = {
    "input_hw": (64, 48), "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "attention_heads": 4,
}  # fmt: skip
# A ring with a tail: some joints are two bones apart, some more.
TAIL = Skeleton(name="tail", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")))
Make = Callable[..., PoseModel]


@pytest.fixture(scope="module")
def make() -> Make:
    def make(variant: str = "full", **changes: Any) -> PoseModel:
        torch.manual_seed(0)
        model = build_model("ncstr-b", TAIL, variant, **{**SMALL, **changes}).eval()
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if name.endswith("running_var"):
                    value.uniform_(0.5, 2)
                elif value.is_floating_point():
                    value += torch.randn_like(value) * 0.3
        return model

    return make


def clips(model: PoseModel, count: int) -> ClipData:
    """A batch of noise and its graph, by PyG."""
    num_frames, num_joints = model.config.clip_frames, model.skeleton.num_joints
    add_time, add_hops = AddTemporalChains(num_frames, num_joints), AddSkeletonHops(model.skeleton)
    batch = Batch.from_data_list(
        [
            add_hops(
                add_time(ClipData(frames=torch.randn(1, num_frames, 3, 64, 48), num_nodes=num_frames * num_joints))
            )
            for _ in range(count)
        ]
    )
    done: ClipData = batch
    return done


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        *((variant, {}) for variant in get_args(Variant)),
        ("full", {"anchor": "none", "heatmap_prior": False, "memory_layers": 1}),
        ("full", {"anchor": "velocity", "radius_growth": 3.0}),
    ],
)
@torch.inference_mode()
def test_the_head_answers_the_same_without_a_graph(variant: str, changes: dict[str, Any], make: Make) -> None:
    model = make(variant, **changes)
    clip = clips(model, count=3)
    encoded = model.encode(clip.frames)
    theirs, ours = model.reason(encoded, clip), InferenceModel(model)(encoded)
    assert theirs.nodes.std() > 0.1
    torch.testing.assert_close(ours.nodes, theirs.nodes, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.values, theirs.values, atol=1e-6, rtol=0)
    assert torch.equal(ours.heatmaps, theirs.heatmaps)


@torch.no_grad()
def test_more_clips_than_are_reasoned_over_at_once_answer_the_same(make: Make) -> None:
    model = make()
    fast = InferenceModel(model)
    encoded = model.encode(clips(model, 5).frames)
    whole = fast(encoded)
    fast.clips_at_once = 2
    for part, expected in zip(fast(encoded), whole, strict=True):
        torch.testing.assert_close(part, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"deconv_channels": (8, 6)},
        {"deconv_channels": (8,), "input_hw": (48, 80)},  # a grid of 3 x 5
        {"decoder": "simple"},
        {"stem": "conv"},
    ],
)
@torch.inference_mode()
def test_encoding_is_the_same(changes: dict[str, Any], make: Make) -> None:
    model = make(**changes)
    crops = torch.randn(2, 3, *model.config.input_hw)
    features, heatmaps = InferenceModel(model).encode(crops)
    theirs = model.encode(crops.unsqueeze(1))
    torch.testing.assert_close(features, theirs.features[:, 0], atol=1e-5, rtol=1e-5)
    size = theirs.heatmaps.abs().max()
    torch.testing.assert_close(heatmaps / size, theirs.heatmaps[:, 0] / size, atol=1e-5, rtol=0)


def test_tensors_that_are_not_rewritten_are_shared(make: Make) -> None:
    model = make()
    fast = InferenceModel(model)
    assert isinstance(fast.heatmap_head, FastHeatmapHead)
    ours, theirs = fast.backbone.vit.blocks[0].mlp.fc1.weight, model.backbone.vit.blocks[0].mlp.fc1.weight
    assert ours.data_ptr() == theirs.data_ptr()
    assert model.heatmap_head is not fast.heatmap_head


def test_training_goes_on_as_without_it(make: Make) -> None:
    """Gradients of the model that was copied are those of one that was not."""
    gradients = []
    for copied in (False, True):
        model = make()
        if copied:
            InferenceModel(model)
        torch.manual_seed(1)
        model.train().run(clips(model, count=2)).nodes.square().sum().backward()  # type: ignore[no-untyped-call]  # torch
        gradients.append({name: value.grad for name, value in model.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        other = gradients[1][name]
        assert gradient is other is None or (gradient is not None and other is not None and gradient.equal(other)), name
