"""Detected people, whatever tool found them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import People
from posegraph.data.tracks import Video


@dataclass(frozen=True, eq=False)
class Boxes:
    """Detected people, in file order.

    Fields:
        source: The file or folder.
        places: For each of ``M`` detections where it is: an image id, :func:`name_tail` of the image's name, or
            (video name, frame counted from 0).
        boxes_xywh: ``[M, 4]`` float64, image pixels.
        scores: ``[M]`` float64.
        track_ids: ``[M]`` int64, ``NO_TRACK`` where the file has none.
        skipped: What was left out while reading, reason -> count.
    """

    source: Path
    places: tuple[Hashable, ...]
    boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]
    track_ids: NDArray[np.int64]
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.places)

    def in_frame(self, video: Video, frame: int) -> People:
        """The people of one frame; empty where nothing was detected."""
        places = (int(video.image_ids[frame]), name_tail(video.frame_files[frame]), (video.name, frame))
        rows = sorted(row for place in places for row in self._rows.get(place, ()))
        return People(self.boxes_xywh[rows].reshape(-1, 4), self.scores[rows], self.track_ids[rows])

    @cached_property
    def _rows(self) -> dict[Hashable, list[int]]:
        rows: dict[Hashable, list[int]] = {}
        for row, place in enumerate(self.places):
            rows.setdefault(place, []).append(row)
        return rows


def name_tail(name: str) -> str:
    """An image's folder and file name: the part of a path on which tools agree, ``val/clip/000000.jpg`` or more."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])
