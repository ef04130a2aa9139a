"""People from detections, poses and tracks, without an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.detect.followers import TrackFollower
from posegraph.detect.tracker import LibraryTracker

HW = (180, 320)
CORNERS = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 40.0], [20.0, 40.0]])


def found(*boxes: tuple[float, float, float, float], ids: list[int] | None = None) -> People:
    return People(
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.full(len(boxes), 0.9),
        np.array(ids or [NO_TRACK] * len(boxes), dtype=np.int64),
    )


def posed(people: People, *corners: tuple[float, float], score: float = 0.9) -> FramePoses:
    """The people's poses: joints around 20 x 40 pixels, whose upper left ones are at ``corners``."""
    keypoints = np.array([CORNERS + corner for corner in corners]).reshape(-1, 4, 2)
    shape = keypoints.shape[:2]
    return FramePoses(people.track_ids, people.boxes_xywh, people.scores, keypoints, np.full(shape, score))


def box_at(x: float, y: float) -> list[float]:
    """20 x 40 enlarged by 1.3."""
    return pytest.approx([x - 3, y - 6, 26, 52])  # type: ignore[return-value]


class TestTrackFollower:
    def test_detections_become_tracks(self) -> None:
        follower = TrackFollower(LibraryTracker())
        for step in range(3):
            people = follower.follow(found((10 + step, 20, 30, 60), (200, 20, 30, 60)), None, HW)
            assert people.track_ids.tolist() == [0, 1]
            assert people.boxes_xywh.tolist() == [[10 + step, 20, 30, 60], [200, 20, 30, 60]]

    def test_ids_of_detections_are_kept_and_the_others_get_new_ones(self) -> None:
        follower = TrackFollower(LibraryTracker(first_id=8), first_id=8)
        people = follower.follow(
            found((10, 20, 30, 60), (99, 20, 30, 60), (200, 20, 30, 60), ids=[7, NO_TRACK, 2]), None, HW
        )
        assert people.track_ids.tolist() == [7, 8, 2]

    def test_between_detections_poses_give_the_boxes(self) -> None:
        follower = TrackFollower(LibraryTracker(first_id=8), first_id=8, bridge=True)
        people = follower.follow(found((97, 44, 26, 52), (200, 20, 30, 60), ids=[NO_TRACK, 3]), None, HW)
        people = follower.follow(None, posed(people, (102, 50), (205, 30)), HW)
        assert people.track_ids.tolist() == [8, 3]
        assert [box.tolist() for box in people.boxes_xywh] == [box_at(102, 50), box_at(205, 30)]
        people = follower.follow(
            found((103, 44, 26, 52), (202, 20, 30, 60), ids=[NO_TRACK, 3]), posed(people, (104, 50), (206, 30)), HW
        )
        assert (people.track_ids.tolist(), people.boxes_xywh[:, 0].tolist()) == ([8, 3], [103, 202])

    def test_the_overlooked_are_followed_through_one_detection_frame(self) -> None:
        follower = TrackFollower(LibraryTracker(), bridge=True)
        people = follower.follow(found((97, 44, 26, 52), (200, 44, 26, 52)), None, HW)
        only_first = found((97, 44, 26, 52))
        people = follower.follow(only_first, posed(people, (100, 50), (203, 50)), HW)
        assert people.track_ids.tolist() == [0, 1]
        people = follower.follow(None, posed(people, (100, 50), (203, 50)), HW)
        assert people.track_ids.tolist() == [0, 1]
        people = follower.follow(only_first, posed(people, (100, 50), (203, 50)), HW)
        assert people.track_ids.tolist() == [0]

    def test_a_faint_pose_stands_in_for_no_detection(self) -> None:
        follower = TrackFollower(LibraryTracker(), bridge=True)
        people = follower.follow(found((97, 44, 26, 52)), None, HW)
        assert len(follower.follow(People.nobody(), posed(people, (100, 50), score=0.1), HW).track_ids) == 0

    def test_a_detection_every_frame_is_taken_as_it_is(self) -> None:
        follower = TrackFollower(LibraryTracker())
        people = follower.follow(found((97, 44, 26, 52)), None, HW)
        assert len(follower.follow(People.nobody(), posed(people, (100, 50)), HW).track_ids) == 0

    def test_two_who_follow_one_person_are_one_after_the_next_detection(self) -> None:
        follower = TrackFollower(LibraryTracker(), bridge=True)
        people = follower.follow(found((97, 44, 26, 52), (200, 44, 26, 52)), None, HW)
        for _ in range(9):  # a box comes nearer by a quarter of its height a frame
            people = follower.follow(None, posed(people, (100, 50), (101, 50)), HW)
            assert len(people.track_ids) == 2
        people = follower.follow(found((97, 44, 26, 52)), posed(people, (100, 50), (101, 50)), HW)
        assert people.track_ids.tolist() == [0]

    @pytest.mark.parametrize(("every", "absent"), [(1, 0.0), (5, 0.05), (10, 0.08)])
    def test_a_crowd_is_followed_between_detections(
        self, crowd: Callable[[int], Any], every: int, absent: float
    ) -> None:
        """Of the people in the image, at most a share ``absent`` is without a box: who enters while nobody looks."""
        missed, total = 0, 0
        for seed in range(4):
            walkers = crowd(seed)
            follower, last = TrackFollower(LibraryTracker(), bridge=every > 1), None
            for frame in range(len(walkers.there)):
                detected = None if frame % every else walkers.people(frame)
                people = follower.follow(detected, last, HW)
                last, seen = walkers.poses(frame, people)
                ids: NDArray[np.int64] = people.track_ids
                assert len(np.unique(ids)) == len(ids)
                missed += walkers.there[frame].sum() - len(set(seen))
                total += walkers.there[frame].sum()
        print(f"a detection every {every} frames: {missed} of {total} without a box")
        assert missed <= absent * total
