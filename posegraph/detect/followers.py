"""From what was found in a frame, and the poses of the frame before, to people with ids.

# n people
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_convert, box_iou

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.detect.pose_boxes import PoseBoxes
from posegraph.detect.tracker import Tracker
from posegraph.detect.usable import joined, rows_of_people

SAME_PERSON = 0.3
"""Intersection over union from which a followed person and a detection are taken for one."""


class Follower(Protocol):
    """Gives people ids. Its answer depends on what it was given since it was made, and on nothing else."""

    def follow(self, detected: People | None, last: FramePoses | None, image_hw: tuple[int, int]) -> People:
        """The people of the next frame, under unique ids; arguments as those of :meth:`PeopleFinder.follow`."""
        ...

    def reset(self) -> None:
        """Forget the past; ids given from now on are new ones."""
        ...


class TrackFollower:
    """Many people: detections become tracks; where the detector rests, each box comes from the person's pose.

    Detections that carry ids keep them. All others, and the people followed between detections, go through the
    tracker, which gives the ids.

    Args:
        tracker: Gives ids from ``first_id`` on.
        first_id: Ids below come with the detections.
        bridge: Detections come only every few frames. A person with a confident pose whom the detector overlooks once
            is then followed on.
    """

    def __init__(self, tracker: Tracker, first_id: int = 0, bridge: bool = False) -> None:
        self.tracker, self.first_id, self.bridge = tracker, first_id, bridge
        self._poses = PoseBoxes()
        self._overlooked: set[int] = set()

    def follow(self, detected: People | None, last: FramePoses | None, image_hw: tuple[int, int]) -> People:
        """Everybody detected, or, where the detector rests (None), everybody followed."""
        if detected is not None and not self.bridge:
            return self._with_ids(detected)
        followed = People.nobody() if last is None else self._poses(last, image_hw)
        if detected is None:
            return self._with_ids(followed)
        overlooked = rows_of_people(followed, self._not_among(followed, detected))
        people = self._with_ids(joined(detected, overlooked))
        self._overlooked = set(overlooked.track_ids.tolist())
        return people

    def reset(self) -> None:
        """Forget everybody."""
        self.tracker.reset()
        self._poses.reset()
        self._overlooked.clear()

    def _with_ids(self, people: People) -> People:
        given = (people.track_ids >= 0) & (people.track_ids < self.first_id)
        track_ids = people.track_ids.copy()
        track_ids[~given] = self.tracker.update(rows_of_people(people, ~given))
        return rows_of_people(people._replace(track_ids=track_ids), track_ids != NO_TRACK)

    def _not_among(self, followed: People, detected: People) -> NDArray[np.bool_]:
        """``[n]``: followed with a confident pose, and overlooked now, but not the last time."""
        overlaps = _overlaps(followed, detected).max(axis=1, initial=0.0) >= SAME_PERSON
        fit = [
            track_id >= self.first_id and track_id not in self._overlooked and self._poses.sure(track_id)
            for track_id in followed.track_ids.tolist()
        ]
        chosen: NDArray[np.bool_] = np.array(fit, dtype=np.bool_) & ~overlaps
        return chosen


def _overlaps(first: People, second: People) -> NDArray[np.float64]:
    """Intersection over union of every pair."""
    corners = [box_convert(torch.from_numpy(people.boxes_xywh), "xywh", "xyxy") for people in (first, second)]
    overlaps: NDArray[np.float64] = box_iou(*corners).numpy()
    return overlaps
