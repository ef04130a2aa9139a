"""Where a person is now, told from the pose of the frame before.

# n people, J joints
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import FramePoses, People
from posegraph.detect.usable import inside
from posegraph.geometry import extent_xywh, scale_box

MIN_KEYPOINT_SCORE = 0.3
"""A keypoint below says nothing about where the person is."""

MIN_SHARE = 0.25
"""A pose with fewer confident joints than this share of them has lost its person."""

PATIENCE = 5
"""Frames in a row with such a pose after which the person is given up."""

GROWTH = 1.3
"""From the extent of the joints to the person's box: poseval's rule, which boxes without joints are read by too."""

LARGEST_GROWTH = 1.2
"""From one frame to the next, where a detector looks now and then: a pose that fails must not carry its box away."""

LARGEST_STEP = 0.25
"""Of the box's middle, likewise, as a share of its longer side."""


def box_of_pose(
    keypoints_px: NDArray[np.float64], scores: NDArray[np.float64], min_keypoint_score: float = MIN_KEYPOINT_SCORE
) -> NDArray[np.float64] | None:
    """The box ``[4]`` around the confident ones of ``[J, 2]`` keypoints; None where too few are confident."""
    confident = (scores >= min_keypoint_score) & np.isfinite(keypoints_px).all(axis=1)
    if confident.sum() < max(2, MIN_SHARE * len(scores)):
        return None
    box = scale_box(extent_xywh(keypoints_px[confident]), GROWTH)
    return box if (box[2:] > 0).all() else None


class PoseBoxes:
    """Follows people by their own poses: each one's box comes from the pose before.

    A person whose pose loses its confidence keeps the last box, and ends after ``PATIENCE`` such frames in a row; one
    whose box has left the image ends at once. A box stays near the one before (``LARGEST_GROWTH``, ``LARGEST_STEP``).
    """

    def __init__(self, min_keypoint_score: float = MIN_KEYPOINT_SCORE) -> None:
        self.min_keypoint_score = min_keypoint_score
        self._unsure: Counter[int] = Counter()

    def __call__(self, last: FramePoses, image_hw: tuple[int, int]) -> People:
        """The people of the frame before who are still there, in their order, under their ids and box scores."""
        rows, boxes = [], []
        unsure = self._unsure
        self._unsure = Counter()
        for row, track_id in enumerate(last.track_ids.tolist()):
            box = box_of_pose(last.keypoints_px[row], last.keypoint_scores[row], self.min_keypoint_score)
            if box is None:
                box = last.boxes_xywh[row]
                self._unsure[track_id] = unsure[track_id] + 1
            else:
                box = _near(box, last.boxes_xywh[row])
            if self._unsure[track_id] < PATIENCE and inside(box[None], image_hw)[0]:
                rows.append(row)
                boxes.append(box)
        return People(np.array(boxes).reshape(-1, 4), last.box_scores[rows], last.track_ids[rows])

    def sure(self, track_id: int) -> bool:
        """Whether the person's latest pose was confident."""
        return self._unsure[track_id] == 0

    def reset(self) -> None:
        """Forget everybody."""
        self._unsure.clear()


def _near(box_xywh: NDArray[np.float64], before_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """The box, as far as it may be from the one of the frame before."""
    size_before = before_xywh[2:]
    size = np.clip(box_xywh[2:], size_before / LARGEST_GROWTH, size_before * LARGEST_GROWTH)
    middle_before = before_xywh[:2] + size_before / 2
    farthest = LARGEST_STEP * size_before.max()
    middle = middle_before + np.clip(box_xywh[:2] + box_xywh[2:] / 2 - middle_before, -farthest, farthest)
    return np.concatenate([middle - size / 2, size])
