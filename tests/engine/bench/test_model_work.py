"""Stages of the models against counts by hand, and against the figures of the specification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from posegraph.config import RunConfig
from posegraph.engine.bench.model_work import BETWEEN, ModelWork, model_work, total, training_work
from posegraph.models.base import PoseModel
from posegraph.skeleton import Skeleton

J, T, D, HEADS = 17, 3, 256, 4
CELLS = 16 * 12


def work_of(preset: str, *overrides: str) -> ModelWork:
    return model_work(RunConfig.from_preset(preset, overrides).model, Skeleton.load("posetrack17"))


@pytest.fixture(scope="module")
def ncstr_s() -> ModelWork:
    return work_of("ncstr-s")


def backbone_macs(channels: int, depth: int) -> int:
    patches = CELLS * channels * 3 * 16 * 16
    block = CELLS * 12 * channels**2 + 2 * CELLS**2 * channels
    return patches + depth * block


def decoder_macs(channels: int) -> int:
    return CELLS * channels * 256 * 16 + 4 * CELLS * 256 * 256 * 16 + 16 * CELLS * 256 * J


def test_backbone_and_decoder_of_one_frame(ncstr_s: ModelWork) -> None:
    assert ncstr_s.stream["backbone"].macs == backbone_macs(384, 12)
    assert ncstr_s.stream["backbone"].attention == 12 * 2 * CELLS**2 * 384
    assert ncstr_s.stream["decoder"].macs == decoder_macs(384)
    assert ncstr_s.stream["decoder"].attention == 0


@pytest.mark.parametrize(("preset", "gmacs"), [("vitpose-s", 5.6), ("vitpose-b", 18.5), ("vitpose-h", 125.8)])
def test_one_frame_as_the_specification_has_it(preset: str, gmacs: float) -> None:
    assert total(work_of(preset).clip).macs / 1e9 == pytest.approx(gmacs, abs=0.05)


def test_temporal_stage(ncstr_s: ModelWork) -> None:
    nodes, edges = T * J, (2 * T - 1) * J
    tokens = (T - 1) * J
    gat_weights, gat_attention = nodes * D * HEADS * D, (2 * nodes + edges) * HEADS * D
    memory_weights, memory_attention = 2 * tokens * 12 * D**2, 2 * (2 * J * (T - 1) ** 2 * D)
    gate = J * (2 * D * D + D * D)
    found = ncstr_s.clip["temporal"]
    assert found.weights == 2 * (gat_weights + memory_weights + gate)
    assert found.attention == 2 * (gat_attention + memory_attention)


def test_spatial_cross_branch_and_fusion_stages(ncstr_s: ModelWork) -> None:
    skeleton = Skeleton.load("posetrack17")
    edges = sum(len(skeleton.neighbours(hops)) + J for hops in (1, 2))
    spatial, cross, fusion = (ncstr_s.clip[stage] for stage in ("spatial", "cross-branch", "fusion"))
    assert (spatial.weights, spatial.attention) == (2 * J * D * HEADS * D, (2 * 2 * J + edges) * HEADS * D)
    assert (cross.weights, cross.attention) == (2 * J * 4 * D**2, 2 * 2 * J**2 * D)
    gate = (2 * D + 6) * 2 * D + 2 * D * 2
    assert (fusion.weights, fusion.attention) == (J * (2 * (2 * D * D + 3 * D) + gate), 0)


def test_a_stream_spares_the_past_frames_of_backbone_and_decoder(ncstr_s: ModelWork) -> None:
    clip, stream = ncstr_s.clip, ncstr_s.stream
    for stage in ("backbone", "decoder"):
        assert clip[stage].macs == T * stream[stage].macs
    assert {stage: clip[stage] for stage in clip if stage not in ("backbone", "decoder")} == {
        stage: stream[stage] for stage in stream if stage not in ("backbone", "decoder")
    }


def test_stages_are_all_there_is(ncstr_s: ModelWork) -> None:
    assert ncstr_s.clip[BETWEEN].macs == 0
    assert sum(ncstr_s.parameters.values()) == 30_433_434
    assert ncstr_s.parameters["backbone"] == 21_663_360


def test_vit_alone_looks_at_one_frame(small: Callable[..., PoseModel]) -> None:
    model = small("vit_alone")
    work = model_work(model.config, model.skeleton)
    assert total(work.clip) == total(work.stream)
    assert list(work.clip) == ["backbone", "decoder", BETWEEN]


def test_a_variant_has_the_stages_that_it_has(small: Callable[..., PoseModel]) -> None:
    model = small("local_only")
    work = model_work(model.config, model.skeleton)
    assert "cross-branch" not in work.clip
    assert "fusion" in work.clip
    assert sum(work.parameters.values()) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("frozen", [False, True])
def test_training_costs_three_forwards_of_what_learns(frozen: bool) -> None:
    sizes: dict[str, Any] = {"input_hw": [64, 48], "embed_dim": 16, "depth": 1, "num_heads": 2}
    overrides = [f"model.{key}={value}" for key, value in sizes.items()]
    overrides += ["model.deconv_channels=[8,8]", f"training.freeze_blocks={int(frozen)}", "model.drop_path=0"]
    run = RunConfig.from_preset("vitpose-s", overrides)
    skeleton = Skeleton.load("posetrack17")
    forward = model_work(run.model, skeleton).clip
    found = training_work(run, skeleton)
    patches = 4 * 3 * 16 * 3 * 16 * 16  # their input is the image, which has no gradient
    decoder, backbone = forward["decoder"].macs, forward["backbone"]
    if frozen:  # all but the backbone's last norm
        assert found.attention == backbone.attention
        assert found.weights == backbone.weights + 3 * decoder
    else:
        assert found.attention == backbone.attention * 7 // 2
        assert found.weights == 3 * (backbone.weights + decoder) - patches


RIVALS = {
    "dsta": {"backbone", "joint tokens", "spatial", "temporal", "regression"},
    "dcpose": {"backbone", "decoder", "merging", "residual fusion", "correction"},
    "posewarper": {"backbone", "decoder", "frame difference", "warping"},
}


@pytest.mark.parametrize("method", RIVALS)
def test_stages_of_a_rival(method: str) -> None:
    """What an answer takes; dsta has a decoder and a flow that only training uses."""
    found, alone = work_of("ncstr-tiny", f"model.method={method}"), work_of("ncstr-tiny", "model.variant=vit_alone")
    assert {stage for stage, work in found.clip.items() if work.macs and stage != BETWEEN} == RIVALS[method]
    assert found.clip["backbone"].macs == 3 * alone.clip["backbone"].macs
    assert found.stream["backbone"].macs == alone.clip["backbone"].macs
    head = RIVALS[method] - {"backbone", "decoder"}
    assert all(found.clip[stage] == found.stream[stage] for stage in head)
    unused = {"decoder", "flow (training)"} if method == "dsta" else set()
    assert found.parameters.keys() == RIVALS[method] | unused


def test_regression_of_dsta() -> None:
    found = work_of("ncstr-tiny", "model.method=dsta").clip["regression"]
    assert found.weights == J * (2 * 96) * 96  # both views merged
    assert found.attention == J * 96 * 4  # a last layer of each joint's own, one batched product
