"""Poses as NumPy arrays in one ``.npz`` file.

# F frames, N person-frames, J joints, B bones
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from posegraph.engine.results.record import FrameRecord
from posegraph.engine.results.rows import PersonRows
from posegraph.skeleton import Skeleton

_PERSON_FIELDS = ("track_ids", "boxes_xywh", "box_scores", "keypoints_px", "keypoint_scores")


class NpzWriter:
    """A ``.npz`` file that ``numpy.load`` reads without pickle; a context manager.

    - ``joints [J]`` names; ``bones [B, 2]`` rows of ``joints``; ``skeleton`` name.
    - one entry a frame, with people or without: ``frame_numbers [F]``, ``times_s [F]``, ``names [F]``,
      ``image_hw [F, 2]``, and ``splits [F + 1]``: the people of frame ``f`` are rows ``splits[f]`` to
      ``splits[f + 1]`` of what follows.
    - one entry a person in a frame: ``frames [N]`` (the ``f`` of each), ``track_ids [N]``, ``boxes_xywh [N, 4]``,
      ``box_scores [N]``, ``keypoints_px [N, J, 2]``, ``keypoint_scores [N, J]``.
    """

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._skeleton = skeleton
        self._people: list[PersonRows] = []
        self._counts: list[int] = []
        self._numbers: list[int] = []
        self._times_s: list[float] = []
        self._names: list[str] = []
        self._image_hw: list[tuple[int, int]] = []

    def __enter__(self) -> NpzWriter:
        return self

    def write(self, frames: Sequence[FrameRecord]) -> None:
        """Keep frames, as arrays."""
        self._people.append(PersonRows.of(frames, self._skeleton.num_joints))
        self._counts += [len(record.poses.track_ids) for record in frames]
        self._numbers += [record.number for record in frames]
        self._times_s += [record.time_s for record in frames]
        self._names += [record.name for record in frames]
        self._image_hw += [record.image_hw for record in frames]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._save()

    def _save(self) -> None:
        nobody = PersonRows.of([], self._skeleton.num_joints)
        people: dict[str, Any] = {
            name: np.concatenate([getattr(rows, name) for rows in (nobody, *self._people)]) for name in _PERSON_FIELDS
        }
        with self._path.open("wb") as file:
            np.savez(
                file,
                skeleton=np.array(self._skeleton.name),
                joints=np.array(self._skeleton.joints),
                bones=np.array(self._skeleton.bone_rows, dtype=np.int64).reshape(-1, 2),
                frame_numbers=np.array(self._numbers, dtype=np.int64),
                times_s=np.array(self._times_s, dtype=np.float64),
                names=np.array(self._names, dtype=str),
                image_hw=np.array(self._image_hw, dtype=np.int64).reshape(-1, 2),
                splits=np.cumsum([0, *self._counts], dtype=np.int64),
                frames=np.repeat(np.arange(len(self._counts)), np.array(self._counts, dtype=np.int64)),
                **people,
            )
