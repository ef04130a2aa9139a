"""In which order clips are drawn, and which rank draws them: batch samplers for ``DataLoader(batch_sampler=...)``.

Training samplers share one contract (:class:`EpochBatchSampler`): an epoch is drawn by ``set_epoch``, may begin at a
later batch (``start_at``), has the same number of batches in every epoch and on every rank, and holds each clip at most
once. What does not fill a batch on every rank is left out, other clips in every epoch.

# N clips, b clips of a batch
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from posegraph.errors import PoseGraphError

Numbers = NDArray[np.int64]


class Key(NamedTuple):
    """What a data set is asked for.

    Fields:
        epoch: It travels with the number, so that workers draw the augmentation of (seed, epoch, number).
        number: Of the clip.
        counted: False for a clip of another rank's share that only fills up this rank's.
    """

    epoch: int
    number: int
    counted: bool = True


class EpochBatchSampler(Sampler[list[Key]], ABC):
    """Batches of one rank, drawn anew in every epoch.

    Args:
        size: Clips in all.
        batch_size: Of one rank; a data set smaller than that makes one batch.
        rank, world_size: This process, and how many of them train together.

    Raises:
        PoseGraphError: fewer clips than processes.
    """

    def __init__(self, size: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        if size < world_size:
            raise PoseGraphError(
                f"training data: {size} clips for {world_size} processes; expected one for each; "
                "give more data, or fewer training.devices"
            )
        self.size, self.batch_size = size, min(batch_size, size // world_size)
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch, self._start = 0, 0

    @property
    def sampler(self) -> EpochBatchSampler:
        """Itself: there Lightning looks for the ``set_epoch`` of a loader's batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.epoch = epoch

    def start_at(self, batch: int) -> None:
        """Let the next iteration, and it alone, begin at this batch of the epoch (0: the first; see ``len``).

        Its batches are those of the whole epoch from there on. Raises :class:`PoseGraphError` past the epoch's end.
        """
        if not 0 <= batch <= len(self):
            raise PoseGraphError(
                f"training data: cannot go on at batch {batch} of an epoch of {len(self)}; expected the run's own "
                "data, batch size and number of devices"
            )
        self._start = batch

    def __len__(self) -> int:
        """Batches of a whole epoch, wherever the next iteration begins."""
        return self.size // (self.world_size * self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        """Epoch and start are those at the time when the first batch is drawn."""
        start, self._start, epoch = self._start, 0, self.epoch
        for batch in islice(self._batches(epoch), start, None):
            yield [Key(epoch, number) for number in batch.tolist()]

    @abstractmethod
    def _batches(self, epoch: int) -> Iterator[Numbers]:
        """All ``len(self)`` batches of clip numbers."""


class PlainBatchSampler(EpochBatchSampler):
    """Every clip anywhere in the epoch.

    Rank r of W draws every W-th clip of one order, from the r-th on: batch i of W ranks is, together, batch i of one
    rank with W times the batch size. The order does not depend on the number of loader processes.
    """

    def _batches(self, epoch: int) -> Iterator[Numbers]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        share = torch.randperm(self.size, generator=generator).numpy()[self.rank :: self.world_size]
        b = self.batch_size
        return (share[number * b : (number + 1) * b] for number in range(len(self)))


class GroupedBatchSampler(EpochBatchSampler):
    """Batches from shuffled groups of frames: a decoded frame serves all its people and its neighbouring clips.

    A group is ``group_frames`` consecutive key frames of one video (key frames: those with people), with all their
    people. Groups are shuffled; of each ``mixed_groups`` in turn the clips are shuffled together, and batches are cut
    from them. A cache of :meth:`open_frames` frames decodes each frame of such a pool once.

    ``DataLoader`` hands batch i to worker ``i % streams``. So each worker has a stream of groups of its own, and batch
    i is the next one of stream ``i % streams``: the order depends on the number of streams, and an epoch is gone on
    with (``start_at``) by as many as began it. The shuffled line of groups is cut into one piece for each rank and
    stream, where need be within a group, so that all have their batches.

    Args:
        video, frame: ``[N]``, of every clip: number of its video, and its key frame's row there.
        batch_size, seed, rank, world_size: See :class:`EpochBatchSampler`.
        group_frames: Key frames of a group.
        mixed_groups: Groups of a pool.
        streams: Loader processes; 1 where the training process loads itself.
    """

    def __init__(
        self,
        video: NDArray[np.integer],
        frame: NDArray[np.integer],
        batch_size: int,
        seed: int,
        *,
        group_frames: int,
        mixed_groups: int,
        streams: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(len(video), batch_size, seed, rank, world_size)
        self.mixed_groups, self.streams = mixed_groups, streams
        self._order = time_order(video, frame)
        video, frame = video[self._order], frame[self._order]
        first = _changes(video) | _changes(frame)
        first_clip = np.flatnonzero(first)  # of each key frame
        self._frame = frame[first_clip]
        number = np.arange(len(first_clip))
        of_video = number - np.maximum.accumulate(np.where(_changes(video)[first_clip], number, 0))
        self._first_frame = np.flatnonzero(of_video % group_frames == 0)  # of each group, a row of self._frame
        self._first_clip = first_clip[self._first_frame]

    def open_frames(self, clip_frames: int) -> int:
        """The most frames that the clips of one pool see, each ``clip_frames`` long.

        Counts the frames that the annotation lists; pasts that are only found on the disk come on top.
        """
        new = np.full(len(self._frame), clip_frames)
        new[1:] = np.minimum(np.diff(self._frame), clip_frames)  # a negative step is the next video's first frame
        new[self._first_frame] = clip_frames
        return self.mixed_groups * int(np.add.reduceat(new, self._first_frame).max())

    def _batches(self, epoch: int) -> Iterator[Numbers]:
        groups = self._rng(epoch).permutation(len(self._first_clip))
        lengths = np.diff(self._first_clip, append=self.size)[groups]
        ends = np.cumsum(lengths)
        line = self._order[np.repeat(self._first_clip[groups] - (ends - lengths), lengths) + np.arange(self.size)]
        streams, begin = [], self.rank * len(self) * self.batch_size
        for stream in range(self.streams):
            end = begin + len(range(stream, len(self), self.streams)) * self.batch_size
            streams.append(self._stream(line, ends, begin, end, self._rng(epoch, self.rank, stream)))
            begin = end
        return (next(stream) for stream in islice(cycle(streams), len(self)))

    def _rng(self, *place: int) -> np.random.Generator:
        # A spawn key, as plain entropy is padded with zeros: (epoch,) and (epoch, 0, 0) would draw the same.
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=place))

    def _stream(
        self, line: Numbers, ends: Numbers, begin: int, end: int, rng: np.random.Generator
    ) -> Iterator[Numbers]:
        """Batches of the clips ``begin .. end - 1`` of the line, pool by pool."""
        rest = line[:0]
        while begin < end:
            last_group = int(np.searchsorted(ends, begin, side="right")) + self.mixed_groups - 1
            pool_end = min(end, int(ends[min(last_group, len(ends) - 1)]))
            rest = np.concatenate([rest, rng.permutation(line[begin:pool_end])])
            while len(rest) >= self.batch_size:
                yield rest[: self.batch_size]
                rest = rest[self.batch_size :]
            begin = pool_end


class ShardBatchSampler(Sampler[list[Key]]):
    """Validation: batches in a fixed order, a contiguous share for each rank, all clips.

    Every rank gives the same number of batches of the same sizes, as collective operations need it. Where shares differ
    in size, a smaller one is given a clip more, with ``counted`` False: over all ranks the counted keys hold each clip
    exactly once.

    Args:
        order: ``[N]`` clip numbers; in time order (:func:`time_order`) neighbours share decoded frames.
        batch_size, rank, world_size: Clips of a batch, this process, and how many there are.
    """

    def __init__(self, order: Numbers, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self.order, self.batch_size = order, batch_size
        self.share = share(len(order), rank, world_size)
        self.padding = padding(len(order), rank, world_size)

    def __len__(self) -> int:
        return -(-(len(self.share) + self.padding) // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        for begin in range(self.share.start, self.share.stop + self.padding, self.batch_size):
            # What fills a share up is the next one's first clip: the last share never needs it.
            end = min(begin + self.batch_size, self.share.stop + self.padding)
            numbers = self.order[begin:end].tolist()
            yield [Key(0, number, place < self.share.stop) for place, number in enumerate(numbers, begin)]


def share(size: int, rank: int, world_size: int) -> range:
    """The contiguous places of ``0 .. size - 1`` that are this rank's; sizes differ by one at most.

    Over the ranks ``0 .. world_size - 1`` each place is in exactly one share, in ascending order.
    """
    return range(size * rank // world_size, size * (rank + 1) // world_size)


def padding(size: int, rank: int, world_size: int) -> int:
    """Items (0 or 1) that this rank takes from the next share, uncounted, to have as many as the largest share."""
    return -(-size // world_size) - len(share(size, rank, world_size))


def time_order(video: NDArray[np.integer], frame: NDArray[np.integer]) -> Numbers:
    """``[N]`` clip numbers by video, then by frame, then as given."""
    return np.lexsort((frame, video))


def _changes(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """True at the first value, and at each that differs from the one before it."""
    return np.concatenate([[True], values[1:] != values[:-1]])
