"""What every reader makes of a file: its images and its people as columns, in file order, with the file's own joints.

Letters: I images, M people (one person in one image), K joints that the file names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.columns import Where
from posegraph.data.json_checks import Fault
from posegraph.data.tracks import Fields, SourceFile
from posegraph.skeleton import Skeleton

EXTENT_TO_BOX = 1.3
"""poseval's rule: the box of a person without one is the extent of the joints, enlarged by this."""

KEYPOINT_FIELDS = frozenset({"keypoints", "scores", "annopoints"})
"""Verbatim fields with one entry for each joint of the file."""


@dataclass(frozen=True, eq=False)
class ImageTable:
    """The file's images; each field is one of :class:`~posegraph.data.tracks.Video` for ``I`` images."""

    files: list[str]
    ids: NDArray[np.int64]
    image_hw: NDArray[np.int64]
    labeled: NDArray[np.bool_]
    ignore_regions: list[tuple[NDArray[np.float64], ...]]
    extra: list[Fields]
    verbatim: list[Fields]


@dataclass(frozen=True, eq=False)
class PeopleTable:
    """The file's people; each field is one of :class:`~posegraph.data.tracks.PersonTrack` for ``M`` people.

    ``image`` is the row of the person's image, ``track_id`` counts where ``has_track``.
    """

    image: NDArray[np.int64]
    track_id: NDArray[np.int64]
    has_track: NDArray[np.bool_]
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
        return len(self.image)


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """The checked content of one file.

    Fields:
        source: What the file holds beside images and people.
        images: In file order.
        people: In file order.
        sequences: Video name -> rows of its images in time order.
        own_skeleton: The skeleton of a reader who is given none: joints are the file's.
        person_field: Row of a person -> how messages name it.
        fault: Raises the file's errors.
    """

    source: SourceFile
    images: ImageTable
    people: PeopleTable
    sequences: dict[str, list[int]]
    own_skeleton: Callable[[], Skeleton]
    person_field: Where
    fault: Fault


def extent_boxes(points_px: NDArray[np.float64], given: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``[M, 4]`` xywh around the ``given [M, K]`` points ``[M, K, 2]`` x 1.3; NaN where they span no area."""
    with np.errstate(over="ignore", invalid="ignore"):  # positions beyond all pixels
        low = np.where(given[..., None], points_px, np.inf).min(axis=1, initial=np.inf)
        high = np.where(given[..., None], points_px, -np.inf).max(axis=1, initial=-np.inf)
        size = (high - low) * EXTENT_TO_BOX
        return with_area(np.concatenate([(low + high - size) / 2, size], axis=1))


def all_finite(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``[...]`` whether a point, a box or a row ``[..., n]`` is finite."""
    return np.asarray(np.isfinite(values).all(axis=-1))


def with_area(boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """The boxes ``[M, 4]``, NaN where one has no area or is not finite."""
    useful = all_finite(boxes_xywh) & np.asarray((boxes_xywh[:, 2:] > 0).all(axis=1))
    return np.where(useful[:, None], boxes_xywh, np.nan)
