"""What a stream sees in boxes of an image, without a past."""

from __future__ import annotations

import numpy as np
import pytest

import posegraph
from posegraph.data.people import People
from posegraph.engine.glimpses import Glimpses
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError

IMAGE = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
BOXES = np.array([[10.0, 10, 20, 50], [60, 5, 70, 70], [-20, 30, 60, 90]])
SMALL = {"input_hw": (64, 48), "embed_dim": 32, "depth": 1, "num_heads": 2, "deconv_channels": (16,), "patch_size": 8}


def test_they_are_what_vit_alone_says() -> None:
    model = posegraph.build_model("ncstr-tiny", skeleton="coco17", variant="vit_alone", **SMALL).eval()
    stream = PoseStream(model)
    keypoints, scores = Glimpses(stream).glimpse(IMAGE, BOXES)
    poses = PoseStream(model).step(IMAGE, People(BOXES, np.ones(3), np.arange(3)))
    np.testing.assert_allclose(keypoints, poses.keypoints_px, atol=1e-4)
    np.testing.assert_allclose(scores, poses.keypoint_scores, atol=1e-6)
    assert (stream.stats.searched_crops, stream.stats.frames, stream.stats.encoded_crops) == (3, 0, 0)
    assert Glimpses(stream).glimpse(IMAGE, BOXES[:0])[0].shape == (0, 17, 2)


def test_a_stream_goes_on_as_if_nobody_had_looked(tiny_model: str) -> None:
    model = posegraph.load(tiny_model)
    one, other = PoseStream(model), PoseStream(model)
    people = People(BOXES, np.ones(3), np.arange(3))
    for shift in range(3):
        image = np.roll(IMAGE, shift, axis=1)
        Glimpses(one).glimpse(IMAGE[:50], BOXES)
        assert np.array_equal(one.step(image, people).keypoints_px, other.step(image, people).keypoints_px)


def test_a_model_without_heatmaps_cannot_search() -> None:
    model = posegraph.build_model("ncstr-tiny", skeleton="coco17", method="dsta", **SMALL).eval()
    with pytest.raises(PoseGraphError, match="this model makes none; give --boxes FILE or another --detector"):
        Glimpses(PoseStream(model)).glimpse(IMAGE, BOXES)
