"""The people of one file to be written, as columns in the order of its list.

Letters: M people, J joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.tables import PeopleTable
from posegraph.data.tracks import NO_FIELDS, Fields, PersonTrack, Video
from posegraph.skeleton import Skeleton

_NONE = np.zeros(0, dtype=np.int64)
_READ_BACK = ("keypoints_px", "annotated", "visibility", "keypoint_scores", "scores", "boxes_xywh", "head_boxes_xywh")


@dataclass(frozen=True, eq=False)
class WrittenRows:
    """``M`` people; ``video [M]`` and ``frame [M]`` say where each is, the other fields are those of its track."""

    video: NDArray[np.int64]
    frame: NDArray[np.int64]
    track_id: NDArray[np.int64]
    track_id_given: NDArray[np.bool_]
    keypoints_px: NDArray[np.float64]
    annotated: NDArray[np.bool_]
    visibility: NDArray[np.int8]
    keypoint_scores: NDArray[np.float64]
    scores: NDArray[np.float64]
    boxes_xywh: NDArray[np.float64]
    head_boxes_xywh: NDArray[np.float64]
    file_row: NDArray[np.int64]
    extra: list[Fields]
    verbatim: list[Fields]

    def __len__(self) -> int:
        return len(self.frame)

    def read_back(self, people: PeopleTable) -> NDArray[np.bool_]:
        """``[M]`` whether reading what was written (``people``) gives each person back."""
        same: NDArray[np.bool_] = (people.track_id == self.track_id) | ~people.has_track
        same &= people.has_track == self.track_id_given
        for name in _READ_BACK:
            read, held = getattr(people, name), getattr(self, name)
            equal = (read == held) | ((read != read) & (held != held))  # NaN is the same nothing
            same &= equal.all(axis=tuple(range(1, equal.ndim)))
        return same


def rows_of_file(
    videos: Sequence[Video], tracks: dict[Video, list[PersonTrack]], skeleton: Skeleton, as_listed: bool
) -> WrittenRows:
    """The people of ``videos``, as their file listed them (``as_listed``), else by video and frame.

    Within a frame the order is that of the file that they come from, else of the tracks.
    """
    found = [(place, track) for place, video in enumerate(videos) for track in tracks.get(video, [])]
    lengths = [len(track) for _, track in found]
    number = np.repeat(np.arange(len(found)), lengths)
    row = np.concatenate([_NONE, *(np.arange(length) for length in lengths)]).astype(np.int64)
    video = np.repeat([place for place, _ in found], lengths).astype(np.int64)
    frame = np.concatenate([_NONE, *(track.frame for _, track in found)]).astype(np.int64)
    in_file = [
        np.full(len(track), place) if track.file_row is None else track.file_row
        for place, (_, track) in enumerate(found)
    ]
    file_row = np.concatenate([_NONE, *in_file]).astype(np.int64)
    order = np.lexsort((number, file_row)) if as_listed else np.lexsort((number, file_row, frame, video))

    def joined(name: str, empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *(getattr(track, name) for _, track in found)])[order]

    def fields(name: str) -> list[Fields]:
        held = [getattr(track, name) for _, track in found]
        return [held[n][r] if held[n] else NO_FIELDS for n, r in zip(number[order], row[order], strict=True)]

    J = skeleton.num_joints
    per_joint = np.zeros((0, J))
    return WrittenRows(
        video=video[order],
        frame=frame[order],
        track_id=np.array([track.track_id for _, track in found], dtype=np.int64)[number[order]],
        track_id_given=np.array([track.track_id_given for _, track in found], dtype=np.bool_)[number[order]],
        keypoints_px=joined("keypoints_px", np.zeros((0, J, 2))),
        annotated=joined("annotated", per_joint.astype(np.bool_)),
        visibility=joined("visibility", per_joint.astype(np.int8)),
        keypoint_scores=joined("keypoint_scores", per_joint),
        scores=joined("scores", np.zeros(0)),
        boxes_xywh=joined("boxes_xywh", np.zeros((0, 4))),
        head_boxes_xywh=joined("head_boxes_xywh", np.zeros((0, 4))),
        file_row=file_row[order],
        extra=fields("extra"),
        verbatim=fields("verbatim"),
    )
