"""The one internal form of annotated or predicted video: videos, and people followed through them.

Letters: F frames of a video, N frames in which a person appears, J joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.skeleton import Skeleton

UNKNOWN = -1
"""Visibility of a joint of which the file does not say whether it was seen or occluded."""


@dataclass(frozen=True, eq=False)
class Video:
    """One sequence of frames, as its annotation file lists them.

    Fields:
        name: Sequence name (the annotation file's stem).
        source: The annotation file.
        frame_files: ``F`` image names in time order, as the file gives them (relative to an image root).
        image_ids: ``[F]`` int64.
        image_hw: ``[F, 2]`` int64, 0 where the file does not say.
        labeled: ``[F]`` bool, False where the file says that the frame carries no annotation.
        ignore_regions: For each frame its polygons, each ``[K, 2]`` float64 in image pixels.
        extra: For each frame the fields not read here, kept for writing the file back.
    """

    name: str
    source: Path
    frame_files: tuple[str, ...]
    image_ids: NDArray[np.int64]
    image_hw: NDArray[np.int64]
    labeled: NDArray[np.bool_]
    ignore_regions: tuple[tuple[NDArray[np.float64], ...], ...]
    extra: tuple[dict[str, Any], ...] = ()

    @property
    def num_frames(self) -> int:
        """``F``."""
        return len(self.frame_files)


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """One person through one video, in the ``N`` frames that have it. Pixels are image pixels.

    Fields:
        video: The video.
        track_id: The file's id; of predictions without ids, a number of its own.
        frame: ``[N]`` int64 rows of the video's frame list, ascending.
        keypoints_px: ``[N, J, 2]`` float64; 0 where not annotated.
        annotated: ``[N, J]`` bool, a position is given.
        visibility: ``[N, J]`` int8: 1 seen, 0 occluded, ``UNKNOWN`` where the file does not say.
        boxes_xywh: ``[N, 4]`` float64, NaN where the file has none.
        head_boxes_xywh: ``[N, 4]`` float64, NaN where the file has none.
        keypoint_scores: ``[N, J]`` float64, NaN where the file has none (ground truth).
        scores: ``[N]`` float64, NaN where the file has none.
        extra: For each frame the fields not read here, kept for writing the file back.
    """

    video: Video
    track_id: int
    frame: NDArray[np.int64]
    keypoints_px: NDArray[np.float64]
    annotated: NDArray[np.bool_]
    visibility: NDArray[np.int8]
    boxes_xywh: NDArray[np.float64]
    head_boxes_xywh: NDArray[np.float64]
    keypoint_scores: NDArray[np.float64]
    scores: NDArray[np.float64]
    extra: tuple[dict[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, eq=False)
class TrackSet:
    """All videos of a data set and the people in them; iterating gives the tracks.

    Fields:
        skeleton: Order and names of the keypoint rows.
        videos: In file-name order.
        tracks: Ordered by video, then by first appearance.
        skipped: What was left out while reading, reason -> count (never silent: commands print it).
    """

    skeleton: Skeleton
    videos: tuple[Video, ...]
    tracks: tuple[PersonTrack, ...]
    skipped: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[PersonTrack]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def num_poses(self) -> int:
        """Person-frames in all."""
        return sum(len(track) for track in self.tracks)


def within_frames(tracks: TrackSet, frames: tuple[int, int] | None) -> TrackSet:
    """The people of frames ``A .. B`` (both included, counted from 0) of every video; None: all of them.

    The videos stay whole: their earlier frames are still the past of a clip.
    """
    if frames is None:
        return tracks
    first, last = frames
    kept = []
    for track in tracks:
        rows = np.flatnonzero((track.frame >= first) & (track.frame <= last))
        if len(rows):
            kept.append(_rows_of(track, rows))
    return replace(tracks, tracks=tuple(kept))


def _rows_of(track: PersonTrack, rows: NDArray[np.intp]) -> PersonTrack:
    arrays = {
        item.name: getattr(track, item.name)[rows]
        for item in fields(track)
        if isinstance(getattr(track, item.name), np.ndarray)
    }
    return replace(track, **arrays, extra=tuple(track.extra[row] for row in rows) if track.extra else ())
