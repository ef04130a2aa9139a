"""Whether a pose is somebody's, or what a model makes of a place without people.

# n poses, J joints
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegraph.detect.pose_boxes import box_of_pose

Float = NDArray[np.float64]

TOLERANCE = 0.1
"""Distance between two crops' places of a joint, in sides of a square as large as the box, that leaves exp(-1/2)."""

SMALLEST = 0.08
"""Longer side of a person's box at least, as a share of the frame's shorter side."""

LARGEST = 1.3
"""Width and height of a person's box at most, in those of the frame."""


class Poses(NamedTuple):
    """Poses in one image, and the boxes around them.

    Fields:
        boxes_xywh: ``[n, 4]`` image pixels.
        keypoints_px: ``[n, J, 2]``.
        scores: ``[n, J]``.
    """

    boxes_xywh: Float
    keypoints_px: Float
    scores: Float

    def rows(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Poses:
        """Some of them."""
        return Poses(*(values[rows] for values in self))


def boxed_poses(keypoints_px: Float, scores: Float, image_hw: tuple[int, int]) -> Poses:
    """The poses ``[n, J, 2]`` with enough confident joints for a box, of which a person in the image can have one."""
    boxes = [box_of_pose(*pose) for pose in zip(keypoints_px, scores, strict=True)]
    smallest, largest = SMALLEST * min(image_hw), LARGEST * np.array(image_hw[::-1])
    rows = [
        row
        for row, box in enumerate(boxes)
        if box is not None and box[2:].max() >= smallest and (box[2:] <= largest).all()
    ]
    kept = np.array([boxes[row] for row in rows], dtype=np.float64).reshape(-1, 4)
    return Poses(kept, keypoints_px[rows], scores[rows])


def confidence(scores: Float) -> Float:
    """``[n]`` the median joint's: a model may have joints that it never learnt."""
    return np.asarray(np.median(scores, axis=1))


def person_scores(first: Poses, second_px: Float, second_scores: Float) -> Float:
    """``[n]``, 0 to 1 with heatmaps of that height: how sure it is that each pose is a person's.

    A person stays in place when the crop moves; what a model makes of a tree moves with the crop. Of each joint, the
    lower confidence of two crops counts by how near to one another they place it; of the joints, the median.

    Args:
        first: The poses of one crop each.
        second_px: ``[n, J, 2]`` of another crop of the same places.
        second_scores: ``[n, J]``.
    """
    side = np.sqrt(first.boxes_xywh[:, 2:].prod(axis=1))[:, None]
    off = np.linalg.norm(first.keypoints_px - second_px, axis=2) / (TOLERANCE * side)
    return confidence(np.minimum(first.scores, second_scores) * np.exp(-(off**2) / 2))
