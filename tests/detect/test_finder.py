"""When is looked, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.data.sources import Frame
from posegraph.detect import PeopleFinder
from posegraph.detect.followers import TrackFollower
from posegraph.detect.tracker import LibraryTracker

HW = (180, 320)


def frame(number: int, hw: tuple[int, int] = HW) -> Frame:
    return Frame(number, np.zeros((*hw, 3), np.uint8), number / 25, f"movie.mp4#{number}")


def looker(asked: list[int], *boxes: list[float]) -> Callable[[Frame, FramePoses | None], People]:
    def look(image: Frame, last: FramePoses | None) -> People:
        asked.append(image.number)
        found = np.array(boxes or [[50.0, 20, 30, 80]])
        return People(found, np.full(len(found), 0.9), np.full(len(found), NO_TRACK))

    return look


def finder(asked: list[int], every: int = 1) -> PeopleFinder:
    return PeopleFinder(looker(asked), TrackFollower(LibraryTracker(), bridge=every > 1), every=every)


def poses(people: People) -> FramePoses:
    """Two joints in the corners of the box before it was enlarged."""
    middle, half = people.boxes_xywh[:, :2] + people.boxes_xywh[:, 2:] / 2, people.boxes_xywh[:, 2:] / 2.6
    points = np.stack([middle - half, middle + half], axis=1)
    return FramePoses(people.track_ids, people.boxes_xywh, people.scores, points, np.ones(points.shape[:2]))


def test_the_detector_looks_at_every_third_frame_that_can_be_read() -> None:
    asked: list[int] = []
    find, last = finder(asked, every=3), None
    for number in (0, 1, 2, 3, 4, 8, 9, 10):  # 5, 6 and 7 are damaged
        people = find.follow(find.detect(frame(number)), last, HW)
        assert people.track_ids.tolist() == [0]
        last = poses(people)
    assert asked == [0, 3, 9]


def test_another_size_starts_anew_with_new_ids() -> None:
    asked: list[int] = []
    find = finder(asked, every=5)
    people = find.follow(find.detect(frame(0)), None, HW)
    last = poses(people)
    assert find.detect(frame(1)) is None
    find.follow(None, last, HW)
    found = find.detect(frame(2, (90, 160)))
    people = find.follow(found, last, (90, 160))
    assert (asked, people.track_ids.tolist()) == ([0, 2], [1])


def test_after_a_reset_nothing_of_the_past_is_used() -> None:
    find = finder([], every=5)
    people = find.follow(find.detect(frame(0)), None, HW)
    people = find.follow(None, poses(people._replace(boxes_xywh=np.array([[9.0, 9, 20, 40]]))), HW)
    find.reset()
    again = find.follow(find.detect(frame(1)), poses(people), HW)
    assert again.track_ids.tolist() == [1]


def test_when_the_last_one_has_left_the_next_frame_is_looked_at() -> None:
    asked: list[int] = []
    find, last = finder(asked, every=9), None
    for number in range(5):
        people = find.follow(find.detect(frame(number), last), last, HW)
        last = poses(people)
        if number == 1:  # the pose leaves the image
            last = last._replace(keypoints_px=last.keypoints_px + 1000, boxes_xywh=last.boxes_xywh + 1000)
    assert asked == [0, 3]


def test_bad_boxes_are_left_out_and_counted() -> None:
    look = looker([], [50.0, 20, 30, 80], [np.nan, 0, 5, 5], [400.0, 0, 5, 5], [300.0, 100, 50, 150])
    find = PeopleFinder(look, TrackFollower(LibraryTracker()), dropped={"score below 0.2": 4})
    people = find.follow(find.detect(frame(0)), None, HW)
    assert people.boxes_xywh.tolist() == [[50, 20, 30, 80], [300, 100, 50, 150]]
    assert find.dropped == {"score below 0.2": 4, "box with NaN or infinity": 1, "box outside the image": 1}


def test_a_run_is_taken_up_without_its_images(crowd: Callable[[int], Any]) -> None:
    """Fed with what was detected and estimated before, another finder goes on with the same people, to the last bit."""
    walkers = crowd(1)

    def make() -> PeopleFinder:
        return PeopleFinder(
            lambda image, last: walkers.people(image.number), TrackFollower(LibraryTracker(), bridge=True), every=4
        )

    find, last, journal = make(), None, []
    for number in range(40):
        detected = find.detect(frame(number))
        people = find.follow(detected, last, HW)
        journal.append((detected, last, people))
        last, _ = walkers.poses(number, people)
    other = make()
    for detected, before, _ in journal[:21]:
        other.follow(detected, before, HW)
    for number in range(21, 40):
        detected, before, people = journal[number]
        again = other.detect(frame(number))
        assert (again is None) == (detected is None)
        resumed = other.follow(again, before, HW)
        assert resumed.track_ids.tolist() == people.track_ids.tolist()
        assert resumed.boxes_xywh.tolist() == people.boxes_xywh.tolist()
