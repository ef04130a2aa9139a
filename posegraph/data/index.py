"""Annotations of millions of people, read from memory-mapped columns: nothing is loaded before it is asked for.

# N people (one person in one frame), F frames of a video, J joints
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.index_format import check_fits, open_columns, person_columns, read_meta
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.skeleton import Skeleton

_KEPT_VIDEOS = 64
"""Videos whose frame names are kept; a pool of groups of frames has no more, as a rule."""


class AnnotationIndex:
    """The people of an index folder, in the order in which :func:`posegraph.data.read_tracks` gives them.

    Every process maps the same files: forked loader processes share the pages, and pickling (to a spawned one) hands
    over the folder's path. What training does not read is not kept: ignore regions, head boxes, scores, other fields.

    Args:
        folder: What ``posegraph data index`` wrote.
        frames: (A, B), both included, counted from 0 in every video; None: all.

    Raises:
        PoseGraphError: files that are missing, cut off or of another version.
    """

    def __init__(self, folder: Path, frames: tuple[int, int] | None = None) -> None:
        self.folder, self.frames = folder, frames
        self.meta = read_meta(folder)
        self._columns = open_columns(folder, self.meta)
        self._rows: NDArray[np.intp] | None = None
        if frames is not None:
            frame = self._columns["frame"]
            self._rows = np.flatnonzero((frame >= frames[0]) & (frame <= frames[1]))
        self._of_person = ("video", *person_columns(len(self.meta.joints)))
        self._video = lru_cache(_KEPT_VIDEOS)(self._read_video)

    @classmethod
    def open(cls, folder: str | Path, skeleton: Skeleton, frames: tuple[int, int] | None = None) -> AnnotationIndex:
        """For a run with this skeleton.

        Raises:
            PoseGraphError: also where the index has other joints, or its annotation files have changed since.
        """
        index = cls(Path(folder), frames)
        check_fits(index.folder, index.meta, skeleton)
        return index

    def __reduce__(self) -> tuple[Any, ...]:
        return AnnotationIndex, (self.folder, self.frames)

    @property
    def num_poses(self) -> int:
        """``N``."""
        return self.meta.people if self._rows is None else len(self._rows)

    @property
    def skipped(self) -> Counter[str]:
        """What was left out when the index was built, reason -> count."""
        return Counter(self.meta.skipped)

    @property
    def ever_annotated(self) -> NDArray[np.bool_]:
        """``[J]``: somebody has the joint."""
        if self._rows is None:
            return np.array(self.meta.ever_annotated)
        seen: NDArray[np.bool_] = np.logical_or.reduce(self._columns["annotated"][self._rows])
        return seen

    def places(self) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """``[N]`` number of the video, and ``[N]`` row of the frame, of every person."""
        rows = slice(None) if self._rows is None else self._rows
        return self._columns["video"][rows], self._columns["frame"][rows]

    def person(self, number: int) -> PersonTrack:
        """One person in one frame: a track of a single row. Raises ``IndexError`` where there is no such number."""
        if not -self.num_poses <= number < self.num_poses:
            raise IndexError(f"person {number} of {self.num_poses}")
        row = range(self.meta.people)[number] if self._rows is None else int(self._rows[number])
        of = {name: self._columns[name][row : row + 1] for name in self._of_person}
        unknown = np.full((1, len(self.meta.joints)), np.nan)
        return PersonTrack(
            video=self._video(int(of["video"][0])),
            track_id=int(of["track_id"][0]),
            frame=of["frame"].astype(np.int64),
            keypoints_px=of["keypoints_px"],
            annotated=of["annotated"],
            visibility=of["visibility"],
            boxes_xywh=of["boxes_xywh"],
            head_boxes_xywh=np.full((1, 4), np.nan),
            keypoint_scores=unknown,
            scores=unknown[:, 0],
        )

    def _read_video(self, number: int) -> Video:
        columns = self._columns
        first, end = columns["first_frame"][number : number + 2].tolist()
        names = _texts(columns["frame_names"], columns["frame_name_start"][first : end + 1])
        return Video(
            name=_texts(columns["video_names"], columns["video_name_start"][number : number + 2])[0],
            source=Path(self.meta.sources[int(columns["source"][number])].path),
            frame_files=names,
            image_ids=columns["image_ids"][first:end],
            image_hw=columns["image_hw"][first:end].astype(np.int64),
            labeled=columns["labeled"][first:end],
            ignore_regions=((),) * (end - first),
        )


Tracks = TrackSet | AnnotationIndex
"""Where the people of a run come from: annotation files, or an index of them."""


def _texts(blob: NDArray[np.uint8], starts: NDArray[np.int64]) -> tuple[str, ...]:
    """The texts between neighbouring starts; UTF-8."""
    base = int(starts[0])
    data = blob[base : int(starts[-1])].tobytes()
    ends = (starts - base).tolist()
    return tuple(data[begin:end].decode("utf-8") for begin, end in pairwise(ends))
