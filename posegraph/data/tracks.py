"""The one internal form of annotated or predicted video: videos, and people followed through them.

Letters: F frames of a video, N frames in which a person appears, J joints.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.skeleton import Skeleton

UNKNOWN = -1
"""Visibility of a joint of which the file does not say whether it was seen or occluded."""

_MOVIE_FRAME = re.compile(r"(?P<movie>.+\.\w+)#(?P<frame>\d{1,18})", re.DOTALL)


class Absent(Enum):
    """A field that a file does not have (a null is a value of its own)."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

Fields = Mapping[str, Any]
"""Fields of one entry of a file. Entries with the same fields may share one mapping: read it, do not write to it."""

NO_FIELDS: Fields = {}


@dataclass(frozen=True, eq=False)
class Video:
    """One sequence of frames, as its annotation file lists them.

    Fields:
        name: Sequence name (the annotation file's stem).
        source: The annotation file.
        frame_files: ``F`` image names in time order, as the file gives them (relative to an image root). A frame of a
            movie is ``movie.mp4#12``: the movie, and the frame's number in it, counted from 0 (:func:`movie_frame`).
        image_ids: ``[F]`` int64.
        image_hw: ``[F, 2]`` int64, 0 where the file does not say.
        labeled: ``[F]`` bool, False where the file says that the frame carries no annotation.
        ignore_regions: For each frame its polygons, each ``[K, 2]`` float64 in image pixels.
        extra: For each frame the fields not read here, kept for writing.
        layout: Layout of the file, one of ``FORMATS``; empty for a video that was not read.
        file_row: ``[F]`` place of each frame in the file's list; None: the order is that of the frames.
        verbatim: For each frame the fields that are read, but that the other fields here do not give back exactly, as
            the file has them (``ABSENT``: it lacks the field). Only a file of the same layout is written with them.
    """

    name: str
    source: Path
    frame_files: tuple[str, ...]
    image_ids: NDArray[np.int64]
    image_hw: NDArray[np.int64]
    labeled: NDArray[np.bool_]
    ignore_regions: tuple[tuple[NDArray[np.float64], ...], ...]
    extra: tuple[Fields, ...] = ()
    layout: str = ""
    file_row: NDArray[np.int64] | None = None
    verbatim: tuple[Fields, ...] = ()

    @property
    def num_frames(self) -> int:
        """``F``."""
        return len(self.frame_files)

    @cached_property
    def frame_rows(self) -> dict[str, int]:
        """Image name -> its row in ``frame_files``."""
        return {name: row for row, name in enumerate(self.frame_files)}


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """One person through one video, in the ``N`` frames that have it. Pixels are image pixels.

    Fields:
        video: The video.
        track_id: The file's id; where it has none, a number of its own.
        frame: ``[N]`` int64 rows of the video's frame list, ascending.
        keypoints_px: ``[N, J, 2]`` float64; 0 where not annotated.
        annotated: ``[N, J]`` bool, a position is given.
        visibility: ``[N, J]`` int8: 1 seen, 0 occluded, ``UNKNOWN`` where the file does not say.
        boxes_xywh: ``[N, 4]`` float64, NaN where the file has none.
        head_boxes_xywh: ``[N, 4]`` float64, NaN where the file has none.
        keypoint_scores: ``[N, J]`` float64, NaN where the file has none (ground truth).
        scores: ``[N]`` float64, NaN where the file has none.
        extra: For each frame the fields not read here, kept for writing.
        track_id_given: The file has the id.
        file_row: ``[N]`` place of each row in the file's list of people; None: the order is that of the tracks. poseval
            breaks ties by it.
        verbatim: For each row the fields that are read, but that the arrays do not give back exactly (an absent box,
            the position of a joint that is not annotated), as the file has them; ``ABSENT`` where it lacks the field.
            A file of the same layout is written with them, as long as they say what the arrays say.
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
    extra: tuple[Fields, ...] = ()
    track_id_given: bool = True
    file_row: NDArray[np.int64] | None = None
    verbatim: tuple[Fields, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, eq=False)
class SourceFile:
    """What an annotation file holds beside its videos and people, kept for writing it back.

    Fields:
        path: The file.
        layout: One of ``FORMATS``.
        joints: Names of its keypoints, in file order.
        categories: The file's own, ``ABSENT`` where it has none.
        others: Annotations of categories without keypoints, with their place in the file's list.
        extra: Top-level fields not read here.
    """

    path: Path
    layout: str
    joints: tuple[str, ...]
    categories: Any = ABSENT
    others: tuple[tuple[int, Any], ...] = ()
    extra: Fields = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrackSet:
    """All videos of a data set and the people in them; iterating gives the tracks.

    Fields:
        skeleton: Order and names of the keypoint rows.
        videos: In file-name order.
        tracks: Ordered by video, then by first appearance.
        skipped: What was left out while reading, reason -> count (never silent: commands print it).
        files: The files that it was read from; empty for predictions.
    """

    skeleton: Skeleton
    videos: tuple[Video, ...]
    tracks: tuple[PersonTrack, ...]
    skipped: Counter[str] = field(default_factory=Counter)
    files: tuple[SourceFile, ...] = ()

    def __iter__(self) -> Iterator[PersonTrack]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def num_poses(self) -> int:
        """Person-frames in all."""
        return sum(len(track) for track in self.tracks)

    @property
    def ever_annotated(self) -> NDArray[np.bool_]:
        """``[J]``: somebody has the joint."""
        seen = np.zeros(self.skeleton.num_joints, dtype=np.bool_)
        for track in self.tracks:
            seen |= track.annotated.any(axis=0)
        return seen


def movie_frame(frame_file: str) -> tuple[str, int] | None:
    """Movie and frame number of a name such as ``movie.mp4#12``; None for the name of an image."""
    match = _MOVIE_FRAME.fullmatch(frame_file)
    return None if match is None else (match["movie"], int(match["frame"]))


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
            kept.append(rows_of(track, rows))
    return replace(tracks, tracks=tuple(kept))


def rows_of(track: PersonTrack, rows: NDArray[np.intp]) -> PersonTrack:
    """The track in some of its ``N`` rows."""
    chosen: dict[str, Any] = {}
    for item in fields(track):
        value = getattr(track, item.name)
        if isinstance(value, np.ndarray):
            chosen[item.name] = value[rows]
        elif isinstance(value, tuple) and value:
            chosen[item.name] = tuple(value[row] for row in rows)
    return replace(track, **chosen)
