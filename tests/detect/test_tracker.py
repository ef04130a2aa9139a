"""Ids over time, on crowds whose people are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, People
from posegraph.detect.tracker import DEFAULT_TRACKER, LOST_FRAMES, TRACKERS, LibraryTracker
from posegraph.errors import PoseGraphError

GAP = 10
SEEN_BEFORE, SEEN_AFTER = 8, 6
ABSENT = -2


def walker(x: float, score: float = 0.9) -> People:
    return People(np.array([[x, 20.0, 30.0, 80.0]]), np.array([score]), np.array([NO_TRACK]))


def track(crowd: Any, name: str, hidden: int | None = None, first: int = 0) -> NDArray[np.int64]:
    """Ids ``[F, P]`` of a crowd of which one person is not detected for ``GAP`` frames."""
    tracker = LibraryTracker(name)
    ids = np.full(crowd.there.shape, ABSENT)
    for frame in range(len(ids)):
        without = hidden if first <= frame < first + GAP else None
        ids[frame, crowd.rows(frame, without)] = tracker.update(crowd.people(frame, without))
    return ids


def occlusions(crowd: Any, seed: int, count: int) -> list[tuple[int, int]]:
    """Some (person, first hidden frame): somebody whom the crowd shows before, during and after."""
    frames, people = crowd.there.shape
    fit = [
        (person, first)
        for person in range(people)
        for first in range(SEEN_BEFORE, frames - GAP - SEEN_AFTER)
        if crowd.there[first - SEEN_BEFORE : first + GAP + SEEN_AFTER, person].all()
    ]
    return [fit[number] for number in np.random.default_rng(seed).permutation(len(fit))[:count]]


@pytest.mark.parametrize("name", TRACKERS)
def test_identities_survive_ten_frames_of_full_occlusion(crowd: Callable[[int], Any], name: str) -> None:
    """Six people cross under a moving camera; who was hidden has the old id again in at least 8 of 10 cases."""
    kept = []
    for seed in range(8):
        for person, first in occlusions(crowd(seed), seed, 5):
            ids = track(crowd(seed), name, person, first)
            kept.append(ids[first + GAP, person] == ids[first - 1, person])
    print(f"{name}: {sum(kept)} of {len(kept)} identities survive")
    assert len(kept) == 40
    assert np.mean(kept) >= (0.85 if name == DEFAULT_TRACKER else 0.8)


@pytest.mark.parametrize("name", TRACKERS)
def test_everybody_has_an_id_of_their_own_in_every_frame(crowd: Callable[[int], Any], name: str) -> None:
    for seed in range(3):
        ids = track(crowd(seed), name)
        for frame in ids:
            seen = frame[frame != ABSENT].tolist()
            assert NO_TRACK not in seen
            assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", TRACKERS)
def test_the_id_of_the_first_frame_stays(name: str) -> None:
    tracker = LibraryTracker(name)
    assert [tracker.update(walker(10.0 + 3 * frame)).tolist() for frame in range(6)] == [[0]] * 6
    # Somebody who comes later has one at once, too.
    both = People(np.array([[28.0, 20, 30, 80], [200.0, 20, 30, 80]]), np.full(2, 0.9), np.full(2, NO_TRACK))
    assert [tracker.update(both).tolist() for _ in range(3)] == [[0, 1]] * 3


def test_who_is_away_for_too_long_is_somebody_new() -> None:
    for away, again in ((LOST_FRAMES - 1, 0), (LOST_FRAMES + 1, 1)):
        tracker = LibraryTracker()
        for _ in range(5):
            tracker.update(walker(10))
        for _ in range(away):
            assert tracker.update(People.nobody()).tolist() == []
        assert tracker.update(walker(10)).tolist() == [again]


def test_an_unsure_box_starts_no_track_but_carries_one_on() -> None:
    tracker = LibraryTracker("bytetrack", min_score=0.5)
    assert tracker.update(walker(10, 0.3)).tolist() == [NO_TRACK]
    assert tracker.update(walker(10, 0.6)).tolist() == [0]
    assert tracker.update(walker(10, 0.3)).tolist() == [0]
    twice = People(np.array([[10.0, 20, 30, 80], [12.0, 20, 30, 80]]), np.array([0.9, 0.3]), np.full(2, NO_TRACK))
    assert tracker.update(twice).tolist() == [0, NO_TRACK]


def test_scores_of_any_scale_start_tracks() -> None:
    """Some detectors' confidences are no probabilities."""
    people = People(np.array([[0.0, 0, 30, 80], [99.0, 0, 30, 80]]), np.array([-3.0, 70.0]), np.full(2, NO_TRACK))
    tracker = LibraryTracker(min_score=-np.inf)
    assert [tracker.update(people).tolist() for _ in range(2)] == [[0, 1]] * 2


def test_ids_begin_behind_those_taken_and_are_not_given_again() -> None:
    tracker = LibraryTracker(first_id=40)
    assert tracker.update(walker(10)).tolist() == [40]
    tracker.reset()
    assert tracker.update(walker(10)).tolist() == [41]
    tracker.reset()
    tracker.reset()
    assert tracker.update(walker(10)).tolist() == [42]


def test_sixty_people() -> None:
    x, y = np.meshgrid(np.arange(10) * 60.0, np.arange(6) * 100.0)
    boxes = np.stack([x.ravel(), y.ravel(), np.full(60, 40.0), np.full(60, 90.0)], axis=1)
    tracker = LibraryTracker()
    for step in range(4):
        ids = tracker.update(People(boxes + np.array([5.0 * step, 0, 0, 0]), np.full(60, 0.9), np.full(60, NO_TRACK)))
        assert ids.tolist() == list(range(60))


def test_a_name_that_is_none() -> None:
    with pytest.raises(PoseGraphError, match=r"tracker 'bytetrak'; expected one of .*; did you mean 'bytetrack'\?"):
        LibraryTracker("bytetrak")
