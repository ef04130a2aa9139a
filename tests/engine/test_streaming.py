"""A stream gives clip mode's answers, with crops that stay, for one crop a person and frame."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posegraph import FramePoses, People, PoseModel, PoseStream, Skeleton, build_model
from posegraph.config import StreamConfig, Variant
from posegraph.data.augment import CropDraw, plain_crop
from posegraph.data.clips import ClipMaker
from posegraph.engine.prediction import keypoint_confidence
from posegraph.errors import PoseGraphError
from posegraph.geometry import denormalise, image_to_crop, normalise, transform

Make = Callable[..., PoseModel]
HW = (64, 48)
SMALL: dict[str, Any] = {
    "input_hw": HW, "embed_dim": 16, "depth": 1, "num_heads": 2, "node_channels": 16, "attention_heads": 4,
    "deconv_channels": (8, 8), "patch_size": 16, "stem": "patch",
}  # fmt: skip
STICK = Skeleton(name="stick", joints=tuple("abcde"), bones=(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")))


@pytest.fixture(scope="module")
def make() -> Make:
    """A small model whose every weight matters."""

    def make(variant: str = "full", **changes: Any) -> PoseModel:
        torch.manual_seed(3)
        model = build_model("ncstr-b", STICK, variant, **{**SMALL, **changes})
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if name.endswith("running_var"):
                    value.uniform_(0.5, 2)
                elif value.is_floating_point():
                    value += torch.randn_like(value) * 0.2
        return model

    return make


def filmed(count: int, hw: tuple[int, int] = (90, 160), seed: int = 0) -> list[NDArray[np.uint8]]:
    """Images of coarse noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, hw[0] // 10, hw[1] // 10, 3), dtype=np.uint8)
    return [np.kron(image, np.ones((10, 10, 1), dtype=np.uint8)) for image in coarse]


def people(boxes: Mapping[int, Sequence[float]]) -> People:
    rows = np.array(list(boxes.values()), dtype=np.float64).reshape(-1, 4)
    return People(rows, np.linspace(0.5, 1, len(boxes)), np.array(list(boxes), dtype=np.int64))


def crowd(count: int) -> list[People]:
    """One walks, one comes nearer and misses every fifth frame, one comes late, goes for long and comes back."""
    frames = []
    for t in range(count):
        boxes: dict[int, Sequence[float]] = {7: (4 + 3 * t, 20, 20, 50)}
        if t % 5 != 3:
            boxes = {2: (100 - t, 30 - t / 2, 20 + t, 40 + 2 * t), **boxes}
        if 4 <= t < 8 or t >= 14:
            boxes[11] = (-8, 60, 30, 45)
        frames.append(people(boxes))
    return frames


def clip_mode(
    model: PoseModel, images: list[NDArray[np.uint8]], frame: int, region: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points in image pixels and confidences by way of a :class:`ClipMaker`'s clip."""
    maker = ClipMaker(model.skeleton, model.config)
    clip = maker([images[max(frame - k, 0)] for k in reversed(range(maker.num_frames))], CropDraw(region))
    with torch.inference_mode():
        output = model.eval().run(clip)
    points = denormalise(output.nodes[0, :, :2].double().numpy(), model.config.input_hw)
    kind = model.run_config.evaluation.keypoint_score
    return transform(points, clip.crop_to_image[0].numpy()), keypoint_confidence(output, kind)[0]


def in_crop(points_px: NDArray[np.float64], region: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised, as nodes are."""
    return normalise(transform(points_px, image_to_crop(region, HW)), HW)


def same(ours: FramePoses, theirs: FramePoses) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        *((variant, {}) for variant in get_args(Variant)),
        ("full", {"decoder": "simple"}),
        ("full", {"stem": "conv", "anchor": "none", "heatmap_prior": False}),
        ("local_only", {"anchor": "velocity"}),
    ],
)
def test_poses_are_clip_modes_with_the_streams_crop(variant: str, changes: dict[str, Any], make: Make) -> None:
    model, images = make(variant, **changes), filmed(20)
    stream = PoseStream(model)
    for frame, there in enumerate(crowd(20)):
        poses = stream.step(images[frame], there)
        np.testing.assert_array_equal(poses.track_ids, there.track_ids)
        np.testing.assert_array_equal(poses.boxes_xywh, there.boxes_xywh)
        np.testing.assert_array_equal(poses.box_scores, there.scores)
        for row, track_id in enumerate(there.track_ids):
            region = stream.regions[int(track_id)]
            points, scores = clip_mode(model, images, frame, region)
            np.testing.assert_allclose(in_crop(poses.keypoints_px[row], region), in_crop(points, region), atol=1e-5)
            np.testing.assert_allclose(poses.keypoint_scores[row], scores, atol=1e-5)
    assert stream.stats.re_anchored >= 5
    assert stream.stats.new_tracks == (4 if variant != "vit_alone" else 8)


@pytest.mark.parametrize("variant", ["full", "vit_alone"])
def test_without_hysteresis_every_crop_is_the_key_frames(variant: str, make: Make) -> None:
    stream = PoseStream(make(variant), settings=StreamConfig(hysteresis=0))
    for image, there in zip(filmed(6), crowd(6), strict=True):
        stream.step(image, there)
        for track_id, box in zip(there.track_ids, there.boxes_xywh, strict=True):
            np.testing.assert_array_equal(stream.regions[int(track_id)], plain_crop(box, HW, 1.25).region_xywh)


def test_what_is_encoded(make: Make) -> None:
    """Of each person one crop a frame, and of the past what was not seen under this crop."""
    stream, still = PoseStream(make()), {1: (50.0, 20.0, 20.0, 50.0)}
    encoded = []
    for image, boxes in zip(
        filmed(8),
        [
            still,  # the first frame stands for the ones before it
            still,
            still | {2: (5, 5, 20, 50)},  # 1 + 3: somebody new, with two frames of past
            still,
            still | {2: (5, 5, 20, 50)},  # 1 + 2: the frame without 2
            {},
            {},
            still,  # after two frames all of the past is new
        ],
        strict=True,
    ):
        before = stream.stats.encoded_crops
        stream.step(image, people(boxes))
        encoded.append(stream.stats.encoded_crops - before)
    assert encoded == [1, 1, 4, 1, 3, 0, 0, 3]
    stats = stream.stats
    assert (stats.frames, stats.person_frames, stats.new_tracks, stats.re_anchored) == (8, 8, 3, 0)
    assert stats.extra_passes == 5 / 8


def test_compiled_stages_are_the_same(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the compiler's last stage, minutes of C++."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    model, there = make("local_only", memory_layers=1), people({1: (10, 10, 20, 50)})
    streams = [PoseStream(model, settings=StreamConfig(compile=compiled)) for compiled in (False, True)]
    for image in filmed(2):
        same(*(stream.step(image, there) for stream in streams))
    torch.compiler.reset()


def test_few_crops_at_a_time_are_the_same(make: Make) -> None:
    model, images = make(), filmed(6)
    streams = [PoseStream(model, settings=StreamConfig(batch_size=size)) for size in (64, 2)]
    for image, there in zip(images, crowd(6), strict=True):
        same(*(stream.step(image, there) for stream in streams))


@pytest.mark.parametrize(("with_image", "exactly"), [(2, False), (4, True)])
def test_a_stream_that_remembers_goes_on_as_one_that_stepped(with_image: int, exactly: bool, make: Make) -> None:
    model, images, there = make(), filmed(20), crowd(20)
    stepped, resumed = PoseStream(model), PoseStream(model)
    for frame in range(12):
        stepped.step(images[frame], there[frame])
        resumed.remember(images[frame] if frame >= 12 - with_image else None, there[frame])
    assert (resumed.stats.frames, resumed.stats.encoded_crops) == (0, 0)
    for frame in range(12, 20):
        poses, again = stepped.step(images[frame], there[frame]), resumed.step(images[frame], there[frame])
        same(poses, again)
        assert not exactly or np.array_equal(poses.keypoints_px, again.keypoints_px)
        for track_id, region in stepped.regions.items():
            np.testing.assert_array_equal(region, resumed.regions[track_id])


def test_a_remembered_frame_without_its_image_is_missed(make: Make) -> None:
    stream, there = PoseStream(make()), people({1: (10, 10, 20, 50)})
    stream.remember(None, there)
    with pytest.raises(PoseGraphError, match=r"^frame 0: was remembered without its image, and frame 1 has it in its"):
        stream.step(filmed(1)[0], there)


def test_another_size_starts_anew(make: Make) -> None:
    model, there = make(), people({1: (10, 10, 20, 50)})
    turned, fresh = PoseStream(model), PoseStream(model)
    for image in filmed(3):
        turned.step(image, there)
    for image in filmed(3, hw=(160, 90), seed=1):
        same(turned.step(image, there), fresh.step(image, there))
    turned.reset()
    fresh.reset()
    assert turned.regions == {}


def test_joints_of_another_skeleton_by_name(make: Make) -> None:
    model, image, there = make(), filmed(1)[0], people({1: (10, 10, 20, 50)})
    all_joints = PoseStream(model).step(image, there)
    some = PoseStream(model, Skeleton(name="some", joints=("d", "a"))).step(image, there)
    np.testing.assert_array_equal(some.keypoints_px, all_joints.keypoints_px[:, [3, 0]])
    np.testing.assert_array_equal(some.keypoint_scores, all_joints.keypoint_scores[:, [3, 0]])
    nobody = PoseStream(model, Skeleton(name="some", joints=("d", "a"))).step(image, People.nobody())
    assert nobody.keypoints_px.shape == (0, 2, 2)
    with pytest.raises(PoseGraphError, match="skeleton 'other': the model does not know x, y; its joints are: a, b"):
        PoseStream(model, Skeleton(name="other", joints=("x", "a", "y")))


BAD: list[tuple[Any, str]] = [
    (people({1: (np.nan, 0, 5, 5)}), r"frame 2: box \[nan, 0.0, 5.0, 5.0\] is none; expected finite"),
    (people({1: (0, 0, np.inf, 5)}), "frame 2: box"),
    (people({1: (0, 0, 5, 0)}), "frame 2: box"),
    (people({-1: (0, 0, 5, 5)}), "frame 2: track id -1; expected 0 or more"),
    (people({1: (0, 0, 5, 5)})._replace(scores=np.ones(2)), r"frame 2: boxes, ids and scores are \[1, 4\], \[1\] and"),
    (People(np.ones((2, 4)), np.ones(2), np.array([3, 3])), "frame 2: track id 3 is given twice"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_people_are_refused_and_nothing_is_kept(bad: People, message: str, make: Make) -> None:
    model, images, good = make(), filmed(3), people({1: (10, 10, 20, 50)})
    stream, other = PoseStream(model), PoseStream(model)
    for image in images[:2]:
        stream.step(image, good)
        other.step(image, good)
    with pytest.raises(PoseGraphError, match=message):
        stream.step(filmed(1, seed=5)[0], bad)
    same(stream.step(images[2], good), other.step(images[2], good))


def test_an_image_is_bytes_in_three_channels(make: Make) -> None:
    with pytest.raises(PoseGraphError, match=r"frame 0: image is float64 \[90, 160, 3\]; expected BGR bytes, uint8"):
        PoseStream(make()).step(filmed(1)[0] / 255, People.nobody())  # type: ignore[arg-type]  # the mistake tested


def test_old_tracks_and_images_are_let_go(make: Make) -> None:
    stream, images = PoseStream(make()), filmed(12)
    kept = [weakref.ref(image) for image in images]
    for track_id in range(12):
        stream.step(images.pop(0), people({track_id: (10, 10, 20, 50)}))
    assert [image() is not None for image in kept] == [False] * 9 + [True] * 3
    assert len(stream.regions) <= 3
    stream.step(filmed(1)[0], People.nobody())
    stream.step(filmed(1)[0], People.nobody())
    stream.step(filmed(1)[0], People.nobody())
    assert stream.regions == {}


def test_the_model_is_left_as_it_was(make: Make) -> None:
    model = make().train()
    model.backbone.eval()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    flags = {name: module.training for name, module in model.named_modules()}
    PoseStream(model).step(filmed(1)[0], crowd(1)[0])
    assert {name: module.training for name, module in model.named_modules()} == flags
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    loss = model.heatmaps(torch.zeros(1, 3, *HW)).sum() + model.backbone(torch.randn(1, 3, *HW)).sum()
    loss.backward()
    gradient = model.backbone.vit.blocks[0].attn.qkv.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_a_rival_streams_like_its_clips(make: Make) -> None:
    model = make(method="posewarper").eval()
    images, boxes = filmed(5), people({1: (40, 20, 30, 50)})
    stream, maker = PoseStream(model), ClipMaker(STICK, model.config)
    for image in images:
        found = stream.step(image, boxes)
    clip = maker(images[-3:], CropDraw(stream.regions[1]))
    with torch.no_grad():
        points = denormalise(model(clip)[0, :, :2].double().numpy(), HW)
    expected = transform(points, clip.crop_to_image[0].numpy())
    np.testing.assert_allclose(found.keypoints_px[0], expected, atol=1e-3)


def test_a_stream_has_no_future(make: Make) -> None:
    with pytest.raises(
        PoseGraphError, match=r"model\.future_frames 1: the model looks at frames that a stream .* eval"
    ):
        PoseStream(make(method="dcpose", future_frames=1))
