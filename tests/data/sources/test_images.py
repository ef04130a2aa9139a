"""Folders and patterns of images as sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.sources import open_frames
from posegraph.errors import PoseGraphError

from .conftest import shown


def test_images_in_the_order_that_people_count(images: Callable[..., Path]) -> None:
    with open_frames(images()) as source:
        frames = list(source)
    assert (source.name, source.fps, source.num_frames, source.live) == ("frames", 25.0, 12, False)
    assert [frame.name for frame in frames] == [f"{number}.png" for number in range(1, 13)]
    assert [frame.number for frame in frames] == [shown(frame.image) for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames][:3] == [0.0, 0.04, 0.08]


def test_from_a_frame_on_with_another_rate(images: Callable[..., Path]) -> None:
    with open_frames(images(), fps=10) as source:
        assert [(frame.number, shown(frame.image), frame.time_s) for frame in source.frames(10)] == [
            (10, 10, 1.0),
            (11, 11, 1.1),
        ]


def test_a_pattern_and_a_single_image(images: Callable[..., Path]) -> None:
    folder = images()
    with open_frames(str(folder / "1*.png")) as source:
        assert source.name == "frames"
        assert [shown(frame.image) for frame in source] == [0, 9, 10, 11]
    with open_frames(folder / "3.png") as source:
        assert [(frame.name, shown(frame.image)) for frame in source] == [("3.png", 2)]
    with pytest.raises(PoseGraphError, match=r"\*\.jpg: no image matches; expected a pattern"):
        open_frames(str(folder / "*.jpg"))


def test_images_that_cannot_be_read_are_gaps(images: Callable[..., Path]) -> None:
    folder = images()
    for number in (4, 5, 6, 9):
        (folder / f"{number}.png").write_bytes(b"no image")
    with open_frames(folder) as source:
        assert [frame.number for frame in source] == [0, 1, 2, 6, 7, 9, 10, 11]
    cure = "and left out; copy the images again or take them out of the folder"
    assert source.problems == [
        f"frames: frames 3-5 cannot be read (4.png is no whole image) {cure}",
        f"frames: frame 8 cannot be read (9.png is no whole image) {cure}",
    ]


def test_more_gaps_than_lines(images: Callable[..., Path]) -> None:
    folder = images(count=1)
    for number in range(2, 302):
        target = folder / f"{number}.png"
        target.write_bytes(b"no image" if number % 2 else (folder / "1.png").read_bytes())
    with open_frames(folder) as source:
        assert len(list(source)) == 151
    assert len(source.problems) == 101
    assert source.problems[99].startswith("frames: frame 200 cannot be read (201.png")
    assert source.problems[100] == "frames: 50 more such stretches, the last of frame 300"


def test_sizes_may_differ_and_other_files_are_no_frames(images: Callable[..., Path]) -> None:
    folder = images(count=2)
    cv2.imwrite(str(folder / "3.JPG"), np.zeros((40, 50, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "4.png"), np.zeros((40, 50), dtype=np.uint8))
    cv2.imwrite(str(folder / ".5.png"), np.zeros((40, 50, 3), dtype=np.uint8))
    (folder / "notes.txt").write_text("")
    (folder / "deeper").mkdir()
    with open_frames(folder) as source:
        assert [frame.image.shape for frame in source] == [(32, 96, 3), (32, 96, 3), (40, 50, 3), (40, 50, 3)]


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"no image in it; expected one image a frame \(\.bmp, "):
        open_frames(tmp_path)
