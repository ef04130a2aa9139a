"""Where people are looked for in a frame about which nothing is known: boxes of several sizes, side by side.

# n windows
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SIZES = (1.0, 0.6, 0.36)
"""Of windows, as shares of the largest one that fits into the frame."""

FINEST = 0.216
"""Of the windows that are looked at only where something moves."""

ASPECT = 3 / 4
"""Width to height: of the crops that models of people take."""

OVERLAP = 0.5
"""Of neighbouring windows, at least."""

LEAST_MOVING = 0.05
"""Share of a window that has to move for the window to come before the others."""


def search_windows(image_hw: tuple[int, int], size: float) -> Float:
    """``[n, 4]`` windows (x, y, w, h) of one size, row by row, evenly from edge to edge of the frame."""
    height, width = image_hw
    high = min(height, width / ASPECT) * size
    wide = high * ASPECT
    return np.array([(x, y, wide, high) for y in _starts(height, high) for x in _starts(width, wide)])


def windows_to_search(
    image_hw: tuple[int, int], moving: Callable[[Float], Float | None], most: int, turn: int
) -> Float:
    """At most ``most`` windows: those in which something moves, most of it first, then others, large ones first.

    Args:
        image_hw: Height and width of the frame.
        moving: Windows -> the share of each that moves; None where that cannot be told.
        most: How many.
        turn: Number of the search. Where not all the others fit, each search has every k-th of them.
    """
    windows = np.concatenate([search_windows(image_hw, size) for size in SIZES])
    shares = moving(windows)
    if shares is None:
        return _in_turn(windows, most, turn)
    finest = search_windows(image_hw, FINEST)
    finest_shares = moving(finest)
    assert finest_shares is not None  # told of the frame, not of the windows; for mypy
    everywhere, all_shares = np.concatenate([windows, finest]), np.concatenate([shares, finest_shares])
    order = np.argsort(-all_shares, kind="stable")
    first = order[all_shares[order] >= LEAST_MOVING][:most]
    return np.concatenate([everywhere[first], _in_turn(windows[shares < LEAST_MOVING], most - len(first), turn)])


def _in_turn(windows: Float, most: int, turn: int) -> Float:
    if most == 0 or len(windows) <= most:
        return windows[:most]
    step = -(-len(windows) // most)
    return windows[turn % step :: step]


def _starts(side: float, window: float) -> Float:
    """Where windows along one side begin."""
    steps = np.ceil((side - window) / (window * (1 - OVERLAP)) - 1e-9)
    return np.linspace(0.0, side - window, int(steps) + 1)
