"""The frames in which a prediction fails most."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegraph.errors import PoseGraphError
from posegraph.metrics import worst_frames

A, B = (50.0, 50.0), (80.0, 50.0)


def test_errors_of_every_frame(build: SimpleNamespace) -> None:
    video = build.video(4)
    truth = build.tracks([build.person(1, frame, [A, B]) for frame in range(3)], video)
    found = build.tracks(
        [
            build.person(1, 0, [(53, 54), B]),  # 5 px of a head size of 30 px
            build.person(1, 1, [(50, 110), B]),  # 60 px: a joint missed, and a false positive
            build.person(2, 1, [(900, 900), None]),
            build.person(1, 3, [A, B]),  # nobody is annotated there
        ],
        video,
    )
    worst = worst_frames(truth, found)
    assert [(one.frame, one.file, one.wrong) for one in worst] == [
        (1, "000001.jpg", 3), (2, "000002.jpg", 2), (0, "000000.jpg", 0),
    ]  # fmt: skip
    first, second, third = worst
    assert (first.people, first.predicted_people, first.annotated) == (1, 2, 2)
    assert (first.missed, first.false_positives, first.error) == (1, 2, pytest.approx(2 / 2))
    assert (second.missed, second.false_positives) == (2, 0)
    assert np.isnan(second.error)
    assert third.error == pytest.approx(5 / 30 / 2)


def test_orders_and_the_number_of_frames(build: SimpleNamespace) -> None:
    videos = [build.video(1, name=name) for name in ("one", "two", "three")]
    truth = build.merge(*(build.tracks([build.person(1, 0, [A, B])], video) for video in videos))
    guesses = ([[A, (85, 50)]], [], [[A, B], [(900, 900), (900, 900)]])
    found = build.merge(
        *(
            build.tracks([build.person(row, 0, points) for row, points in enumerate(some)], video)
            for some, video in zip(guesses, videos, strict=True)
        )
    )
    orders = {
        by: [one.video for one in worst_frames(truth, found, n=2, by=by)]
        for by in ("wrong", "error", "missed", "false_positives")
    }
    assert orders == {
        "wrong": ["two", "three"],
        "error": ["one", "three"],
        "missed": ["two", "one"],
        "false_positives": ["three", "one"],
    }
    with pytest.raises(PoseGraphError, match="n: found 0, expected a number of frames of at least 1"):
        worst_frames(truth, found, n=0)
