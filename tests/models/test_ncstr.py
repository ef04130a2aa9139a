"""The whole model: where it starts, what each variant is made of, and what may depend on what."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch

import posegraph
from posegraph.codec import encode
from posegraph.config import Variant
from posegraph.errors import PoseGraphError
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.models.base import PoseModel
from posegraph.models.build import build_model
from posegraph.skeleton import Skeleton

VARIANTS = get_args(Variant)
HEADS = [variant for variant in VARIANTS if variant != "vit_alone"]
SMALL = {"input_hw": (64, 48), "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "attention_heads": 4}
SIZES: dict[str, dict[str, Any]] = {
    "conv stem": {**SMALL, "stem": "conv", "patch_size": 8, "deconv_channels": (16,)},  # 8 x 6 grid, 16 x 12 heatmaps
    "patch stem": {**SMALL, "stem": "patch", "patch_size": 16, "deconv_channels": (8, 8)},  # 4 x 3 grid
}
STICK = Skeleton(name="stick", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")))
J = STICK.num_joints


def build(size: str = "conv stem", variant: str = "full", **overrides: Any) -> PoseModel:
    torch.manual_seed(0)
    model = build_model("ncstr-tiny", STICK, variant, **{**SIZES[size], **overrides}).eval()
    # Heatmaps of an untrained decoder are near zero everywhere: peaks between 0 and 1 say more.
    torch.manual_seed(1)
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    torch.nn.init.constant_(model.heatmap_head.final.bias, 0.2)
    return model


def randomise_head(model: PoseModel) -> PoseModel:
    torch.manual_seed(2)
    for parameter in model.graph_parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def clip(seed: int = 0) -> ClipData:
    # Coarse blotches: the stem averages fine noise away.
    blotches = torch.randn(1, 3, 3, 8, 6, generator=torch.Generator().manual_seed(seed))
    frames = 3 * blotches.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)
    return AddSkeletonHops(STICK)(AddTemporalChains(3, J)(ClipData(frames=frames, num_nodes=3 * J)))


def batch(*seeds: int) -> Batch:
    return Batch.from_data_list([clip(seed) for seed in seeds])


def image_weights(model: PoseModel) -> dict[str, Tensor]:
    return {k: v for k, v in model.state_dict().items() if k.startswith(("backbone.", "heatmap_head."))}


@pytest.mark.parametrize("variant", HEADS)
@pytest.mark.parametrize("size", list(SIZES))
def test_an_untrained_head_says_what_vit_alone_says(size: str, variant: str) -> None:
    alone, model = build(size, "vit_alone"), build(size, variant)
    model.load_state_dict(image_weights(alone), strict=False)
    with torch.no_grad():
        expected, found = alone(batch(0, 1)), model(batch(0, 1))
    assert found.shape == (2, J, 3)
    assert expected[..., 2].std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_vit_alone_is_the_decoded_heatmap_of_the_key_frame() -> None:
    model = build(variant="vit_alone")
    both = batch(0, 1)
    expected = encode(model.heatmaps(both.frames[:, -1]))
    with torch.no_grad():
        found = model(both)
    torch.testing.assert_close(found[..., :2], expected[..., :2])
    torch.testing.assert_close(found[..., 2], expected[..., 2].clamp(0.01, 0.99))
    assert not list(model.graph_parameters())


@pytest.mark.parametrize("size", list(SIZES))
def test_heatmaps_of_single_crops(size: str) -> None:
    model = build(size)
    heatmaps = model.heatmaps(torch.randn(4, 3, 64, 48))
    assert heatmaps.shape == (4, J, *{"conv stem": (16, 12), "patch stem": (16, 12)}[size])
    assert heatmaps.shape[-2:] == model.config.heatmap_hw
    assert not heatmaps.requires_grad


PARTS = {
    "full": "local.temporal local.memory local.spatial global_.temporal global_.memory global_.spatial cross_branch",
    "no_center_predict": "local.temporal local.memory local.spatial global_.temporal global_.memory global_.spatial "
    "cross_branch",
    "local_only": "local.temporal local.memory local.spatial",
    "global_only": "global_.temporal global_.memory global_.spatial",
    "spatial_only": "local.spatial global_.spatial cross_branch",
    "temporal_only": "local.temporal local.memory global_.temporal global_.memory",
}


@pytest.mark.parametrize("variant", HEADS)
def test_a_variant_has_the_modules_it_should(variant: str) -> None:
    model = build(variant=variant)
    optional = [f"{side}.{part}" for side in ("local", "global_") for part in ("temporal", "memory", "spatial")]
    names = {name for name, _ in model.named_modules()}
    assert [name for name in [*optional, "cross_branch"] if name in names] == PARTS[variant].split()
    assert ("fusion.gate" in names) == ("local_only" != variant != "global_only")
    edges = {side: getattr(model, side).edges for side in ("local", "global_") if getattr(model, side) is not None}
    assert edges.items() <= {"local": "hop1_edge_index", "global_": "hop2_edge_index"}.items()
    assert model.joint_embedding.predict_center == (variant != "no_center_predict")
    assert model.pose_query.window_scale == (2.0 if variant == "no_center_predict" else 1.0)


# ViT alone learns from its heatmaps alone.
@pytest.mark.parametrize(
    ("variant", "heatmap_loss"), [*((one, True) for one in VARIANTS), *((one, False) for one in HEADS)]
)
def test_every_parameter_is_used(variant: str, heatmap_loss: bool) -> None:
    model = randomise_head(build(variant=variant, past_gradient=True)).train()
    output = model.run(batch(0, 1))
    loss = (output.nodes * torch.randn_like(output.nodes)).sum() if variant != "vit_alone" else torch.zeros(())
    if heatmap_loss:
        loss = loss + (output.heatmaps * torch.randn_like(output.heatmaps)).sum()
    loss.backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    decoder = {f"heatmap_head.{name}" for name, _ in model.heatmap_head.named_parameters()}
    assert without == (set() if heatmap_loss else decoder)
    still = {name.split(".mlp")[0] for name, p in model.named_parameters() if p.grad is not None and not p.grad.any()}
    # Without temporal reasoning nobody reads the past tokens.
    assert {name for name in still if "past_mlp" not in name} == set()
    assert bool(still) == (variant == "spatial_only")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_is_its_clips(variant: str) -> None:
    model = randomise_head(build(variant=variant))
    with torch.no_grad():
        together = model(batch(3, 4))
        apart = torch.cat([model(batch(3)), model(batch(4))])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)
    assert (apart[0] - apart[1]).abs().max() > 1e-3


def test_another_clip_of_the_batch_changes_nothing() -> None:
    model = randomise_head(build())
    with torch.no_grad():
        assert torch.equal(model(batch(3, 4))[0], model(batch(3, 5))[0])


@pytest.mark.parametrize(("variant", "reads"), [("full", [True] * 3), ("vit_alone", [False, False, True])])
def test_frames_that_are_read(variant: str, reads: list[bool]) -> None:
    model = randomise_head(build(variant=variant))
    with torch.no_grad():
        before, changed = model(batch(0)), []
        for frame in range(3):
            other = batch(0)
            other.frames = other.frames.clone()
            other.frames[0, frame] = torch.randn(3, 64, 48)
            changed.append(not torch.equal(model(other), before))
    assert changed == reads


def test_values_are_the_same_with_and_without_past_gradient() -> None:
    one, other = (randomise_head(build(past_gradient=flag)) for flag in (True, False))
    torch.testing.assert_close(one(batch(0, 1)), other(batch(0, 1)))


def test_nodes_do_not_reshape_the_heatmaps() -> None:
    model = randomise_head(build())
    model(batch(0)).sum().backward()
    assert all(parameter.grad is None for parameter in model.heatmap_head.parameters())
    assert model.backbone.vit.pos_embed.grad is not None  # through the features


def test_anchors() -> None:
    absolute, velocity = build(anchor="none"), build(anchor="velocity", visible_threshold=1e9)
    taylor = build(anchor="taylor", visible_threshold=1e9)
    with torch.no_grad():
        assert absolute(batch(0))[..., :2].abs().max() == 0
        # nothing was ever seen, so nothing has a velocity: the estimate is the last frame's point
        past = encode(velocity.heatmaps(clip(0).frames[:, 1]))
        torch.testing.assert_close(velocity(batch(0))[..., :2], past[..., :2])
        now = encode(taylor.heatmaps(clip(0).frames[:, 2]))
        torch.testing.assert_close(taylor(batch(0))[..., :2], now[..., :2])


def test_half_precision_features_give_float32_nodes() -> None:
    model = randomise_head(build())
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        nodes = model(batch(0, 1))
    assert nodes.dtype == torch.float32
    assert nodes.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"preset": "ncstr-tinny"}, "model.preset: no preset 'ncstr-tinny'; presets are: ncstr-b, ncstr-h, ncstr-l, "
                                    "ncstr-s, ncstr-tiny, vitpose-b, vitpose-h, vitpose-l, vitpose-s; did you mean "
                                "'ncstr-tiny'?"),
        ({"variant": "local"}, "model.variant: Input should be 'full', 'local_only', 'global_only', 'spatial_only', "
                               "'temporal_only', 'no_center_predict' or 'vit_alone', got 'local'"),
        ({"skeleton": "cocoo17"}, "did you mean 'coco17'?"),
        ({"dept": 3}, "unknown key 'model.dept'"),
        ({"dept": 3}, "did you mean 'depth'?"),
        ({"depth": 0}, "model.depth: Input should be greater than 0, got 0"),
        ({"depth": "deep"}, "got 'deep'"),
        ({"input_hw": (100, 96), "patch_size": 8}, "input_hw 100x96 is not a multiple of patch_size 8"),
        ({"embed_dim": 30, "num_heads": 4}, "embed_dim 30 is not a multiple of num_heads 4"),
        ({"node_channels": 30, "attention_heads": 4}, "node_channels 30 is not a multiple of attention_heads 4"),
    ],
)  # fmt: skip
def test_errors_of_build_model(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PoseGraphError) as error:
        build_model(**{"preset": "ncstr-tiny", **arguments})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_public_names() -> None:
    assert posegraph.build_model is build_model
    assert posegraph.Skeleton is Skeleton
    assert posegraph.ClipData is ClipData
    assert callable(posegraph.load)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = posegraph.nonsense
