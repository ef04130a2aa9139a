"""When a crop stays and where it goes, on a square input, where an 80 x 80 box leaves 10 pixels around it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.config import StreamConfig
from posegraph.engine.anchor import Anchor

BOX = np.array([100.0, 100, 80, 80])


def anchor(**settings: object) -> Anchor:
    return Anchor(BOX, 0, StreamConfig(**settings), input_hw=(64, 64), box_scale=1.25)


def moved(x: float, y: float = 0, grown: float = 1) -> NDArray[np.float64]:
    """The box, moved, and grown about its centre."""
    return np.array([100 + x + 40 * (1 - grown), 100 + y + 40 * (1 - grown), 80 * grown, 80 * grown])


def test_first_region_is_evaluations() -> None:
    assert anchor().region_xywh.tolist() == [90, 90, 100, 100]


@pytest.mark.parametrize(
    ("hysteresis", "box", "stays"),
    [
        (1, moved(10), True),  # touches the edge
        (1, moved(10.1), False),
        (1, moved(0, -10), True),
        (1, moved(0, -10.1), False),
        (0.5, moved(5), True),
        (0.5, moved(5.1), False),
        (2, moved(20), True),  # half of the room's width sticks out
        (0, moved(1e-6), False),
        # A box that grew has less room: 100 - 88 is 6 on each side.
        (1, moved(6, grown=1.1), True),
        (1, moved(6.1, grown=1.1), False),
    ],
)
def test_a_crop_stays_while_the_box_keeps_to_its_share_of_the_room(
    hysteresis: float, box: NDArray[np.float64], stays: bool
) -> None:
    track = anchor(hysteresis=hysteresis, lead=0)
    assert track.follow(box, 1) is not stays
    own = [*(box[:2] - 0.125 * box[2:]), *(1.25 * box[2:])]
    np.testing.assert_allclose(track.region_xywh, [90, 90, 100, 100] if stays else own, atol=1e-9)


@pytest.mark.parametrize(("grown", "stays"), [(1 / 1.29, True), (1 / 1.31, False), (1 / 0.91, True), (1 / 0.89, False)])
def test_a_crop_stays_while_its_size_fits(grown: float, stays: bool) -> None:
    assert anchor(hysteresis=1, size_range=(0.9, 1.3)).follow(moved(0, grown=grown), 1) is not stays


def test_a_still_person_keeps_the_crop_without_hysteresis() -> None:
    """The key frame's own crop is then the one before."""
    assert not anchor(hysteresis=0).follow(BOX, 1)


def test_a_new_crop_is_placed_ahead_of_the_motion() -> None:
    # One step of 100 pixels, of which the estimate takes 0.3: 30 a frame, far beyond a quarter of 10 pixels.
    track = anchor(hysteresis=1, lead=0.25)
    assert track.follow(moved(100), 1)
    assert track.region_xywh.tolist() == [190 + 2.5, 90, 100, 100]
    # Slow motion is followed as far as ten frames take it: 0.3 * 0.5 pixels a frame.
    track = anchor(hysteresis=0.02, lead=1)
    assert track.follow(moved(-0.5), 1)
    np.testing.assert_allclose(track.region_xywh, [89.5 - min(1.5, 0.2), 90, 100, 100])


def test_motion_over_missing_frames_is_a_frames_share() -> None:
    track = anchor(hysteresis=1, lead=1)
    assert track.follow(moved(20), 20)  # 1 a frame, of which the estimate takes 0.3: 3 pixels in ten frames
    np.testing.assert_allclose(track.region_xywh, [113, 90, 100, 100])
