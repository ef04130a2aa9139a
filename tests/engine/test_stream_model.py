"""What a stream can do on a GPU, on a CPU: crops by the model's device, autocast, memory that is used again."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posegraph import FramePoses, People, PoseModel, PoseStream, build_model
from posegraph.config import StreamConfig
from posegraph.engine.stream_crops import CropEncoder
from posegraph.geometry import image_to_crop
from posegraph.models.inference import InferenceModel

HW = (64, 48)


@pytest.fixture(scope="module")
def model() -> PoseModel:
    torch.manual_seed(0)
    sizes = {"input_hw": HW, "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "patch_size": 16}
    model = build_model("ncstr-tiny", deconv_channels=(8, 8), stem="patch", **sizes).eval()
    nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    return model


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 255, (3, 6, 8, 3), dtype=np.uint8)
    return [cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC) for image in noise]


def poses(model: PoseModel, images: list[np.ndarray], **settings: object) -> list[FramePoses]:
    stream = PoseStream(model, settings=StreamConfig(**settings))
    boxes = np.array([[20.0, 10, 40, 60], [70, 30, 30, 50]])
    return [stream.step(image, People(boxes + step, np.ones(2), np.arange(2))) for step, image in enumerate(images)]


def test_crops_made_on_the_device_are_the_streams(
    model: PoseModel, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    encode = InferenceModel.encode
    monkeypatch.setattr(InferenceModel, "encode", lambda self, crops: (seen.append(crops), encode(self, crops))[1])
    poses(model, images)
    poses(model, images, device_crops=True)
    plain, device = seen[: len(images)], seen[len(images) :]
    assert [len(crops) for crops in device] == [len(crops) for crops in plain] == [2, 2, 2]
    for ours, theirs in zip(plain, device, strict=True):
        assert not torch.equal(ours, theirs)  # OpenCV rounds
        torch.testing.assert_close(ours, theirs, rtol=0, atol=6 / 255 / 0.224)


def test_autocast_is_around_every_call_of_the_model(model: PoseModel, images: list[np.ndarray]) -> None:
    types: list[torch.dtype] = []
    layer = model.backbone.vit.blocks[0].mlp.fc1
    handle = layer.register_forward_hook(lambda module, args, out: types.append(out.dtype))
    exact = poses(model, images)
    rounded = poses(model, images, dtype="bfloat16")
    stream = PoseStream(model, settings=StreamConfig(dtype="bfloat16"))
    stream.remember(images[0], People(np.array([[20.0, 10, 40, 60]]), np.ones(1), np.zeros(1, dtype=np.int64)))
    handle.remove()
    assert types == [torch.float32] * 3 + [torch.bfloat16] * 4
    scores, rounded_scores = (np.stack([frame.keypoint_scores for frame in each]) for each in (exact, rounded))
    assert not np.array_equal(scores, rounded_scores)
    # Where two peaks of random maps are all but equal, rounding may choose the other.
    assert np.isclose(rounded_scores, scores, atol=0.1).mean() >= 0.95


def test_memory_that_is_used_again_does_not_change_what_a_stream_keeps(images: list[np.ndarray]) -> None:
    class Replayed:
        """Returns the same memory at every call, as a CUDA graph does."""

        memory = torch.empty(1, 3, 2, 2), torch.empty(1, 1, 2, 2)

        def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
            for out in self.memory:
                out.fill_(crops.mean())
            return self.memory

    def kept(**settings: object) -> list[float]:
        crops = CropEncoder(Replayed(), torch.device("cpu"), HW, StreamConfig(batch_size=1, **settings))  # type: ignore[arg-type]
        matrix = image_to_crop(np.array([10.0, 10, 45, 60]), HW)
        return [float(seen.features.mean()) for seen in list(crops(images, [matrix] * 3))]

    assert len(set(kept(compile=True, compile_mode="reduce-overhead"))) == 3
    assert len(set(kept())) == 1  # what would happen


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_the_mode_reaches_the_compiler(
    model: PoseModel, images: list[np.ndarray], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: dict[str, str] = {}
    note: Callable[..., None] = lambda stage, mode: modes.update({type(stage).__name__: mode})  # noqa: E731
    monkeypatch.setattr(nn.Module, "compile", note)
    found = poses(model, images, compile=True, compile_mode=mode)
    assert modes == {"ViTBackbone": mode, "FastHeatmapHead": mode, "FastHead": mode}
    monkeypatch.undo()
    for ours, theirs in zip(found, poses(model, images), strict=True):
        np.testing.assert_allclose(ours.keypoints_px, theirs.keypoints_px, atol=1e-3)
