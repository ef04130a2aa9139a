"""Which boxes can be cropped."""

from __future__ import annotations

from collections import Counter

import numpy as np

from posegraph.data.people import NO_TRACK, People
from posegraph.detect.usable import usable_people

HW = (100, 200)


def found(boxes: list[list[float]], ids: list[int] | None = None, scores: list[float] | None = None) -> People:
    count = len(boxes)
    return People(
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(scores or [1.0] * count),
        np.array(ids or [NO_TRACK] * count, dtype=np.int64),
    )


def test_bad_boxes_are_counted_by_reason() -> None:
    nan, inf = float("nan"), float("inf")
    boxes = [
        [10, 10, 20, 30],
        [nan, 10, 20, 30],
        [10, 10, inf, 30],
        [10, 10, 0, 30],
        [10, 10, 20, -1],
        [200, 10, 20, 30],  # begins where the image ends
        [-30, 10, 20, 30],
        [190, 90, 50, 50],  # a corner of it is inside
        [-50, -50, 400, 300],
    ]
    dropped: Counter[str] = Counter({"box outside the image": 1})
    kept = usable_people(found(boxes), HW, dropped)
    assert kept.boxes_xywh.tolist() == [boxes[0], boxes[7], boxes[8]]
    assert dropped == {"box with NaN or infinity": 2, "box of zero area": 2, "box outside the image": 3}


def test_a_score_that_is_no_number_is_no_use() -> None:
    dropped: Counter[str] = Counter()
    assert len(usable_people(found([[1, 1, 2, 2]], scores=[float("nan")]), HW, dropped).scores) == 0
    assert dropped == {"box with NaN or infinity": 1}


def test_the_better_of_two_boxes_of_a_track_is_kept() -> None:
    people = found(
        [[1, 1, 5, 5], [2, 1, 5, 5], [3, 1, 5, 5], [4, 1, 5, 5]], [7, 7, NO_TRACK, NO_TRACK], [0.4, 0.9, 0.1, 0.1]
    )
    dropped: Counter[str] = Counter()
    kept = usable_people(people, HW, dropped)
    assert (kept.boxes_xywh[:, 0].tolist(), kept.track_ids.tolist()) == ([2, 3, 4], [7, NO_TRACK, NO_TRACK])
    assert dropped == {"second box of a track in one frame": 1}


def test_a_bad_box_does_not_push_out_a_good_one_of_its_track() -> None:
    people = found([[1, 1, 0, 5], [2, 1, 5, 5]], [7, 7], [0.9, 0.4])
    assert usable_people(people, HW, Counter()).boxes_xywh.tolist() == [[2, 1, 5, 5]]


def test_nobody() -> None:
    assert len(usable_people(People.nobody(), HW, Counter()).scores) == 0
