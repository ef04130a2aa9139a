"""A long stream keeps what its last frames need, and nothing more; and the benchmark's figures."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from posegraph.engine.streaming import PoseStream
from posegraph.models.base import PoseModel

FRAMES, TRACKS, SEED = 200, 12, 1


@pytest.fixture(scope="module")
def long(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("stream_long")


def tensor_bytes() -> int:
    """Of all tensors in this process, parts of one counted once."""
    gc.collect()
    # Other tests leave tensors without memory of their own (torch's fake ones) behind.
    tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())


def test_what_a_stream_keeps_is_bounded(long: ModuleType, tiny_model: PoseModel) -> None:
    stream, spans = PoseStream(tiny_model), tiny_model.config.clip_frames
    pictures: list[weakref.ref[np.ndarray]] = []
    recent: list[set[int]] = []
    kept = []
    for repeat in range(2):  # the same people once more, under other ids
        for image, people in long.video(SEED, FRAMES, TRACKS, rounds=1):
            renamed = people._replace(track_ids=people.track_ids + 1000 * repeat)
            stream.step(image, renamed)
            pictures.append(weakref.ref(image))
            recent = [*recent, set(renamed.track_ids.tolist())][-spans:]
            assert set(stream.regions) <= set().union(*recent)
        del image
        assert sum(picture() is not None for picture in pictures) <= spans
        assert not stream.regions  # the video ends with frames without anybody
        kept.append(tensor_bytes())
    assert kept[0] == kept[1]
    assert stream.stats.frames == 2 * FRAMES
    assert stream.stats.new_tracks == 2 * TRACKS


def test_the_video_has_as_many_people_as_asked_for(long: ModuleType) -> None:
    seen: dict[int, list[int]] = {}
    counts = []
    for number, (image, people) in enumerate(long.video(SEED, FRAMES, TRACKS, rounds=1)):
        assert (image.shape, image.dtype) == ((240, 320, 3), np.uint8)
        counts.append(len(people.track_ids))
        for track_id in people.track_ids.tolist():
            seen.setdefault(track_id, []).append(number)
    assert sorted(seen) == list(range(TRACKS))
    assert all(frames == list(range(frames[0], frames[-1] + 1)) for frames in seen.values())
    assert all(20 <= len(frames) <= 100 for frames in seen.values())
    assert counts[-10:] == [0] * 10
    assert max(counts) >= 4


def test_every_round_is_the_same_coming_and_going(long: ModuleType) -> None:
    found = long.walks(SEED, 1500, 50)
    assert len(found) == 50
    for number in range(10):
        part = found[5 * number : 5 * number + 5]
        assert [walk.first - 150 * number for walk in part] == [walk.first for walk in found[:5]]
        assert [(walk.frames, walk.look) for walk in part] == [(walk.frames, walk.look) for walk in found[:5]]
        assert all(walk.first >= 150 * number for walk in part)
        assert all(walk.first + walk.frames <= 150 * (number + 1) - 10 for walk in part)


def test_memory_in_use_is_what_was_asked_for(long: ModuleType) -> None:
    before = long.in_use_bytes()
    block = np.ones(50 * 2**20, dtype=np.uint8)
    assert long.in_use_bytes() - before == pytest.approx(len(block), rel=0.02)
    del block
    assert abs(long.in_use_bytes() - before) < 2**20


def test_people_walk_through_the_picture(long: ModuleType) -> None:
    walk = long.Walk(10, 40, np.array([-20.0, 30, 40, 100]), np.array([300.0, 50, 80, 160]), sway=0.0, look=0)
    assert walk.box_xywh(10).tolist() == [-20, 30, 40, 100]
    assert walk.box_xywh(30).tolist() == [140, 40, 60, 130]
    assert walk.box_xywh(50).tolist() == [300, 50, 80, 160]


def measured(long: ModuleType, **changes: np.ndarray) -> object:
    """100 calls with two crops and one person each, 10 ms, in flat memory."""
    plain = {
        "cpu_s": np.full(100, 0.01),
        "wall_s": np.full(100, 0.02),
        "crops": np.full(100, 2),
        "people": np.ones(100, int),
        "held": np.r_[np.ones(99, int), 0],
        "in_window": np.ones(100, int),
        "resident": np.full(100, 2**30),
        "in_use": np.full(100, 2**28),
    }
    return long.Measured(**plain | changes)


def test_figures_of_a_good_stream(long: ModuleType) -> None:
    found = long.figures(measured(long))
    assert set(found["verdicts"].values()) == {"pass"}
    assert found["ms_per_crop"] == {"cpu": {"p50": 5.0, "p99": 5.0}, "wall": {"p50": 10.0, "p99": 10.0}}
    assert found["cpu_ms_per_crop_by_crops"] == {"2": {"p50": 5.0, "p99": 5.0, "calls": 100}}
    assert found["frames_per_cpu_second"] == pytest.approx(100)
    assert (found["person_frames"], found["encoded_crops"], found["growth"]) == (100, 200, 0.0)


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"resident": np.repeat([100, 100, 103], [10, 80, 10]) * 2**20}, {"memory"}),
        ({"resident": np.repeat([50, 100, 101], [10, 80, 10]) * 2**20}, set()),  # what start-up takes is no growth
        ({"held": np.ones(100, int)}, {"tracks"}),
        ({"held": np.r_[np.ones(98, int), 2, 0]}, {"tracks"}),
        ({"cpu_s": np.r_[np.full(97, 0.01), np.full(3, 0.03)]}, {"time (processor)"}),
        ({"wall_s": np.r_[np.full(97, 0.01), np.full(3, 0.03)]}, {"time (clock)"}),
        ({"cpu_s": np.full(100, 0.01) * np.r_[np.full(97, 1), np.full(3, 4)], "crops": np.r_[np.full(97, 1),
          np.full(3, 4)]}, set()),  # more crops take longer
    ],
)  # fmt: skip
def test_what_fails(long: ModuleType, changes: dict[str, np.ndarray], failed: set[str]) -> None:
    verdicts = long.figures(measured(long, **changes))["verdicts"]
    assert {name for name, said in verdicts.items() if said == "FAIL"} == failed
