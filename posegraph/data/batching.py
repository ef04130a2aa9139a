"""Batches of clips whose frames are written once: cropped into the memory that the batch will have.

# B clips, T frames
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from posegraph.graph import ClipData


def batch_frames(num_clips: int, num_frames: int, input_hw: tuple[int, int]) -> Tensor:
    """``[B, T, 3, H_in, W_in]`` float32, not set; in a loader process, in memory that it shares with the training."""
    shape = (num_clips, num_frames, 3, *input_hw)
    if get_worker_info() is None:
        return torch.empty(shape)
    # What torch's own collation calls there; there is no public name for it.
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * torch.float32.itemsize)  # type: ignore[no-untyped-call]
    return torch.empty(0).set_(storage).view(shape)


def collate(clips: Sequence[ClipData]) -> Batch:
    """PyG's batch of the clips; frames that already lie side by side (:func:`batch_frames`) are not copied."""
    frames = _side_by_side([clip.frames for clip in clips]) if "frames" in clips[0] else None
    if frames is None:
        return Batch.from_data_list(list(clips))
    # PyG joins frames without pixels, and keeps its books on them: batch[3] is still the fourth clip.
    clips = [copy(clip) for clip in clips]
    for clip in clips:
        clip.frames = clip.frames[..., :0, :0]
    batch = Batch.from_data_list(clips)
    batch.frames = frames
    return batch


def _side_by_side(parts: Sequence[Tensor]) -> Tensor | None:
    """The tensor that the parts ``[1, ...]`` make up, in their order, wholly; None where they do not."""
    first = parts[0]
    storage = first.untyped_storage()
    for place, part in enumerate(parts):
        if part.untyped_storage().data_ptr() != storage.data_ptr() or part.storage_offset() != place * first.numel():
            return None
    if storage.nbytes() != len(parts) * first.nbytes:
        return None
    return first.as_strided((len(parts), *first.shape[1:]), first.stride(), 0)


class ClipLoader(DataLoader):  # type: ignore[misc]  # PyG ships no types for it
    """PyG's loader with :func:`collate`, whose processes begin with the first batch asked for.

    Lightning makes the first iterator before it has said which epoch it goes on with; the processes of a plain loader
    would by then be at work on another.
    """

    def __init__(self, dataset: Any, **settings: Any) -> None:
        super().__init__(dataset, **settings)
        self.collate_fn = collate

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
