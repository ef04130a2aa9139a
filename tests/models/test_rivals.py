"""The rivals: where they start, what they see, that they learn, and how they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from posegraph.config import ModelConfig, RunConfig
from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.module import PoseTraining
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import build_model
from posegraph.models.dsta import DSTA
from posegraph.models.inference import InferenceModel
from posegraph.models.posewarper import PoseWarper
from posegraph.skeleton import Skeleton

RIVALS = ("dsta", "dcpose", "posewarper")
FROM_HEATMAPS = ("dcpose", "posewarper")
SMALL: dict[str, Any] = {
    "input_hw": (64, 48), "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "attention_heads": 4,
    "stem": "conv", "patch_size": 8, "deconv_channels": (16,),
}  # fmt: skip
STICK = Skeleton(name="stick", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")))
J = STICK.num_joints


def build(**overrides: Any) -> PoseModel:
    torch.manual_seed(0)
    model = build_model("ncstr-tiny", STICK, **{**SMALL, **overrides}).eval()
    # Heatmaps of an untrained decoder are near zero everywhere: peaks between 0 and 1 say more.
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    torch.nn.init.constant_(model.heatmap_head.final.bias, 0.2)  # type: ignore[arg-type]
    return model


def randomised(model: PoseModel) -> PoseModel:
    torch.manual_seed(1)
    for parameter in model.graph_parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def clips(model: PoseModel, count: int = 2) -> ClipData:
    batch = blank_clips(model.config, STICK, count)
    # Coarse blotches: the stem averages fine noise away.
    generator = torch.Generator().manual_seed(3)
    blotches = torch.randn(count, model.config.clip_frames, 3, 8, 6, generator=generator)
    batch.frames = 3 * blotches.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)
    batch.keypoints_norm = torch.rand(count, J, 2, generator=generator)
    return batch


def effect_of_each_frame(model: PoseModel) -> list[bool]:
    """Which frames of a clip the answer depends on."""
    clip, out = clips(model), []
    with torch.no_grad():
        before = model(clip)
        for frame in range(model.config.clip_frames):
            changed = clip.clone()
            changed.frames = clip.frames.clone()
            changed.frames[:, frame] = clip.frames[:, frame].flip(-1)
            out.append(not torch.equal(model(changed), before))
    return out


@pytest.mark.parametrize(("future", "frames"), [(0, 3), (1, 3), (2, 5), (0, 4)])
@pytest.mark.parametrize("method", RIVALS)
def test_nodes_of_every_window(method: str, future: int, frames: int) -> None:
    model = randomised(build(method=method, num_frames=frames, future_frames=future))
    assert model.config.key_frame == frames - 1 - future
    with torch.no_grad():
        nodes = model(clips(model))
    assert nodes.shape == (2, J, 3)
    assert nodes.dtype == torch.float32
    assert effect_of_each_frame(model) == [True] * frames


@pytest.mark.parametrize("future", [0, 1])
@pytest.mark.parametrize("method", FROM_HEATMAPS)
def test_untrained_it_is_vit_alone_on_the_key_frame(method: str, future: int) -> None:
    model, alone = build(method=method, future_frames=future), build(variant="vit_alone")
    image = {name: value for name, value in model.state_dict().items() if name.startswith(("backbone.", "heatmap_"))}
    alone.load_state_dict(image)
    clip = clips(model)
    key = blank_clips(alone.config, STICK, 2)
    key.frames = clip.frames[:, [model.config.key_frame]]
    with torch.no_grad():
        expected, found = alone.run(key), model.run(clip)
    torch.testing.assert_close(found.nodes, expected.nodes, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.values, expected.values, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.refined, expected.heatmaps, atol=1e-6, rtol=0)


def test_dsta_needs_no_heatmaps_for_its_answer() -> None:
    model = randomised(build(method="dsta"))
    clip = clips(model)
    with torch.no_grad():
        output = model.run(clip)
        torch.nn.init.zeros_(model.heatmap_head.final.weight)
        assert torch.equal(model(clip), output.nodes)
        encoded = model.encode(clip.frames)
    assert encoded.heatmaps.shape == (2, 3, 0, 16, 12)
    assert output.heatmaps.shape == (2, 0, 16, 12)
    assert output.regression is not None
    sure = 1 - output.regression.spread.mean(dim=-1)
    torch.testing.assert_close(output.values, sure)
    torch.testing.assert_close(output.nodes[..., 2], sure.clamp(0.01, 0.99))
    assert model.train().run(clip).heatmaps.shape == (2, J, 16, 12)


@pytest.mark.parametrize("method", RIVALS)
def test_a_stream_step_is_the_clip(method: str) -> None:
    """Frames encoded one by one, and the copy for inference, without backbone and decoder in its head."""
    model = randomised(build(method=method))
    clip, fast = clips(model, 3), InferenceModel(model)
    fast.clips_at_once = 2
    with torch.no_grad():
        frames = [fast.encode(clip.frames[:, frame]) for frame in range(3)]
        found = fast(Encoded(*(torch.stack(parts, dim=1) for parts in zip(*frames, strict=True))))
        expected = model(clip)
    torch.testing.assert_close(found.nodes, expected, atol=1e-5, rtol=0)
    assert not {name for name, _ in fast.head.named_parameters() if "backbone" in name or "heatmap_head" in name}


@pytest.mark.parametrize("method", RIVALS)
def test_steps_on_one_batch_lower_the_loss(method: str) -> None:
    model = build(method=method)
    config = RunConfig.from_dict({"model": {"preset": "ncstr-tiny"}}).model_copy(update={"model": model.config})
    module = PoseTraining(model, config, torch.ones(J, dtype=torch.bool))
    clip = clips(model)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    seen: list[Tensor] = []
    for _ in range(20):
        parts = module.losses(module.run(clip), clip)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
        seen.append(torch.stack([part.detach() for part in parts.values()]))
    term = "regression" if method == "dsta" else "refined"
    assert list(parts) == [term, "heatmap"]
    assert (seen[-1] < seen[0]).all()
    untouched = [name for name, parameter in module.named_parameters() if parameter.grad is None]
    assert untouched == []


@pytest.mark.parametrize("past_gradient", [False, True])
@pytest.mark.parametrize("method", FROM_HEATMAPS)
def test_gradient_through_the_key_frame_alone(method: str, past_gradient: bool) -> None:
    model = randomised(build(method=method, future_frames=1, past_gradient=past_gradient)).train()
    clip = clips(model)
    clip.frames.requires_grad_()
    refined = model.run(clip).refined
    assert refined is not None
    refined.square().sum().backward()
    assert clip.frames.grad is not None
    reached = clip.frames.grad.abs().amax(dim=(0, 2, 3, 4)) > 0
    assert reached.tolist() == [past_gradient, True, past_gradient]


@pytest.mark.parametrize("method", RIVALS)
def test_saved_and_opened_again(method: str, tmp_path: Path) -> None:
    model = randomised(build(method=method, future_frames=1))
    model.save_pretrained(tmp_path / "saved")
    again = PoseModel.from_pretrained(tmp_path / "saved")
    assert type(again) is type(model)
    assert again.config == model.config
    clip = clips(model)
    with torch.no_grad():
        assert torch.equal(again(clip), model(clip))


def test_it_starts_from_a_saved_vit_alone(tmp_path: Path) -> None:
    alone = build(variant="vit_alone")
    alone.save_pretrained(tmp_path / "alone")
    for method, kind in (("dsta", DSTA), ("posewarper", PoseWarper)):
        model = build_model("ncstr-tiny", STICK, method=method, weights=tmp_path / "alone", **SMALL)
        assert isinstance(model, kind)
        assert model.weights_report is not None
        assert set(model.weights_report.loaded) == set(alone.state_dict())
        own = model.state_dict()
        assert all(torch.equal(own[name], value) for name, value in alone.state_dict().items())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method": "dsta", "variant": "vit_alone"}, "variant vit_alone is one of method ncstr's, and method dsta has"),
        ({"future_frames": 1}, "future_frames 1: method ncstr is causal; set it to 0"),
        ({"num_frames": 5}, "num_frames 5: method ncstr is made for 3"),
        (
            {"method": "dcpose", "future_frames": 3},
            "future_frames 3 leaves no key frame in num_frames 3; give at most 2",
        ),
        ({"method": "dcpose", "num_frames": 6}, "num_frames"),
        ({"method": "hrnet"}, "method"),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, Any], said: str) -> None:
    with pytest.raises(PoseGraphError, match=said) as error:
        RunConfig.from_dict({"model": values})
    assert "\n" not in str(error.value)


def test_the_key_frame_of_vit_alone_is_its_only_one() -> None:
    assert ModelConfig(variant="vit_alone").key_frame == 0
