"""What is known of things that move, from a few small images."""

from __future__ import annotations

import numpy as np
import pytest

from posegraph.data.video import Image
from posegraph.detect.motion import BACK, MEMORY, SAMPLED, Motion

WHOLE = np.array([[0.0, 0.0, 160.0, 80.0]])


def frame(x: int, level: int = 0) -> Image:
    """A white block of 20 x 40 pixels at (x, 20), in 160 x 80."""
    image = np.full((80, 160, 3), level, np.uint8)
    image[20:60, x : x + 20] = 255
    return image


def seen(*frames: Image) -> Motion:
    motion = Motion()
    for image in frames:
        motion.add(image)
    return motion


def test_a_block_that_jumps_moves_where_it_was_and_where_it_is() -> None:
    motion = seen(frame(20), frame(100))
    boxes = np.array([[20.0, 20, 20, 40], [100, 20, 20, 40], [60, 20, 20, 40], [90, 10, 40, 60], [-50, 20, 40, 40]])
    shares = motion.share(boxes)
    assert shares is not None
    # A pixel of blur on each side: 22 x 42 of 40 x 60.
    assert shares.tolist() == pytest.approx([1, 1, 0, 22 * 42 / 2400, 0])


def test_the_small_image_is_that_of_a_large_one() -> None:
    large = [np.kron(image, np.ones((4, 4, 1), np.uint8)) for image in (frame(20), frame(100))]
    shares = seen(*large).share(4 * np.array([[20.0, 20, 20, 40], [60, 20, 20, 40]]))
    assert shares is not None
    assert shares.tolist() == [1, 0]


def test_a_moving_camera_and_a_first_frame_say_nothing() -> None:
    assert seen(frame(20)).share(WHOLE) is None
    assert seen(frame(20), frame(20, level=40)).share(WHOLE) is None
    assert seen(frame(20), frame(20, level=10)).share(WHOLE) == 0  # noise


def test_frames_of_another_size_and_a_reset_start_anew() -> None:
    motion = seen(frame(20), frame(20)[:, :100])
    assert motion.share(WHOLE) is None
    motion.add(frame(20)[:, :100])
    assert motion.share(WHOLE) == 0
    motion.reset()
    motion.add(frame(20)[:, :100])
    assert motion.share(WHOLE) is None


def test_it_depends_on_the_last_frames_alone() -> None:
    frames = [frame(7 * number) for number in range(12)]
    boxes = np.array([[x, 0.0, 16, 80] for x in range(0, 160, 16)])
    long, short = seen(*frames), seen(*frames[-BACK - 1 :])
    assert np.array_equal(long.share(boxes), short.share(boxes))  # type: ignore[arg-type]
    assert not np.array_equal(long.share(boxes), seen(*frames[-BACK:]).share(boxes))  # type: ignore[arg-type]


def test_who_walks_before_the_background_is_a_silhouette_in_one_piece() -> None:
    walk = [frame(2 * number) for number in range(MEMORY + 1)]
    # The block is at 128, and was twice among the sampled frames at most: a pixel of blur and one of closing beside.
    assert seen(*walk).silhouettes()[0].tolist() == pytest.approx([128, 20, 20, 40], abs=2)
    assert len(seen(*walk).silhouettes()) == 1


def test_silhouettes_are_told_in_pixels_of_the_image_large_ones_first() -> None:
    empty = np.zeros((320, 640, 3), np.uint8)
    shown = empty.copy()
    shown[80:240, 400:480] = 200
    shown[100:180, 100:140] = 60
    shown[300:312, 300:312] = 200  # too small for a person
    found = seen(*[empty] * 9, shown).silhouettes()
    assert found.tolist() == [pytest.approx([400, 80, 80, 160], abs=8), pytest.approx([100, 100, 40, 80], abs=8)]


def test_no_silhouettes_where_nothing_or_everything_changes() -> None:
    assert seen().silhouettes().shape == seen(frame(20)).silhouettes().shape == (0, 4)
    assert seen(*[frame(20)] * 5, frame(20, level=10)).silhouettes().shape == (0, 4)  # noise
    assert seen(*[frame(20)] * 5, frame(20, level=90)).silhouettes().shape == (0, 4)  # the light
    assert seen(*[frame(20)] * 5, frame(100)[:, :100]).silhouettes().shape == (0, 4)  # another size


def test_who_stays_becomes_background_and_silhouettes_depend_on_the_last_frames_alone() -> None:
    stays = [*[frame(20)] * 9, *[frame(100)] * (MEMORY // 2 + 2 * SAMPLED)]
    assert seen(*stays[:12]).silhouettes().shape == (2, 4)  # where the block is, and where it was
    assert seen(*stays).silhouettes().shape == (0, 4)
    long = [frame(7 * number % 140) for number in range(MEMORY + 20)]
    assert np.array_equal(seen(*long).silhouettes(), seen(*long[-MEMORY - 1 :]).silhouettes())
