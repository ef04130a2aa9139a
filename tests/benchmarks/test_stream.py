"""What the benchmark of the stream counts."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from posegraph import People, PoseModel, PoseStream
from posegraph.config import RunConfig


@pytest.fixture(scope="module")
def stream(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("stream")


def test_extra_passes_are_those_of_a_stream(stream: ModuleType, tiny_model: PoseModel) -> None:
    """A walker who is not given in some frames, and comes back after a longer pause."""
    frames = [frame for frame in range(40) if frame % 9 != 5 and not 20 <= frame < 24]
    boxes = np.array([[2.0 * frame, 10, 20, 50] for frame in frames])
    track = stream.FollowedBoxes(frames, boxes)
    run = RunConfig(model=tiny_model.config)
    costs = stream.anchor_costs([track], run.stream, run)
    running, image = PoseStream(tiny_model), np.zeros((80, 120, 3), dtype=np.uint8)
    given = dict(zip(frames, boxes, strict=True))
    for frame in range(40):
        box = given.get(frame)
        running.step(image, People.nobody() if box is None else People(box[None], np.ones(1), np.array([4])))
    assert costs["extra_passes"] == running.stats.extra_passes
    assert costs["moved"] == running.stats.re_anchored / len(frames) > 0


def test_multiplications_of_a_pose(stream: ModuleType) -> None:
    """Of S, to a hundredth, by hand: patches, blocks with attention, and the decoder in nine products of sixteen."""
    tokens, width, joints = 16 * 12, 384, 17
    patches = tokens * width * 3 * 16 * 16
    blocks = 12 * (12 * tokens * width**2 + 2 * tokens**2 * width)
    decoder = 9 * tokens * width * 256 + 9 * 4 * tokens * 256 * 256 + 16 * tokens * 256 * joints
    encoding = (patches + blocks + decoder) / 1e9
    assert 0 < stream.giga_macs("s") - encoding < 0.05 * encoding  # and the head, which is small
