"""Frames inside a movie: the right one, in any order, and the past of a clip."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data import Video
from posegraph.data.movies import MovieReader
from posegraph.data.tracks import movie_frame
from posegraph.data.video import FrameReader
from posegraph.errors import PoseGraphError

FRAMES = 50


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie whose frame ``n`` shows ``n`` in six black and white bars."""
    path = tmp_path_factory.mktemp("movies") / "clip7.avi"
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 32))
    for number in range(FRAMES):
        bits = [255 * (number >> bit & 1) for bit in range(6)]
        out.write(
            np.repeat(np.repeat(np.array(bits, np.uint8)[None, :, None], 16, axis=1), 32, axis=0).repeat(3, axis=2)
        )
    out.release()
    return path


def number(image: np.ndarray) -> int:
    return sum((image[16, 8 + 16 * bit, 0] > 127) << bit for bit in range(6))


def video(names: list[str], source: Path) -> Video:
    n = len(names)
    labeled, sizes = np.ones(n, dtype=np.bool_), np.zeros((n, 2), dtype=np.int64)
    return Video("clip", source, tuple(names), np.arange(n), sizes, labeled, ((),) * n)


def test_names() -> None:
    assert movie_frame("a/clip.mp4#12") == ("a/clip.mp4", 12)
    assert movie_frame("a/000012.jpg") is None
    assert movie_frame("a/take#2.jpg") is None


@pytest.mark.parametrize("order", [range(FRAMES), range(FRAMES - 1, -1, -1), [5, 49, 0, 40, 7, 7, 8, 41, 3]])
def test_any_order(movie: Path, order: list[int]) -> None:
    reader = MovieReader(movie)
    assert [number(reader.read(frame)) for frame in order] == list(order)


def test_a_frame_beyond_the_end(movie: Path) -> None:
    reader = MovieReader(movie)
    with pytest.raises(PoseGraphError, match=r"clip7\.avi: frame 50 cannot be decoded; its header says 50 frames"):
        reader.read(FRAMES)
    assert number(reader.read(3)) == 3


def test_faulty_movies(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match="no such movie"):
        MovieReader(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no movie")
    with pytest.raises(PoseGraphError, match="cannot be decoded; expected a movie"):
        MovieReader(tmp_path / "text.mp4")


def test_the_past_of_a_clip_lies_in_the_movie(movie: Path) -> None:
    """Frames 4 and 9 are annotated; the past is the movie's, not the annotation's."""
    clip = video(["clip7.avi#4", "clip7.avi#9"], movie.parent / "a.json")
    reader = FrameReader()
    paths = reader.clip_paths(clip, 1, 3)
    assert [number(reader.read(path)) for path in paths] == [7, 8, 9]
    first = video(["clip7.avi#0"], movie.parent / "a.json")
    assert [path.name for path in reader.clip_paths(first, 0, 3)] == ["clip7.avi#0"] * 3


def test_the_future_of_a_clip_ends_with_the_movie(movie: Path) -> None:
    reader, clip = FrameReader(), video(["clip7.avi#4", f"clip7.avi#{FRAMES - 2}"], movie.parent / "a.json")
    names = [[path.name for path in reader.clip_paths(clip, row, 3, 2)] for row in (0, 1)]
    assert names[0] == ["clip7.avi#4", "clip7.avi#5", "clip7.avi#6"]
    assert names[1] == [f"clip7.avi#{frame}" for frame in (FRAMES - 2, FRAMES - 1, FRAMES - 1)]


def test_a_missing_movie_is_named(movie: Path, tmp_path: Path) -> None:
    gone = video(["other.mp4#0"], tmp_path / "a.json")
    with pytest.raises(PoseGraphError, match=r"image 'other\.mp4#0' is neither in"):
        FrameReader().check(gone, 0, 1)
    with pytest.raises(PoseGraphError, match=r"other\.mp4#0: no such image"):
        FrameReader(tmp_path).check(gone, 0, 1)


def test_loader_processes_open_it_themselves(movie: Path) -> None:
    reader = FrameReader(movie.parent)
    reader.read(movie.with_name("clip7.avi#2"))
    again = pickle.loads(pickle.dumps(reader))
    assert number(again.read(movie.with_name("clip7.avi#30"))) == 30


def test_real_movie_frames_are_those_in_a_row(real_data: Path) -> None:
    path = real_data / "custom_fly24/centered_pair_low_quality.mp4"
    capture = cv2.VideoCapture(str(path))
    in_a_row = [capture.read()[1] for _ in range(60)]
    reader = MovieReader(path)
    for frame in (59, 0, 33, 34, 58, 12):
        assert np.array_equal(reader.read(frame), in_a_row[frame])
