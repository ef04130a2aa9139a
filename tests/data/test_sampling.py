"""Orders of clips: what each rank draws, groups of frames, restarts within an epoch, shares of the validation data."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import pytest

from posegraph.data.sampling import (
    EpochBatchSampler,
    GroupedBatchSampler,
    Key,
    PlainBatchSampler,
    ShardBatchSampler,
    padding,
    share,
    time_order,
)
from posegraph.errors import PoseGraphError

T = 3


def numbers(sampler: EpochBatchSampler, epoch: int = 0) -> list[list[int]]:
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert {key.epoch for batch in batches for key in batch} <= {epoch}
    assert all(key.counted for batch in batches for key in batch)
    return [[key.number for key in batch] for batch in batches]


def flat(batches: Iterable[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


def crowd(videos: int = 6, frames: int = 10, people: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Video and frame of every clip, by track as the annotations are: people through each video in turn."""
    video, _, frame = np.meshgrid(np.arange(videos), np.arange(people), np.arange(frames), indexing="ij")
    return video.ravel(), frame.ravel()


def grouped(batch_size: int = 8, seed: int = 0, *, size: tuple[int, int, int] = (6, 10, 4), **settings: int):
    return GroupedBatchSampler(*crowd(*size), batch_size, seed, **{"group_frames": 4, "mixed_groups": 3, **settings})


# Plain shuffling


def test_plain_ranks_are_disjoint_and_cover() -> None:
    for epoch in range(2):
        shares = [numbers(PlainBatchSampler(12, 2, 3, rank, 3), epoch) for rank in range(3)]
        assert [len(batches) for batches in shares] == [2, 2, 2]
        assert sorted(number for batches in shares for number in flat(batches)) == list(range(12))


@pytest.mark.parametrize("size", [24, 29])
def test_w_ranks_draw_together_what_one_rank_draws_in_batches_w_times_as_large(size: int) -> None:
    whole = numbers(PlainBatchSampler(size, 12, seed=5), epoch=2)
    ranks = [numbers(PlainBatchSampler(size, 4, 5, rank, 3), epoch=2) for rank in range(3)]
    assert len(whole) == 2
    assert [sorted(batch) for batch in whole] == [sorted(flat(parts)) for parts in zip(*ranks, strict=True)]


def test_what_fills_no_batch_is_left_out_and_another_in_every_epoch() -> None:
    samplers = [PlainBatchSampler(11, 2, 0, rank, 2) for rank in range(2)]
    left_out = set()
    for epoch in range(30):
        drawn = [number for sampler in samplers for number in flat(numbers(sampler, epoch))]
        assert len(drawn) == len(set(drawn)) == 8
        left_out |= set(range(11)) - set(drawn)
    assert left_out == set(range(11))


@pytest.mark.parametrize("make", [lambda seed: PlainBatchSampler(240, 8, seed), lambda seed: grouped(seed=seed)])
def test_the_order_depends_on_seed_and_epoch(make) -> None:
    assert numbers(make(1), 2) == numbers(make(1), 2)
    assert len({str(numbers(make(seed), epoch)) for seed, epoch in ((1, 2), (1, 3), (2, 2))}) == 3


def test_fewer_clips_than_a_batch_make_one() -> None:
    assert [sorted(batch) for batch in numbers(PlainBatchSampler(5, 500, 0))] == [[0, 1, 2, 3, 4]]
    assert [len(batch) for batch in numbers(PlainBatchSampler(5, 500, 0, 1, 2))] == [2]
    with pytest.raises(PoseGraphError, match=r"1 clips for 2 processes; expected one for each; give more data"):
        PlainBatchSampler(1, 4, 0, 0, 2)


# Restarts


@pytest.mark.parametrize(
    "sampler", [PlainBatchSampler(240, 8, 4, 1, 2), grouped(streams=2), grouped(streams=3, rank=1, world_size=2)]
)
def test_an_epoch_goes_on_where_it_stopped(sampler: EpochBatchSampler) -> None:
    whole = numbers(sampler, 3)
    for start in (0, 1, 7, len(whole)):
        sampler.start_at(start)
        assert numbers(sampler, 3) == whole[start:]
        assert numbers(sampler, 3) == whole  # the start holds for one iteration
    assert len(sampler) == len(whole)


def test_epoch_and_start_are_read_with_the_first_batch() -> None:
    """Lightning makes iterators that it never draws from, and one before it has said which epoch."""
    sampler = PlainBatchSampler(240, 8, 4)
    sampler.start_at(28)
    iter(sampler)
    begun = iter(sampler)
    sampler.set_epoch(5)
    assert [[key.number for key in batch] for batch in begun] == numbers(PlainBatchSampler(240, 8, 4), 5)[28:]


def test_a_start_beyond_the_epoch_is_an_error() -> None:
    with pytest.raises(
        PoseGraphError, match=r"cannot go on at batch 31 of an epoch of 30; expected the run's own data"
    ):
        PlainBatchSampler(240, 8, 0).start_at(31)


# Groups of frames


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 7, 8])
def test_grouped_clips_are_drawn_once_and_ranks_have_equal_batches(
    streams: int, world_size: int, batch_size: int
) -> None:
    settings = {"streams": streams, "world_size": world_size}
    ranks = [numbers(grouped(batch_size, rank=rank, **settings), 1) for rank in range(world_size)]
    drawn = [number for batches in ranks for number in flat(batches)]
    assert len(set(drawn)) == len(drawn) == 240 // (world_size * batch_size) * world_size * batch_size
    assert {len(batch) for batches in ranks for batch in batches} == {batch_size}
    assert len({len(batches) for batches in ranks}) == 1


def decodes(batches: list[list[int]], streams: int, cache: int, size: tuple[int, int, int] = (6, 10, 4)) -> int:
    """Frames decoded by ``streams`` workers that keep the latest ``cache`` frames each: a model of the loader."""
    video, frame = crowd(*size)
    caches: list[OrderedDict[tuple[int, int], None]] = [OrderedDict() for _ in range(streams)]
    count = 0
    for place, batch in enumerate(batches):
        kept = caches[place % streams]
        for number in batch:
            for back in range(T):
                seen = int(video[number]), max(int(frame[number]) - back, 0)
                count += seen not in kept
                kept[seen] = None
                kept.move_to_end(seen)
                if len(kept) > cache:
                    kept.popitem(last=False)
    return count


def test_a_frame_is_decoded_once_for_its_pool() -> None:
    """240 clips of 60 key frames: groups of 4, 4 and 2 frames in each video need at most 4, 6 and 4 frames."""
    sampler = grouped(8)
    assert sampler.open_frames(T) == 3 * 6
    for epoch in range(3):
        batches = numbers(sampler, epoch)
        assert decodes(batches, 1, sampler.open_frames(T)) <= 6 * (4 + 6 + 4)
        assert decodes(batches, 1, cache=1) > 3 * 6 * (4 + 6 + 4)


def test_every_worker_decodes_only_its_own_groups() -> None:
    """48 groups of four frames; a cut at each of two borders makes one group's six frames be decoded twice."""
    size = (12, 16, 4)
    for streams in (2, 3):
        sampler = grouped(8, size=size, streams=streams)
        whole = 12 * (4 + 3 * 6)
        for epoch in range(3):
            found = decodes(numbers(sampler, epoch), streams, sampler.open_frames(T), size)
            assert found <= whole + (streams - 1) * 6


def test_pools_are_of_whole_groups_mixed() -> None:
    video, frame = crowd()
    sampler = grouped(16, group_frames=5, mixed_groups=3)  # twelve groups of 20 clips, pools of 60
    drawn = flat(numbers(sampler, 0))
    for begin in range(0, 240, 60):
        pool = drawn[begin : begin + 60]
        groups = {(int(video[number]), int(frame[number]) // 5) for number in pool}
        assert len(groups) == 3
        halves = [{(int(video[number]), int(frame[number]) // 5) for number in pool[cut:][:30]} for cut in (0, 30)]
        assert halves == [groups, groups]
    assert {(int(video[number])) for number in drawn[:60]} != {0}


def test_a_group_is_of_key_frames_of_one_video() -> None:
    """Key frames 0, 4, 8 and, in the next video, 0 and 1; two people in the first."""
    video, frame = np.array([0, 0, 0, 0, 1, 1]), np.array([8, 0, 0, 4, 1, 0])
    sampler = GroupedBatchSampler(video, frame, 1, 0, group_frames=2, mixed_groups=1)
    orders = {tuple(flat(numbers(sampler, epoch))) for epoch in range(60)}
    groups = ({1, 2, 3}, {0}, {4, 5})
    for order in orders:
        left = list(order)
        while left:
            group = next(group for group in groups if left[0] in group)
            assert set(left[: len(group)]) == group
            left = left[len(group) :]
    assert sampler.open_frames(3) == 6  # 4 frames lie between: nothing is shared
    assert sampler.open_frames(1) == 2
    assert len(orders) > 30


def test_one_large_group_is_one_pool() -> None:
    assert sorted(flat(numbers(grouped(10, group_frames=1000, mixed_groups=1000), 0))) == list(range(240))


# Shares of the validation data


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 5])
def test_every_clip_is_in_exactly_one_share(world_size: int) -> None:
    for size in range(21):
        shares = [share(size, rank, world_size) for rank in range(world_size)]
        assert [place for part in shares for place in part] == list(range(size))
        lengths = [len(part) for part in shares]
        assert max(lengths) - min(lengths) <= 1
        padded = [len(part) + padding(size, rank, world_size) for rank, part in enumerate(shares)]
        assert padded == [max(lengths)] * world_size


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 5])
def test_all_ranks_have_the_same_batches_and_count_each_clip_once(world_size: int) -> None:
    for size in range(21):
        order = np.random.default_rng(size).permutation(size)
        ranks = [ShardBatchSampler(order, 3, rank, world_size) for rank in range(world_size)]
        batches = [list(sampler) for sampler in ranks]
        assert [len(sampler) for sampler in ranks] == [len(found) for found in batches]
        assert len({tuple(len(batch) for batch in found) for found in batches}) == 1
        keys = [key for found in batches for batch in found for key in batch]
        assert [key.number for key in keys if key.counted] == order.tolist()
        assert all(0 <= key.number < size for key in keys)


def test_shares_of_five_clips() -> None:
    order = np.array([4, 2, 0, 1, 3])
    assert list(ShardBatchSampler(order, 2, 0, 2)) == [[Key(0, 4), Key(0, 2)], [Key(0, 0, False)]]
    assert list(ShardBatchSampler(order, 2, 1, 2)) == [[Key(0, 0), Key(0, 1)], [Key(0, 3)]]


def test_time_order_is_by_video_then_frame() -> None:
    assert time_order(np.array([1, 0, 0, 1, 0]), np.array([0, 5, 2, 0, 5])).tolist() == [2, 1, 4, 0, 3]
