"""People found by a stand-in for a model, which sees the joints of people whose places are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.data.sources import Frame
from posegraph.data.video import Image
from posegraph.detect.finder import PeopleFinder
from posegraph.detect.followers import TrackFollower
from posegraph.detect.motion import MEMORY, Motion
from posegraph.detect.pose_search import (
    GLANCE_EVERY,
    MOST_WINDOWS,
    MOST_WINDOWS_BESIDE,
    SILHOUETTE_GROWTH,
    SUPPORT,
    PoseSearch,
)
from posegraph.detect.tracker import LibraryTracker
from posegraph.geometry import fit_aspect, scale_box

HW = (240, 320)
# Within 0 to 1 across and down: both ends of the box, and what is between.
JOINTS = np.array([[0, 0], [1, 0], [0.5, 0.3], [0.2, 0.5], [0.8, 0.5], [0, 1], [1, 1], [0.5, 0.8]])
Float = NDArray[np.float64]


class Model:
    """Sees, in a crop that shows most of a person, that person's joints; elsewhere it makes a pose up.

    Args:
        people: Boxes around the joints, and how sure the joints are.
        made_up: How sure it is of a pose where nobody is: one that fills the crop's middle.
    """

    def __init__(self, *people: tuple[list[float], float], made_up: float = 0.45) -> None:
        self.boxes = np.array([box for box, _ in people]).reshape(-1, 4)
        self.sure = [sure for _, sure in people]
        self.made_up = made_up
        self.sizes: list[int] = []
        self.calls: list[tuple[int, ...]] = []

    def glimpse(self, image: Image, boxes_xywh: Float) -> tuple[Float, Float]:
        self.sizes.append(len(boxes_xywh))
        self.calls.append(image.shape[:2])
        poses = [self._see(box, HW[0] / image.shape[0]) for box in boxes_xywh]
        points, scores = np.array([one for one, _ in poses]), np.array([one for _, one in poses])
        return points.reshape(-1, 8, 2), np.repeat(scores.reshape(-1, 1), 8, axis=1)

    def _see(self, box: Float, scale: float) -> tuple[Float, float]:
        crop = scale_box(fit_aspect(box * scale, (128, 96)), 1.25)
        shown = np.array([joints_of(person) for person in self.boxes]).reshape(-1, 8, 2)
        inside = ((shown >= crop[:2]) & (shown <= crop[:2] + crop[2:])).all(axis=2).mean(axis=1)
        fill = self.boxes[:, 3] / crop[3]
        best = np.argmax(np.where(fill > 0.35, inside, 0)) if len(inside) else 0
        if len(inside) and inside[best] >= 0.7 and fill[best] > 0.35:
            return shown[best] / scale, self.sure[best]
        return joints_of(scale_box(crop, 0.6)) / scale, self.made_up


def joints_of(box: Float | list[float]) -> Float:
    x, y, w, h = box
    return np.array([x, y]) + JOINTS * np.array([w, h])


def grown(*boxes: list[float]) -> list[object]:
    """Around joints that fill a box: the box, enlarged by 1.3."""
    return [pytest.approx(scale_box(np.array(box), 1.3).tolist()) for box in boxes]


def frame(number: int = 0, image: Image | None = None) -> Frame:
    return Frame(number, np.zeros((*HW, 3), np.uint8) if image is None else image, number / 25, f"walk.mp4#{number}")


def search(model: Model, *, last: FramePoses | None = None, motion: Motion | None = None) -> People:
    return PoseSearch(model, motion or Motion(), 10)(frame(), last)


def poses_in(model: Model, people: People) -> FramePoses:
    """What a stream gives for people."""
    keypoints, scores = model.glimpse(frame().image, people.boxes_xywh)
    return FramePoses(people.track_ids, people.boxes_xywh, people.scores, keypoints, scores)


LEFT, RIGHT = [50.0, 40.0, 40.0, 150.0], [220.0, 90.0, 35.0, 100.0]


def test_each_person_is_found_once_best_first() -> None:
    model = Model((LEFT, 0.7), (RIGHT, 0.9))
    people = search(model)
    assert people.boxes_xywh.tolist() == grown(RIGHT, LEFT)
    assert people.scores.tolist() == pytest.approx([0.9, 0.7])
    assert people.track_ids.tolist() == [NO_TRACK] * 2
    windows, *later = model.sizes
    assert windows == 3 + 15 + 45  # of 4:3
    assert max(later) <= 12


def test_a_pose_that_moves_with_its_crop_is_left_out() -> None:
    assert len(search(Model(made_up=0.9)).scores) == 0  # however sure the model is of it
    assert search(Model((LEFT, 0.6), made_up=0.55)).boxes_xywh.tolist() == grown(LEFT)


def test_an_empty_frame_of_a_model_that_sees_nothing() -> None:
    people = search(Model(made_up=0.0))
    assert (people.boxes_xywh.shape, people.scores.shape, people.track_ids.shape) == ((0, 4), (0,), (0,))


def test_who_scores_far_below_the_best_is_nobody() -> None:
    assert len(search(Model((LEFT, 0.9), (RIGHT, 0.55))).scores) == 2
    assert search(Model((LEFT, 0.9), (RIGHT, 0.5))).boxes_xywh.tolist() == grown(LEFT)
    assert search(Model((RIGHT, 0.5))).boxes_xywh.tolist() == grown(RIGHT)
    assert len(search(Model((RIGHT, 0.29))).scores) == 0


def test_who_was_there_is_looked_for_there_first_and_the_others_in_fewer_windows() -> None:
    small = [100.0, 100.0, 9.0, 24.0]  # too small for any window
    model = Model((small, 0.8), (LEFT, 0.7))
    assert search(model).boxes_xywh.tolist() == grown(LEFT)
    last = poses_in(model, People(np.array([[98.0, 97, 13, 30]]), np.ones(1), np.array([3])))
    model.sizes.clear()
    assert search(model, last=last).boxes_xywh.tolist() == grown(small, LEFT)
    assert model.sizes[0] <= MOST_WINDOWS_BESIDE < MOST_WINDOWS


def test_before_a_standing_camera_who_moves_counts_more() -> None:
    still, moved = np.zeros((*HW, 3), np.uint8), np.zeros((*HW, 3), np.uint8)
    moved[100:160, 225:245] = 255  # in RIGHT
    motion = Motion()
    for image in (still, moved):
        motion.add(image)
    people = search(Model((LEFT, 0.8), (RIGHT, 0.8)), motion=motion)
    assert people.boxes_xywh.tolist() == grown(RIGHT, LEFT)
    assert people.scores.tolist() == pytest.approx([0.8, 0.6])


def test_a_large_frame_is_searched_in_a_small_one() -> None:
    model = Model((LEFT, 0.8))
    large = PoseSearch(model, Motion(), 10)(frame(0, np.zeros((1440, 1920, 3), np.uint8)), None)
    assert set(model.calls) == {(720, 960)}
    assert large.boxes_xywh.tolist() == grown([6 * value for value in LEFT])


class Walk:
    """A finder and the model it asks, over frames."""

    def __init__(self, model: Model) -> None:
        self.model, motion = model, Motion()
        self.finder = PeopleFinder(
            PoseSearch(model, motion, 10),
            TrackFollower(LibraryTracker(), bridge=True),
            every=GLANCE_EVERY,
            motion=motion,
        )
        self.last: FramePoses | None = None
        self.number = 0

    def step(self) -> tuple[list[int], bool]:
        """Ids in the next frame, and whether it was searched."""
        image = frame(self.number)
        detected = self.finder.detect(image, self.last)
        people = self.finder.follow(detected, self.last, HW)
        self.last = poses_in(self.model, people)
        self.number += 1
        return people.track_ids.tolist(), detected is not None


def test_a_lock_on_to_the_background_is_replaced_by_a_person() -> None:
    walk = Walk(Model((LEFT, 0.52)))
    assert walk.step() == ([0], True)
    walk.model.boxes, walk.model.sure = np.array([LEFT, RIGHT]), [0.52, 0.9]
    # Each second frame he is looked for where he is; in the tenth the search finds a better one.
    assert [walk.step() for _ in range(9)] == [([0], False), ([0], True)] * 4 + [([0], False)]
    assert [len(walk.step()[0]) for _ in range(5)] == [1] * 5
    assert walk.last is not None
    assert walk.last.boxes_xywh.tolist() == grown(RIGHT)


def test_newcomers_who_stand_still_join_at_the_next_search_and_who_leaves_ends() -> None:
    walk = Walk(Model((LEFT, 0.8)))
    assert walk.step() == ([0], True)
    walk.model.boxes, walk.model.sure = np.array([LEFT, RIGHT]), [0.8, 0.9]
    assert [walk.step()[0] for _ in range(9)] == [[0]] * 9
    ids, _ = walk.step()
    assert sorted(ids) == [0, 1]
    walk.model.boxes, walk.model.made_up = np.zeros((0, 4)), 0.0
    steps = [walk.step() for _ in range(4)]
    # Followed for the frame that still had their poses; the next look finds nobody there, nor does the one after it,
    # made at once, since nobody is left.
    assert [len(ids) for ids, _ in steps] == [2, 0, 0, 0]
    assert [looked for _, looked in steps] == [False, True, True, False]


def frames_with(*boxes: list[float]) -> Motion:
    """A grey room, and after ``MEMORY`` frames of it one in which white boxes stand."""
    motion = Motion()
    for _ in range(MEMORY):
        motion.add(np.full((*HW, 3), 90, np.uint8))
    shown = np.full((*HW, 3), 90, np.uint8)
    for x, y, w, h in np.round(boxes).astype(int).tolist():
        shown[y : y + h, x : x + w] = 255
    motion.add(shown)
    return motion


def test_who_stands_out_is_found_between_searches_and_needs_less_of_a_score() -> None:
    model = Model((LEFT, 0.32), (RIGHT, 0.32), made_up=0.1)
    between = PoseSearch(model, frames_with(LEFT), 10)(frame(5), poses_in(model, People.nobody()))
    assert between.scores.tolist() == pytest.approx([0.32 + SUPPORT])
    assert model.sizes[:2] == [0, 1]  # nobody was followed; then one silhouette, no windows
    (found,) = between.boxes_xywh
    assert found.tolist() == pytest.approx(scale_box(np.array(LEFT), SILHOUETTE_GROWTH).tolist(), abs=6)  # small image
    # RIGHT, who does not stand out, is too unsure, also where the frame is searched.
    assert len(PoseSearch(model, frames_with(LEFT), 10)(frame(10), None).scores) == 1


def test_a_pose_in_a_silhouette_of_another_shape_keeps_its_own_box() -> None:
    wide = [20.0, 30.0, 250.0, 180.0]
    found = search(Model((LEFT, 0.8)), motion=frames_with(wide))
    assert found.boxes_xywh.tolist() == grown(LEFT)
    assert found.scores.tolist() == pytest.approx([0.8])


@pytest.mark.parametrize("first", [0, 1])
def test_the_frame_is_searched_once_in_ten_whichever_frames_are_looked_at(first: int) -> None:
    model = Model(made_up=0.0)
    nobody = poses_in(model, People.nobody())
    model.sizes.clear()
    for number in range(20 + first, 40 + first, GLANCE_EVERY):
        PoseSearch(model, Motion(), 10)(frame(number), nobody)
    assert sum(size > 40 for size in model.sizes) == 2
