"""Frames as a run leaves them, with every kind of frame in them."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest

from posegraph.data.people import FramePoses, People
from posegraph.engine.results import FrameRecord
from posegraph.skeleton import Skeleton

# What comes and goes in each frame; frame 3 could not be read, frames 2 and 6 are empty.
TRACKS = {0: [4, 9], 1: [9, 4], 2: [], 4: [12], 5: [4, 12, 9], 6: []}


@pytest.fixture
def skeleton() -> Skeleton:
    return Skeleton(name="toy", joints=("nose", "tail", "ear"), bones=(("nose", "tail"), ("nose", "ear")))


@pytest.fixture
def records(skeleton: Skeleton) -> list[FrameRecord]:
    """Six frames of ``walk.mp4`` with numbers that need all 64 bits."""
    rng = np.random.default_rng(5)
    made = []
    for number, ids in TRACKS.items():
        n, J = len(ids), skeleton.num_joints
        boxes, scores = rng.uniform(1, 90, (n, 4)), rng.random(n)
        people = People(boxes, scores, np.array(ids, dtype=np.int64))
        poses = FramePoses(people.track_ids, boxes, scores, rng.uniform(0, 200, (n, J, 2)), rng.random((n, J)))
        detected = People(boxes + 1 / 3, scores, np.full(n, -1)) if number % 2 == 0 else None
        made.append(FrameRecord(number, number / 30, f"walk.mp4#{number}", (120, 160), detected, people, poses))
    return made


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """Within ``with file_size_limit(bytes)``, no file can grow beyond that: the disk is full."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
