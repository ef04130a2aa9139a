"""Clips for Lightning's Trainer: what to read, in which order, on which rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import cv2
import pytorch_lightning as lightning
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import Sampler
from torch_geometric.loader import DataLoader

from posegraph.config import RunConfig, parse_frames
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people
from posegraph.data.posetrack import read_tracks
from posegraph.data.tracks import TrackSet, within_frames
from posegraph.data.video import FrameReader
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton


class EpochSampler(Sampler[tuple[int, int]]):
    """``(epoch, number)`` pairs, shuffled by seed and epoch, an equal share for every rank.

    The epoch travels with the number, so that workers draw the augmentation of (seed, epoch, number).
    """

    def __init__(self, size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.size, self.seed, self.rank, self.world_size = size, seed, rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.size, generator=generator).tolist()
        share = order[self.rank : len(self) * self.world_size : self.world_size]
        return iter([(self.epoch, number) for number in share])

    def __len__(self) -> int:
        return self.size // self.world_size


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

    def _read(self, part: str, path: str | None, frames: str | None) -> TrackSet:
        if path is None:
            raise PoseGraphError(
                f"data.{part} is empty; name a PoseTrack18-layout JSON or a folder of them (-o data.{part}=...)"
            )
        tracks = read_tracks(path, self.skeleton)
        tracks = within_frames(tracks, parse_frames(frames))
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
        seen = torch.zeros(self.skeleton.num_joints, dtype=torch.bool)
        for track in self.train_tracks:
            seen |= torch.from_numpy(track.annotated.any(axis=0))
        return seen

    def check_images(self) -> None:
        """Raise :class:`PoseGraphError` before training for an image that the run will need and that is not there."""
        reader = FrameReader(self.config.data.images)
        for tracks in (self.train_tracks, self.val_tracks):
            for track in tracks or ():
                for frame in track.frame.tolist():
                    reader.check(track.video, frame, self.config.model.clip_frames)

    def dataset(self, tracks: TrackSet, train: bool) -> ClipDataset:
        """Clips of all people in ``tracks``."""
        data = self.config.data
        return ClipDataset(
            annotated_people(tracks),
            FrameReader(data.images, data.cache_frames),
            ClipMaker(self.skeleton, self.config.model),
            data.box_scale,
            self.config.augment if train else None,
            self.config.seed,
        )

    def train_dataloader(self) -> DataLoader:
        dataset = self.dataset(self.train_tracks, train=True)
        rank, world_size = _rank()
        sampler = EpochSampler(len(dataset), self.config.seed, rank, world_size)
        return self._loader(dataset, self.config.training.batch_size, sampler)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        if self.val_tracks is None:
            return []
        return self._loader(self.dataset(self.val_tracks, train=False), self.config.evaluation.batch_size)

    def _loader(self, dataset: ClipDataset, batch_size: int, sampler: EpochSampler | None = None) -> DataLoader:
        workers = self.config.data.workers
        return DataLoader(
            dataset,
            batch_size=min(batch_size, len(dataset)),
            sampler=sampler,
            drop_last=sampler is not None,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
        )


def _rank() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _one_thread(_: int) -> None:
    # Loader processes share the machine with the training: OpenCV's own threads would fight it.
    cv2.setNumThreads(0)
