"""Which parts of a frame are looked at, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.detect.windows import FINEST, SIZES, search_windows, windows_to_search

HW = (80, 100)


def middles(windows: NDArray[np.float64]) -> list[list[float]]:
    return (windows[:, :2] + windows[:, 2:] / 2).tolist()


def test_windows_of_half_overlap_from_edge_to_edge() -> None:
    # As large as fits: 60 x 80; 40 pixels are left over, and a step may be 30.
    assert search_windows(HW, 1.0).tolist() == [[0, 0, 60, 80], [20, 0, 60, 80], [40, 0, 60, 80]]
    across = [0, 14, 28, 42, 56, 70]
    assert search_windows(HW, 0.5).tolist() == [pytest.approx([x, y, 30, 40]) for y in (0, 20, 40) for x in across]
    assert search_windows((100, 60), 1.0).tolist() == [[0, 0, 60, 80], [0, 20, 60, 80]]


def test_the_cost_of_a_search_is_bounded() -> None:
    """A frame of 16:9 has 90 windows, whatever its size, and 189 of the finest."""
    for hw in ((360, 640), (2160, 3840)):
        assert [len(search_windows(hw, size)) for size in (*SIZES, FINEST)] == [4, 21, 65, 189]
        assert len(windows_to_search(hw, lambda windows: None, 150, 0)) == 90
        assert len(windows_to_search(hw, lambda windows: np.ones(len(windows)), 150, 0)) == 150
    assert len(windows_to_search((500, 4000), lambda windows: None, 150, 0)) <= 150


def test_where_something_moves_comes_first() -> None:
    def moving(windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of a point at (50, 25), and less of one at (10, 70)."""

        def has(x: float, y: float) -> NDArray[np.bool_]:
            low, high = windows[:, :2], windows[:, :2] + windows[:, 2:]
            return np.asarray(((low <= (x, y)) & (high >= (x, y))).all(axis=1))

        return np.where(has(50, 25), 0.5, np.where(has(10, 70), 0.1, 0.04))

    chosen = windows_to_search(HW, moving, 1000, 0)
    shares = moving(chosen)
    moved = int((shares >= 0.05).sum())
    assert (np.diff(shares[:moved]) <= 0).all()
    sizes = np.round(chosen[:, 3] / 80, 3)
    assert set(sizes[:moved]) == {1.0, 0.6, 0.36, 0.216}
    # Beyond, nothing moves: no finest ones, large ones first.
    assert set(sizes[moved:]) == {0.6, 0.36}
    assert (np.diff(sizes[moved:]) <= 0).all()
    few = windows_to_search(HW, moving, 5, 3)
    assert few.tolist() == chosen[:5].tolist()


def test_windows_that_do_not_fit_into_one_search_take_turns() -> None:
    every = middles(windows_to_search(HW, lambda windows: None, 1000, 0))
    turns = [middles(windows_to_search(HW, lambda windows: None, 20, turn)) for turn in range(5)]
    assert all(len(turn) <= 20 for turn in turns)
    assert sorted(turns[0] + turns[1] + turns[2] + turns[3]) == sorted(every)
    assert turns[4] == turns[0]
