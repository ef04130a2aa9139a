"""An overlay shows every frame with its people, at its own time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from posegraph.data.people import FramePoses
from posegraph.data.sources.frame import Frame
from posegraph.engine.results import OverlayWriter
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.visualize import draw_frame


def grey(number: int, height: int = 120, width: int = 160, fps: float = 25.0) -> Frame:
    return Frame(number, np.full((height, width, 3), 90, dtype=np.uint8), number / fps, f"walk.mp4#{number}")


def someone() -> FramePoses:
    """A nose at (40, 60), an ear at (40, 20), and a tail at (120, 60)."""
    points = np.array([[[40.0, 60.0], [120.0, 60.0], [40.0, 20.0]]])
    return FramePoses(np.array([7]), np.array([[40.0, 20, 80, 40]]), np.ones(1), points, np.ones((1, 3)))


def played(path: Path) -> list[tuple[float, np.ndarray]]:
    """(seconds, BGR image) of every frame, by another library than OpenCV."""
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def test_frames_are_drawn_and_shown_at_their_own_times(tmp_path: Path, skeleton: Skeleton) -> None:
    with OverlayWriter(tmp_path / "walk.mp4", 25, skeleton) as overlay:
        for number in (4, 5, 9):  # a source that starts late, and a gap
            overlay.write(grey(number), someone())
    frames = played(tmp_path / "walk.mp4")
    assert [time for time, _ in frames] == pytest.approx([0, 0.04, 0.2])
    wanted = draw_frame(grey(0).image, someone(), skeleton)
    for _, image in frames:
        assert np.abs(image.astype(int) - wanted).mean() < 3
    assert [path.name for path in tmp_path.iterdir()] == ["walk.mp4"]


def test_browsers_can_play_it(tmp_path: Path, skeleton: Skeleton) -> None:
    with OverlayWriter(tmp_path / "walk.mp4", 25, skeleton) as overlay:
        overlay.write(grey(0), someone())
    with av.open(str(tmp_path / "walk.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
    content = (tmp_path / "walk.mp4").read_bytes()
    assert b"moov" in content
    assert b"moof" not in content, "a closed file is one ordinary mp4"


def test_a_frame_of_another_size_is_letterboxed(tmp_path: Path, skeleton: Skeleton) -> None:
    with OverlayWriter(tmp_path / "walk.mp4", 25, skeleton) as overlay:
        overlay.write(grey(0), FramePoses.nobody(3))
        overlay.write(grey(1, height=240, width=160), FramePoses.nobody(3))
    (_, first), (_, second) = played(tmp_path / "walk.mp4")
    assert first.shape == second.shape == (120, 160, 3)
    assert np.abs(first.astype(int) - 90).max() < 6
    assert second[:, :36].max() < 20, "80 px wide in the middle of 160"
    assert np.abs(second[:, 44:116].astype(int) - 90).max() < 12
    assert second[:, 124:].max() < 20


def test_what_was_done_stays_after_an_error(tmp_path: Path, skeleton: Skeleton) -> None:
    def interrupted() -> None:
        with OverlayWriter(tmp_path / "walk.mp4", None, skeleton) as overlay:
            for number in range(5):
                overlay.write(grey(number), someone())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(played(tmp_path / "walk.mp4")) == 5


def test_no_frame_no_file(tmp_path: Path, skeleton: Skeleton) -> None:
    with OverlayWriter(tmp_path / "walk.mp4", 25, skeleton):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_done(
    tmp_path: Path, skeleton: Skeleton, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    noise = np.random.default_rng(0)

    def fill() -> None:
        with OverlayWriter(tmp_path / "walk.mp4", 5, skeleton) as overlay:
            for number in range(60):
                image = noise.integers(0, 255, (120, 160, 3), dtype=np.uint8)
                overlay.write(Frame(number, image, number / 5, str(number)), someone())

    with (
        file_size_limit(300_000),
        pytest.raises(PoseGraphError, match=r"walk\.mp4: cannot be written \(File too large\); .*\.unfinished\.mp4"),
    ):
        fill()
    capture, count = cv2.VideoCapture(str(tmp_path / "walk.unfinished.mp4")), 0
    while capture.read()[0]:
        count += 1
    assert 10 <= count < 60
    assert [path.name for path in tmp_path.iterdir()] == ["walk.unfinished.mp4"]


def test_an_output_that_cannot_be_written(tmp_path: Path, skeleton: Skeleton) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(PoseGraphError, match=r"cannot write .*file/walk\.mp4: .*; choose a folder"),
        OverlayWriter(tmp_path / "file" / "walk.mp4", 25, skeleton) as overlay,
    ):
        overlay.write(grey(0), someone())
