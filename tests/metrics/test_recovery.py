"""Time to recover after an occlusion: histories by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posegraph.errors import PoseGraphError
from posegraph.metrics import recovery
from posegraph.metrics.recovery import Occlusions, occlusions

STATES = {"s": 1, "u": 0, "?": 2}


def of(state: str, right: str, min_hidden: int = 2, stay: int = 2) -> Occlusions:
    """``s`` seen, ``u`` unseen, ``?`` not known; ``+`` the prediction is right."""
    found = np.array([STATES[letter] for letter in state], dtype=np.int8)
    return occlusions(found, np.array([sign == "+" for sign in right]), min_hidden, stay)


@pytest.mark.parametrize(
    ("state", "right", "expected"),
    [
        ("suuss", "+--++", Occlusions(frames=(0,))),  # right at once
        ("suussss", "+----++", Occlusions(frames=(2,))),
        ("suussss", "+--+-++", Occlusions(frames=(2,))),  # right once does not count: it must stay right
        ("suusss", "+-----", Occlusions(never=1)),
        ("suusss", "+--+--", Occlusions(never=1)),  # right, then wrong up to the end
        ("suusss", "+----+", Occlusions(undecided=1)),  # right in the last frame: it might have stayed so
        ("suus", "+--+", Occlusions(undecided=1)),  # the stretch is shorter than it must stay right
        ("suus", "+---", Occlusions(undecided=1)),
        ("suusus", "++++++", Occlusions(undecided=1)),  # hidden again before it could stay right
        ("suus?s", "++++++", Occlusions(undecided=1)),
        ("susss", "+-+++", Occlusions()),  # one frame is no occlusion of two
        ("uusss", "--+++", Occlusions()),  # never seen before
        ("ssuu", "++--", Occlusions()),  # never seen again
        ("suu?ss", "+---++", Occlusions()),  # not known when it ended
        ("s?uuss", "+---++", Occlusions(frames=(0,))),
        ("suussuusss", "+--++----+", Occlusions(frames=(0,), undecided=1)),
    ],
)
def test_histories(state: str, right: str, expected: Occlusions) -> None:
    assert of(state, right) == expected


def test_figures_of_several() -> None:
    some = Occlusions(frames=(0, 1, 5), never=1, undecided=2)
    assert some.figures == {
        "occlusions": 6,
        "recovered": 3,
        "never_recovered": 1,
        "undecided": 2,
        "mean_frames": 2,
        "median_frames": 1,
        "share_never_recovered": 0.25,
    }
    assert np.isnan(Occlusions(undecided=1).figures["share_never_recovered"])


def track(build: SimpleNamespace, visibility: list[Any], points: list[Any] | None = None, frames: int = 8) -> Any:
    """Joint a of a person who is not in the file at ``None``; b is always seen."""
    video = build.video(frames)
    spots = points or [(50.0, 50.0)] * len(visibility)
    people = [
        build.person(1, frame, [None if seen == "absent" else spots[frame], (9.0, 9.0)],
                     visibility=[0 if seen == "absent" else seen, 1])
        for frame, seen in enumerate(visibility) if seen is not None
    ]  # fmt: skip
    return build.tracks(people, video)


def test_a_track_that_is_late_by_two_frames(build: SimpleNamespace) -> None:
    truth = track(build, [1, 0, 0, 0, 1, 1, 1, 1])
    late = [(50, 50)] + [(80, 50)] * 5 + [(65, 50), (60, 50)]  # half a head size is 15 px
    result = recovery(truth, track(build, [1] * 8, late), min_hidden=3, stay=2)
    assert result.per_joint["a"] == Occlusions(frames=(2,))
    assert result.per_joint["b"] == Occlusions()
    assert result.in_all.figures["mean_frames"] == 2
    assert (result.reference, result.alpha, result.min_hidden, result.stay) == ("head_box", 0.5, 3, 2)
    # 30 px is a whole head size, so that all is right within 1; the last two frames are 15 and 10 px off.
    assert recovery(truth, track(build, [1] * 8, late), alpha=1.0, stay=2).in_all == Occlusions(frames=(0,))
    assert recovery(truth, track(build, [1] * 8, late), alpha=0.01, stay=2).in_all == Occlusions(never=1)


@pytest.mark.parametrize("hidden", [0, "absent", None])
def test_an_occluded_an_unannotated_joint_and_an_absent_person_are_unseen(build: SimpleNamespace, hidden: Any) -> None:
    truth = track(build, [1, hidden, hidden, hidden, 1, 1, 1, 1])
    result = recovery(truth, truth)
    assert result.per_joint["a"] == Occlusions(frames=(0,))
    assert len(result.per_joint["b"].frames) == (hidden is None)


def test_people_are_kept_apart_and_counted_together(build: SimpleNamespace) -> None:
    video = build.video(8)
    seen = [1, 0, 0, 0, 1, 1, 1, 1]
    truth = build.tracks(
        [
            build.person(person, frame, [(spot, 0.0), None], visibility=[seen[frame], 0])
            for person, spot in ((1, 0.0), (2, 900.0)) for frame in range(8)
        ],
        video,
    )  # fmt: skip
    found = build.tracks([build.person(1, frame, [(0.0, 0.0), None]) for frame in range(8)], video)
    assert recovery(truth, found).per_joint["a"] == Occlusions(frames=(0,), never=1)


def test_without_visibility_it_says_so(build: SimpleNamespace) -> None:
    silent = track(build, [-1] * 8)
    for one in silent:
        one.visibility[:] = -1
    with pytest.raises(PoseGraphError, match=r"no joint that is said to be seen or occluded, .* leave this metric out"):
        recovery(silent, silent)


def test_numbers_out_of_range(build: SimpleNamespace) -> None:
    truth = track(build, [1] * 8)
    for name, value in (("alpha", 0), ("min_hidden", 0), ("stay", 0)):
        with pytest.raises(PoseGraphError, match=f"{name}: found 0, expected"):
            recovery(truth, truth, **{name: value})
