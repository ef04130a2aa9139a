"""Poses made by hand: which are somebody's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.detect.plausibility import Poses, boxed_poses, confidence, person_scores

HW = (100, 200)
SQUARE = np.array([[10.0, 10.0], [30.0, 10.0], [10.0, 30.0], [30.0, 30.0], [20.0, 20.0]])


def pose(points: NDArray[np.float64] = SQUARE, *scores: float) -> Poses:
    return Poses(np.array([[7.0, 7.0, 26.0, 26.0]]), points[None], np.array([scores or (0.8,) * 5]))


def test_a_pose_that_stays_is_as_sure_as_its_median_joint() -> None:
    scores = np.array([[0.9, 0.7, 0.8, 0.1, 0.6]])
    assert confidence(scores).tolist() == [0.7]
    assert person_scores(pose(), SQUARE[None], scores).tolist() == [0.7]
    # Of each joint the less sure crop counts: 0.6, 0.7, 0.2, 0.1, 0.6.
    assert person_scores(pose(SQUARE, 0.6, 0.8, 0.2, 0.9, 0.9), SQUARE[None], scores).tolist() == [0.6]


def test_a_pose_that_moves_with_its_crop_is_nobody() -> None:
    """A tenth of the box's side off costs the factor exp(-1/2), three tenths exp(-9/2)."""
    for tenths, factor in ((1, np.exp(-0.5)), (3, np.exp(-4.5))):
        moved = SQUARE + np.array([0.0, 2.6 * tenths])
        assert person_scores(pose(), moved[None], np.full((1, 5), 0.8)) == pytest.approx(0.8 * factor)


def test_one_limb_that_flips_over_does_not_matter() -> None:
    moved = SQUARE.copy()
    moved[:2] = moved[1::-1]
    assert person_scores(pose(), moved[None], np.full((1, 5), 0.8)) == pytest.approx(0.8)


def test_poses_get_boxes_and_those_of_no_persons_size_are_left_out() -> None:
    points = np.stack([SQUARE, SQUARE * 0.2, SQUARE * (8.0, 1.0), SQUARE * 2, np.full((5, 2), 50.0)])
    scores = np.full((5, 5), 0.8)
    scores[3] = [0.8, 0.2, 0.2, 0.2, 0.2]  # one joint has no extent
    kept = boxed_poses(points, scores, HW)
    # 20 x 20 enlarged by 1.3; then 5.2 (8 are needed), and 208 x 26, which a frame of 200 x 100 may have.
    assert kept.boxes_xywh.tolist() == [pytest.approx([7, 7, 26, 26]), pytest.approx([56, 7, 208, 26])]
    assert kept.keypoints_px.tolist() == points[[0, 2]].tolist()
    assert len(boxed_poses(points[2:3] * (1.3, 1), scores[:1], HW).boxes_xywh) == 0  # 270 wide
    assert boxed_poses(np.zeros((0, 5, 2)), np.zeros((0, 5)), HW).boxes_xywh.shape == (0, 4)
