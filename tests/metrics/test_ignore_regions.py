"""Ignore regions: what lies inside, and what is left of people."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegraph.metrics.ignore_regions import inside_polygon, outside_ignore_regions
from posegraph.metrics.people import video_pairs


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((2, 2), True),
        ((0, 0), False),
        ((4, 2), False),
        ((2, 0), False),
        ((5, 2), False),
        ((-1, 0), False),
        ((3, 1), True),
    ],
)
def test_inside_a_square_but_not_on_its_border(point: tuple[float, float], inside: bool) -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], dtype=np.float64)
    for polygon in (square, square[::-1], np.concatenate([square, square[:1]])):
        assert bool(inside_polygon(np.array(point, dtype=np.float64), polygon)) is inside


def test_even_odd_rule_and_degenerate_polygons() -> None:
    star = np.array([[np.sin(4 * np.pi * k / 5), np.cos(4 * np.pi * k / 5)] for k in range(5)])
    assert inside_polygon(np.array([[0, 0], [0, 0.8]]), star).tolist() == [False, True]
    line = np.array([[0.0, 0], [4, 0]])
    assert not inside_polygon(np.array([[1.0, 0]]), line).any()
    assert not inside_polygon(np.array([[1.0, 0]]), np.zeros((0, 2))).any()


def test_one_polygon_for_each_point(build: SimpleNamespace) -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], dtype=np.float64)
    polygons = np.stack([square, square + 10])
    points = np.array([[2, 2], [12, 12]], dtype=np.float64)
    assert inside_polygon(points, polygons).tolist() == [True, True]
    assert inside_polygon(points[:, None], polygons[None]).tolist() == [[True, False], [False, True]]


def test_joints_inside_are_dropped_and_people_who_lose_all_of_them(build: SimpleNamespace) -> None:
    square, triangle = [[-5, -5], [5, -5], [5, 5], [-5, 5]], [[90, -9], [110, -9], [100, 9]]
    video = build.video(2, polygons=(square, triangle, [[50, 50], [60, 60]]))
    people = [
        build.person(1, 0, [(0, 0), (50, 50)]),
        build.person(2, 0, [(1, 1), (100, 0)]),
        build.person(3, 1, [(20, 20), (100, 0)]),
        build.person(4, 1, [None, None]),
    ]
    pair = next(video_pairs(build.tracks(people, video), build.tracks([], video)))
    left = outside_ignore_regions(pair.truth, video)
    assert left.track_id.tolist() == [1, 3]
    assert left.given.tolist() == [[False, True], [True, False]]
