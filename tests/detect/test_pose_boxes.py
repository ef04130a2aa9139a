"""Boxes from the poses before."""

from __future__ import annotations

import numpy as np
import pytest

from posegraph.data.people import FramePoses
from posegraph.detect.pose_boxes import PATIENCE, PoseBoxes, box_of_pose

HW = (100, 200)
SQUARE = np.array([[50.0, 40.0], [70.0, 40.0], [50.0, 60.0], [70.0, 60.0]])


def poses(points: np.ndarray, scores: list[float], track_id: int = 3) -> FramePoses:
    """Of somebody whose box was 25 x 25 pixels about the joints."""
    before = np.array([[*(points.mean(axis=0) - 12.5), 25.0, 25.0]])
    return FramePoses(np.array([track_id]), before, np.array([0.8]), points[None], np.array([scores]))


def test_the_box_is_the_extent_of_the_confident_joints_enlarged() -> None:
    assert box_of_pose(SQUARE, np.full(4, 0.9)) == pytest.approx([47, 37, 26, 26])  # 20 x 1.3
    far = np.vstack([SQUARE, [[190.0, 5.0]]])
    assert box_of_pose(far, np.array([0.9, 0.9, 0.9, 0.9, 0.1])) == pytest.approx([47, 37, 26, 26])


def test_too_few_confident_joints_say_nothing() -> None:
    ten = np.tile(SQUARE, (3, 1))[:10]
    scores = np.zeros(10)
    scores[:2] = 0.9
    assert box_of_pose(ten, scores) is None
    scores[2] = 0.9  # three of ten are more than a quarter
    assert box_of_pose(ten, scores) is not None
    assert box_of_pose(SQUARE[:1], np.ones(1)) is None
    assert box_of_pose(np.tile(SQUARE[:1], (4, 1)), np.ones(4)) is None  # no area
    assert box_of_pose(np.full((4, 2), np.nan), np.ones(4)) is None


def test_a_person_keeps_id_and_score() -> None:
    follow = PoseBoxes()
    people = follow(poses(SQUARE, [0.9] * 4), HW)
    assert (people.track_ids.tolist(), people.scores.tolist()) == ([3], [0.8])
    assert people.boxes_xywh[0] == pytest.approx([47, 37, 26, 26])
    assert follow.sure(3)


def test_a_lost_pose_keeps_the_last_box_for_a_while() -> None:
    follow = PoseBoxes()
    faint = poses(SQUARE, [0.1] * 4)
    for _ in range(PATIENCE - 1):
        assert follow(faint, HW).boxes_xywh.tolist() == [[47.5, 37.5, 25, 25]]
        assert not follow.sure(3)
    assert len(follow(faint, HW).track_ids) == 0


def test_one_good_pose_starts_the_patience_anew() -> None:
    follow = PoseBoxes()
    for _ in range(3):
        for _ in range(PATIENCE - 1):
            follow(poses(SQUARE, [0.1] * 4), HW)
        assert len(follow(poses(SQUARE, [0.9] * 4), HW).track_ids) == 1


def test_who_left_the_image_ends_at_once() -> None:
    assert len(PoseBoxes()(poses(SQUARE + np.array([200.0, 0.0]), [0.9] * 4), HW).track_ids) == 0
    assert len(PoseBoxes()(poses(SQUARE + np.array([140.0, 0.0]), [0.9] * 4), HW).track_ids) == 1  # partly inside


def test_nobody() -> None:
    assert PoseBoxes()(FramePoses.nobody(4), HW).boxes_xywh.shape == (0, 4)


def test_a_box_stays_near_the_one_before() -> None:
    before = np.array([[50.0, 40.0, 20.0, 20.0]])
    follow = PoseBoxes()
    wild = poses(SQUARE * 3, [0.9] * 4)._replace(boxes_xywh=before)  # from 141, 111, with sides of 78
    # Sides of 24, and the middle moved from (60, 50) by 5 in each axis.
    assert follow(wild, HW).boxes_xywh[0] == pytest.approx([53, 43, 24, 24])
    small = poses(SQUARE / 4 + 45.0, [0.9] * 4)._replace(boxes_xywh=before)  # middle (60, 57.5), sides of 6.5
    assert follow(small, HW).boxes_xywh[0] == pytest.approx([60 - 25 / 3, 55 - 25 / 3, 50 / 3, 50 / 3])
    calm = poses(SQUARE, [0.9] * 4)._replace(boxes_xywh=np.array([[48.0, 38.0, 23.0, 25.0]]))
    assert follow(calm, HW).boxes_xywh[0] == pytest.approx([47, 37, 26, 26])
