"""Who is in a frame, and their poses: what a stream is given, and what it gives back.

# n people in the frame, J joints
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_TRACK = -1
"""Track id of a person who belongs to no track."""


class People(NamedTuple):
    """The people of one frame, found or followed.

    Fields:
        boxes_xywh: ``[n, 4]`` float64, image pixels.
        scores: ``[n]`` float64.
        track_ids: ``[n]`` int64, ``NO_TRACK`` where there is none.
    """

    boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]
    track_ids: NDArray[np.int64]

    @classmethod
    def nobody(cls) -> People:
        """An empty frame."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))


class FramePoses(NamedTuple):
    """The poses of one frame's people.

    Fields:
        track_ids: ``[n]`` int64.
        boxes_xywh: ``[n, 4]`` float64, image pixels.
        box_scores: ``[n]`` float64.
        keypoints_px: ``[n, J, 2]`` float64, image pixels.
        keypoint_scores: ``[n, J]`` float64 confidences, the box's score not included.
    """

    track_ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    box_scores: NDArray[np.float64]
    keypoints_px: NDArray[np.float64]
    keypoint_scores: NDArray[np.float64]

    @classmethod
    def nobody(cls, num_joints: int) -> FramePoses:
        """An empty frame."""
        people = People.nobody()
        return cls(
            people.track_ids,
            people.boxes_xywh,
            people.scores,
            np.zeros((0, num_joints, 2)),
            np.zeros((0, num_joints)),
        )
