"""Clips for Lightning's Trainer: what to read, in which order, on which rank."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import pytorch_lightning as lightning
import torch
import torch.distributed
from torch import Tensor

from posegraph.config import RunConfig, parse_frames
from posegraph.data.batching import ClipLoader
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people, annotated_places
from posegraph.data.feature_cache import CachedClips, FeatureCache
from posegraph.data.formats import read_tracks
from posegraph.data.index import AnnotationIndex, Tracks
from posegraph.data.index_format import is_index
from posegraph.data.sampling import (
    EpochBatchSampler,
    GroupedBatchSampler,
    Numbers,
    PlainBatchSampler,
    ShardBatchSampler,
    time_order,
)
from posegraph.data.tracks import within_frames
from posegraph.data.video import FrameReader
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.skeleton import Skeleton

TRAIN, VAL = "train", "val"


class ClipDataModule(lightning.LightningDataModule):
    """Training and validation clips of a run.

    Raises:
        PoseGraphError: no training data named, a fault in the files, or nothing in them to train on.
    """

    def __init__(self, config: RunConfig, skeleton: Skeleton) -> None:
        super().__init__()
        self.config, self.skeleton = config, skeleton
        self.skipped: Counter[str] = Counter()
        self.train_tracks = self._read("train", config.data.train, config.data.frames)
        self.val_tracks = None
        if config.data.val is not None:
            self.val_tracks = self._read("val", config.data.val, config.data.val_frames)

    def _read(self, part: str, path: str | None, frames: str | None) -> Tracks:
        if path is None:
            raise PoseGraphError(
                f"data.{part} is empty; name a PoseTrack18-layout JSON, a folder of them, or an index of them "
                f"(-o data.{part}=...)"
            )
        chosen = parse_frames(frames)
        tracks: Tracks
        if is_index(path):
            tracks = AnnotationIndex.open(path, self.skeleton, chosen)
        else:
            tracks = within_frames(read_tracks(path, self.skeleton), chosen)
        if not tracks.num_poses:
            left_out = "; ".join(f"{count} x {reason}" for reason, count in tracks.skipped.items()) or "none was found"
            raise PoseGraphError(
                f"data.{part}: {path} holds no usable person ({left_out}); check the file and data.frames"
            )
        self.skipped += tracks.skipped
        return tracks

    @property
    def ever_annotated(self) -> Tensor:
        """``[J]`` bool: joints that the training data annotate at least once."""
        return torch.from_numpy(self.train_tracks.ever_annotated)

    @property
    def parts(self) -> dict[str, Tracks]:
        """The tracks by the name of the folder that holds their features inside ``data.features``."""
        return {TRAIN: self.train_tracks} | ({} if self.val_tracks is None else {VAL: self.val_tracks})

    def check_images(self) -> None:
        """Raise :class:`PoseGraphError` before training for an image that the run will need and that is not there.

        An index that was checked for clips like the run's when it was built: of its images, only those of the first
        clip are looked for.
        """
        reader, model = FrameReader(self.config.data.images), self.config.model
        clip = (model.clip_frames, model.future_frames)
        for tracks in self.parts.values():
            people = annotated_people(tracks)
            checked = isinstance(tracks, AnnotationIndex) and tracks.meta.looked_for(*clip)
            for person in people[:1] if checked else people:
                reader.check(person.video, person.frame, *clip)

    def dataset(self, tracks: Tracks, train: bool, open_frames: int = 0) -> ClipDataset:
        """Clips of all people in ``tracks``; each loader keeps ``open_frames`` decoded frames, if not more."""
        data = self.config.data
        return ClipDataset(
            annotated_people(tracks),
            FrameReader(data.images, max(data.cache_frames, open_frames)),
            ClipMaker(self.skeleton, self.config.model),
            data.box_scale,
            self.config.augment if train else None,
            self.config.seed,
        )

    def train_dataloader(self) -> ClipLoader:
        """Batches of this rank's share; ``batch_sampler`` is an :class:`EpochBatchSampler`."""
        sampler = self.train_batches()
        frames = sampler.open_frames(self.config.model.clip_frames) if isinstance(sampler, GroupedBatchSampler) else 0
        return self._loader(self._clips(self.train_tracks, train=True, open_frames=frames), sampler)

    def transfer_batch_to_device(self, batch: ClipData, device: torch.device, dataloader_idx: int) -> ClipData:
        """Lightning's hook. Of itself it would wait for a clip to arrive, and only for plain tensors not."""
        moved: ClipData = batch.to(device, non_blocking=True)
        return moved

    def train_batches(self) -> EpochBatchSampler:
        """The order of training: plain, or by groups of frames (``data.group_frames``)."""
        data, batch_size, seed = self.config.data, self.config.training.batch_size, self.config.seed
        rank, world_size = rank_and_size()
        if not data.group_frames:
            return PlainBatchSampler(self.train_tracks.num_poses, batch_size, seed, rank, world_size)
        return GroupedBatchSampler(
            *annotated_places(self.train_tracks),
            batch_size,
            seed,
            group_frames=data.group_frames,
            mixed_groups=data.mixed_groups,
            streams=max(data.workers, 1),
            rank=rank,
            world_size=world_size,
        )

    def val_dataloader(self) -> ClipLoader | list[ClipLoader]:
        """This rank's share in time order; as many batches on every rank (:class:`ShardBatchSampler`)."""
        if self.val_tracks is None:
            return []
        order = time_order(*annotated_places(self.val_tracks))
        sampler = ShardBatchSampler(order, self.config.evaluation.batch_size, *rank_and_size())
        return self._loader(self._clips(self.val_tracks, train=False), sampler)

    def plain_loader(self, tracks: Tracks, order: Numbers) -> ClipLoader:
        """Plain crops of the people ``order`` (numbers among those of ``tracks``): what features are computed from."""
        batches = ShardBatchSampler(order, self.config.evaluation.batch_size)
        return self._loader(self.dataset(tracks, train=False), batches)

    def _clips(self, tracks: Tracks, train: bool, open_frames: int = 0) -> ClipDataset | CachedClips:
        """From images, or from the features of them in ``data.features``."""
        data = self.config.data
        if data.features is None:
            return self.dataset(tracks, train, open_frames)
        cache = FeatureCache.open_complete(Path(data.features) / (TRAIN if train else VAL), tracks.num_poses)
        maker = ClipMaker(self.skeleton, self.config.model)
        return CachedClips(annotated_people(tracks), cache, maker, data.box_scale)

    def _loader(self, dataset: ClipDataset | CachedClips, batches: EpochBatchSampler | ShardBatchSampler) -> ClipLoader:
        workers = self.config.data.workers
        return ClipLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
        )


def rank_and_size() -> tuple[int, int]:
    """This process's number, and how many are connected to work together; ``(0, 1)`` for one alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _one_thread(_: int) -> None:
    # Loader processes share the machine with the training: OpenCV's own threads would fight it.
    cv2.setNumThreads(0)
