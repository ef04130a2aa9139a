"""Who belongs to whom."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from posegraph.metrics import pck
from posegraph.metrics.matching import same_frame_pairs, shared_ids
from posegraph.metrics.people import video_pairs

LEFT, RIGHT = (0.0, 0.0, 50.0, 50.0), (200.0, 0.0, 50.0, 50.0)
P, Q = (25.0, 25.0), (225.0, 25.0)


def test_pairs_of_a_frame(build: SimpleNamespace) -> None:
    video = build.video(3)
    truth = build.tracks([build.person(track, frame, [P, P]) for track, frame in ((1, 0), (2, 2), (1, 2))], video)
    found = build.tracks([build.person(track, frame, [P, P]) for track, frame in ((5, 1), (6, 2), (5, 2))], video)
    pair = next(video_pairs(truth, found))
    assert (pair.truth.frame.tolist(), pair.truth.track_id.tolist()) == ([0, 2, 2], [1, 2, 1])
    pairs = same_frame_pairs(pair.truth, pair.predicted)
    assert (pairs.predicted.tolist(), pairs.truth.tolist()) == ([1, 1, 2, 2], [1, 2, 1, 2])


def test_ids_are_shared_only_where_the_boxes_agree(build: SimpleNamespace) -> None:
    """A tracker that counts from 0 has the ground truth's numbers, but not its people."""
    video = build.video(1)
    truth = build.tracks([build.person(0, 0, [P, P], box=LEFT), build.person(1, 0, [Q, Q], box=RIGHT)], video)
    same = build.tracks([build.person(0, 0, [P, P], box=LEFT), build.person(1, 0, [Q, Q], box=RIGHT)], video)
    swapped = build.tracks([build.person(1, 0, [P, P], box=LEFT), build.person(0, 0, [Q, Q], box=RIGHT)], video)
    other = build.tracks([build.person(7, 0, [P, P], box=LEFT)], video)
    unknown = build.tracks([build.person(0, 0, [Q, Q], box=None)], video)
    assert [shared_ids(truth, found) for found in (same, swapped, other, unknown)] == [True, False, False, True]
    assert pck(truth, swapped).table["Mean"] == 100
    assert pck(truth, swapped, match="track_id").table["Mean"] == 0


def test_a_prediction_in_a_frame_without_people_says_nothing_about_ids(build: SimpleNamespace) -> None:
    video = build.video(2)
    truth = build.tracks([build.person(0, 0, [P, P])], video)
    assert shared_ids(truth, build.tracks([build.person(9, 1, [P, P])], video))
    assert not shared_ids(truth, build.tracks([build.person(9, 0, [P, P])], video))


@pytest.mark.parametrize("rows", [[1, 0], [0, 1]])
def test_people_of_a_frame_are_in_the_order_of_their_file(build: SimpleNamespace, rows: list[int]) -> None:
    video = build.video(2)
    people = [build.person(track, 1, [P, P]) for track in rows]
    first = build.person(5, 0, [P, P])
    truth = build.tracks([*people, first], video)
    assert next(video_pairs(truth, truth)).truth.track_id.tolist() == [5, *rows]
