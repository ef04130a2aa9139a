"""Batches whose frames are not copied are PyG's own batches, value for value."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from posegraph.data.batching import ClipLoader, batch_frames, collate
from posegraph.graph import ClipData

T, J, HW = 3, 2, (4, 5)


def clip(number: int, frames: torch.Tensor | None = None) -> ClipData:
    edges = torch.tensor([[0, 1], [1, 0]])
    made = ClipData(
        keypoints_norm=torch.full((1, J, 2), float(number)),
        temporal_edge_index=edges,
        hop1_edge_index=edges,
        hop2_edge_index=edges,
        num_nodes=T * J,
    )
    made.frames = torch.empty(1, T, 3, *HW) if frames is None else frames
    made.frames.copy_(number * 1000 + torch.arange(T * 3 * 20.0).view(1, T, 3, *HW))
    return made


class Clips:
    """A data set that makes batches as :class:`ClipDataset` does."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, number: int) -> ClipData:
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: list[int]) -> list[ClipData]:
        frames = batch_frames(len(numbers), T, HW)
        return [clip(number, out) for number, out in zip(numbers, frames.unsqueeze(1), strict=True)]


def same(one: Batch, other: Batch) -> bool:
    left, right = one.to_dict(), other.to_dict()
    return left.keys() == right.keys() and all(
        torch.equal(torch.as_tensor(left[k]), torch.as_tensor(right[k])) for k in left
    )


def test_frames_side_by_side_become_the_batchs_own() -> None:
    clips = Clips().__getitems__([4, 0, 5])
    where = clips[0].frames.data_ptr()
    batch = collate(clips)
    assert same(batch, Batch.from_data_list(clips))
    assert batch.frames.shape == (3, T, 3, *HW)
    assert batch.frames.data_ptr() == where
    assert clips[1].frames.shape == (1, T, 3, *HW)  # the clips are as they were
    assert batch.hop1_edge_index.tolist() == [[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]]
    assert torch.equal(batch[2].frames, clips[2].frames)
    assert len(batch.to_data_list()) == 3


def apart(clips: list[ClipData]) -> list[ClipData]:
    return [clip(number) for number in range(3)]


def turned(clips: list[ClipData]) -> list[ClipData]:
    return clips[::-1]


def fewer(clips: list[ClipData]) -> list[ClipData]:
    return clips[:2]


@pytest.mark.parametrize("change", [apart, turned, fewer])
def test_other_frames_are_joined_as_ever(change) -> None:
    clips = change(Clips().__getitems__([0, 1, 2]))
    assert same(collate(clips), Batch.from_data_list(clips))


def test_clips_without_frames() -> None:
    clips = [clip(number) for number in range(2)]
    for one in clips:
        del one.frames
        del one.hop1_edge_index, one.hop2_edge_index
    assert collate(clips).keypoints_norm[:, 0, 0].tolist() == [0, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_loaders_give_the_same_batches(workers: int) -> None:
    batches = list(ClipLoader(Clips(), batch_size=4, num_workers=workers))
    numbers = [[0, 1, 2, 3], [4, 5]]
    for batch, expected in zip(batches, numbers, strict=True):
        assert same(batch, Batch.from_data_list([clip(number) for number in expected]))
