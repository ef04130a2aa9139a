"""Movies as sources: every frame once under its own number, and damage told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.movies import MovieReader
from posegraph.data.sources import FrameSource, open_frames
from posegraph.errors import PoseGraphError

from .conftest import FRAMES, shown, write_movie


@pytest.mark.parametrize("kind", ["avi", "mp4"])
def test_every_frame_once(movies: dict[str, Path], kind: str) -> None:
    with open_frames(movies[kind]) as source:
        frames = list(source)
    assert (source.name, source.fps, source.num_frames, source.live) == ("walk", 25.0, FRAMES, False)
    assert [frame.number for frame in frames] == [shown(frame.image) for frame in frames] == list(range(FRAMES))
    assert [frame.name for frame in frames[:2]] == [f"walk.{kind}#0", f"walk.{kind}#1"]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(FRAMES) / 25, atol=1e-3)
    assert source.problems == []


@pytest.mark.parametrize("kind", ["avi", "mp4"])
@pytest.mark.parametrize("first", [1, 13, FRAMES - 1])
def test_it_starts_at_a_frame_with_the_same_pixels(movies: dict[str, Path], kind: str, first: int) -> None:
    with open_frames(movies[kind]) as source:
        whole, rest = list(source), list(source.frames(first))
    assert [frame.number for frame in rest] == list(range(first, FRAMES))
    for ours, theirs in zip(rest, whole[first:], strict=True):
        assert np.array_equal(ours.image, theirs.image)
        assert (ours.time_s, ours.name) == (theirs.time_s, theirs.name)


def test_frames_per_second_can_be_said(movies: dict[str, Path]) -> None:
    with open_frames(movies["mp4"], fps=50) as source:
        assert source.fps == 50
        assert [frame.time_s for frame in source][:3] == [0.0, 0.02, 0.04]


def damage_images(path: Path, numbers: Iterable[int], head: int = 0) -> Path:
    """Overwrite JPEGs inside a movie of single images, and ``head`` bytes before each: 8 are its chunk's header."""
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(rb"\xff\xd8\xff", data)]
    assert len(starts) == FRAMES
    for start in (starts[number] for number in numbers):
        length = int.from_bytes(data[start - 4 : start], "little")
        data[start - head : start + length] = bytes(head + length)
    damaged = path.with_name("damaged.avi")
    damaged.write_bytes(data)
    return damaged


@pytest.mark.parametrize(
    ("lost", "line"),
    [
        (range(20, 23), "damaged.avi: frames 20-22 cannot be read (not decodable) and left out; "),
        (range(7, 8), "damaged.avi: frame 7 cannot be read (not decodable) and left out; "),
        (range(0, 2), "damaged.avi: frames 0-1 cannot be read (not decodable) and left out; "),
        (range(5, 45), "damaged.avi: frames 5-44 cannot be read (not decodable) and left out; "),
    ],
)
def test_a_damaged_stretch_is_a_gap(movies: dict[str, Path], lost: range, line: str) -> None:
    with open_frames(damage_images(movies["avi"], lost)) as source:
        frames = list(source)
        assert [frame.number for frame in frames] == [shown(frame.image) for frame in frames]
        assert [frame.number for frame in frames] == [number for number in range(FRAMES) if number not in lost]
        assert source.problems == [line + "the file is damaged there: copy it again"]
        again = list(source.frames(30))
    assert [frame.number for frame in again] == [number for number in range(30, FRAMES) if number not in lost]
    assert len(source.problems) == 1


def test_two_damaged_stretches_are_two_lines(movies: dict[str, Path]) -> None:
    with open_frames(damage_images(movies["avi"], [3, 30, 31])) as source:
        assert [frame.number for frame in source] == [n for n in range(FRAMES) if n not in (3, 30, 31)]
    assert [line.split(" cannot")[0] for line in source.problems] == [
        "damaged.avi: frame 3",
        "damaged.avi: frames 30-31",
    ]


def test_frames_whose_place_is_lost_are_counted_at_the_end(movies: dict[str, Path]) -> None:
    with open_frames(damage_images(movies["avi"], [7], head=8)) as source:
        assert shown(list(source)[-1].image) == FRAMES - 1
    assert "ends after 49 frames, its header promises 50" in source.problems[-1]


def test_a_frame_of_a_damaged_movie_by_its_number(movies: dict[str, Path]) -> None:
    reader = MovieReader(damage_images(movies["avi"], [20, 21, 22]))
    for frame in (40, 19, 23, 21, 3, 48, 20, 22, 24, 0):
        if frame in (20, 21, 22):
            with pytest.raises(PoseGraphError, match=rf"damaged\.avi: frame {frame} cannot be decoded"):
                reader.read(frame)
        else:
            assert shown(reader.read(frame)) == frame


def test_a_damaged_end(movies: dict[str, Path]) -> None:
    with open_frames(damage_images(movies["avi"], range(45, FRAMES))) as source:
        assert [frame.number for frame in source][-1] == 44
    assert source.problems == [
        "damaged.avi: ends after 45 frames, its header promises 50: it is cut off, or has lost frames inside; copy or "
        "record it again"
    ]


def test_a_movie_that_was_cut_off(movies: dict[str, Path], tmp_path: Path) -> None:
    whole = movies["avi"].read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with open_frames(tmp_path / "cut.avi") as source:
        frames = list(source)
    assert 10 < len(frames) < 25
    assert [frame.number for frame in frames] == list(range(len(frames)))
    # The last picture is half a picture.
    assert [shown(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert f"ends after {len(frames)} frames, its header promises 50" in source.problems[-1]


def test_no_movie(movies: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no movie")
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "header.avi").write_bytes(movies["avi"].read_bytes()[:5000])
    for name in ("text.mp4", "empty.avi"):
        with pytest.raises(PoseGraphError, match=rf"{name}: cannot be decoded; expected a movie such as \.mp4"):
            open_frames(tmp_path / name)
    with pytest.raises(PoseGraphError, match="no such file or folder; expected a movie, a folder of images"):
        open_frames(tmp_path / "none.mp4")
    with pytest.raises(PoseGraphError, match="-1 frames a second; expected a number above 0"):
        open_frames(movies["avi"], fps=-1)


def test_leaving_early_ends_the_thread(movies: dict[str, Path]) -> None:
    before = threading.active_count()
    with open_frames(movies["mp4"]) as source:
        for frame in source:
            if frame.number == 3:
                break
    assert threading.active_count() == before
    frames = open_frames(movies["mp4"]).frames()
    next(frames)
    assert threading.active_count() == before + 1
    frames.close()
    assert threading.active_count() == before


def test_closing_while_frames_are_read(movies: dict[str, Path]) -> None:
    source = open_frames(movies["mp4"])
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []
    source.close()


def test_an_error_of_the_reading_thread_reaches_the_user(movies: dict[str, Path], tmp_path: Path) -> None:
    path = write_movie(tmp_path / "gone.avi", "MJPG", 5)
    source = open_frames(path)
    path.unlink()
    with pytest.raises(PoseGraphError, match=r"gone\.avi: no such file"):
        list(source)


def in_a_row(path: Path) -> list[np.ndarray]:
    capture, images = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        images.append(cv2.resize(read[1], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST))
    return images


def small(source: FrameSource, first: int = 0) -> dict[int, np.ndarray]:
    return {
        frame.number: cv2.resize(frame.image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
        for frame in source.frames(first)
    }


@pytest.mark.parametrize("name", ["pose2sim_single_cam01.mp4", "opencv_vtest.avi"])
def test_real_movies_are_whole(real_data: Path, name: str) -> None:
    expected = in_a_row(real_data / "videos" / name)
    first = len(expected) - 40
    with open_frames(real_data / "videos" / name) as source:
        found = small(source, first)
    assert source.num_frames == len(expected)
    assert list(found) == list(range(first, len(expected)))
    assert all(np.array_equal(image, expected[number]) for number, image in found.items())
    assert source.problems == []


def test_a_real_movie_goes_on_behind_a_damaged_stretch(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "videos" / "sam2_juggle.mp4"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 30] = bytes(len(data) // 30)
    (tmp_path / "damaged.mp4").write_bytes(data)
    expected = in_a_row(path)
    with open_frames(tmp_path / "damaged.mp4") as source:
        frames = [(frame.number, frame.time_s) for frame in source]
    found = {number for number, _ in frames}
    lost = [number for number in range(len(expected)) if number not in found]
    assert 0 < len(lost) < 30
    assert lost[-1] < len(expected) - 100
    assert all(time_s == pytest.approx(number / 24, abs=1e-3) for number, time_s in frames)
    told = [re.search(r"frames? (\d+)(?:-(\d+))?", line) for line in source.problems]
    assert lost == [n for match in told if match for n in range(int(match[1]), int(match[2] or match[1]) + 1)]
