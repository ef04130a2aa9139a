"""Live sources: a capture that is played, and a real stream from a server on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posegraph.data.sources import open_frames
from posegraph.data.sources.live import LiveSource, is_live
from posegraph.errors import PoseGraphError

from .conftest import FRAMES, numbered, shown


class Camera:
    """A capture that plays: ``None`` is a failed read; a semaphore holds it back until a frame is let through."""

    def __init__(self, plays: list[int | None], *, fps: float = 30.0, held: bool = False) -> None:
        self.plays = iter(plays)
        self.fps = fps
        self.gate = threading.Semaphore(0) if held else None
        self.asked, self.releases = 0, 0
        self.released_in: threading.Thread | None = None

    def read(self) -> tuple[bool, Any]:
        self.asked += 1
        if self.gate is not None:
            self.gate.acquire()
        number = next(self.plays, None)
        return (False, None) if number is None else (True, numbered(number))

    def get(self, property: int) -> float:
        return self.fps if property == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.releases += 1
        self.released_in = threading.current_thread()


def wait_until(true: Any) -> None:
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
    assert true()


def test_every_frame() -> None:
    camera = Camera(list(range(20)))
    with LiveSource("cam", camera, every_frame=True) as source:
        frames = list(source)
    assert (source.name, source.fps, source.num_frames, source.live, source.dropped) == ("cam", 30.0, None, True, 0)
    assert [frame.number for frame in frames] == [shown(frame.image) for frame in frames] == list(range(20))
    times = [frame.time_s for frame in frames]
    assert times[0] == 0
    assert times == sorted(times)
    assert camera.releases == 1
    assert camera.released_in is not threading.current_thread()


def test_the_latest_frame_for_a_slow_model() -> None:
    camera = Camera(list(range(40)), held=True)
    assert camera.gate is not None
    with LiveSource("cam", camera) as source:
        frames = iter(source)
        camera.gate.release()
        assert next(frames).number == 0
        # The model is busy while ten frames arrive.
        for _ in range(10):
            camera.gate.release()
        wait_until(lambda: camera.asked == 12)  # so it has handed over frame 10
        newest = next(frames)
        assert (newest.number, shown(newest.image), newest.name) == (10, 10, "cam#10")
        assert source.dropped == 9
        for _ in range(100):
            camera.gate.release()


def test_lost_frames_are_gaps() -> None:
    with LiveSource("cam", Camera([0, 1, None, None, 4, None, 6]), every_frame=True) as source:
        assert [(frame.number, shown(frame.image)) for frame in source] == [(0, 0), (1, 1), (4, 4), (6, 6)]
    assert source.problems == [
        "cam: frames 2-3 cannot be read (lost on the way) and left out; check the connection",
        "cam: frame 5 cannot be read (lost on the way) and left out; check the connection",
    ]


def test_a_camera_that_stalls() -> None:
    camera = Camera(list(range(40)), held=True)
    assert camera.gate is not None
    source = LiveSource("cam", camera, timeout_s=0.2, every_frame=True)
    frames = iter(source)
    camera.gate.release()
    assert next(frames).number == 0
    started = time.monotonic()
    with pytest.raises(
        PoseGraphError, match=r"cam: no frame within 0\.2 s after frame 0; expected a source that goes on"
    ):
        next(frames)
    assert time.monotonic() - started < 5
    # It was not released under the hands of the thread that hangs in it; the thread does so when it wakes up.
    assert camera.releases == 0
    camera.gate.release()
    wait_until(lambda: camera.releases == 1)


def test_a_camera_without_frames() -> None:
    with (
        LiveSource("cam", Camera([])) as source,
        pytest.raises(PoseGraphError, match="cam: gives no frame; expected a camera or a stream that runs"),
    ):
        list(source)


def test_it_is_read_once() -> None:
    with LiveSource("cam", Camera([0, 1]), every_frame=True) as source:
        assert len(list(source)) == 2
        with pytest.raises(PoseGraphError, match="cam: is live and was read already; open it again"):
            list(source)


def test_closed_before_it_was_read() -> None:
    camera = Camera([0])
    LiveSource("cam", camera).close()
    assert camera.releases == 1


@pytest.mark.parametrize("fps", [0.0, -1.0, 90000.0, float("nan")])
def test_a_rate_that_is_none(fps: float) -> None:
    assert LiveSource("cam", Camera([], fps=fps)).fps is None


@pytest.mark.parametrize(
    ("spec", "live"),
    [
        ("0", True),
        ("camera:2", True),
        ("/dev/video1", True),
        ("rtsp://user:word@host:554/stream", True),
        ("http://host/stream.mjpg", True),
        ("./0", False),
        ("movie.mp4", False),
        ("-", False),
        ("C:/movies/a.mp4", False),
    ],
)
def test_what_is_live(spec: str, live: bool) -> None:
    assert is_live(spec) is live


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(PoseGraphError, match="camera97: cannot be opened; expected a camera at that index"):
        open_frames("camera:97")


class Stream(BaseHTTPRequestHandler):
    """``/stream``: JPEGs one after the other; ``/stall``: ten of them, then silence; other paths: a file."""

    folder = Path()
    over = threading.Event()

    def do_GET(self) -> None:
        if self.path not in ("/stream", "/stall"):
            data = (self.folder / self.path[1:]).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(FRAMES):
            if self.path == "/stall" and number == 10:
                self.over.wait(20)
                return
            data = cv2.imencode(".jpg", numbered(number))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(movies: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(Stream, "folder", movies["mp4"].parent)
    monkeypatch.setattr(Stream, "over", threading.Event())
    with ThreadingHTTPServer(("127.0.0.1", 0), Stream) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        Stream.over.set()
        http.shutdown()
        thread.join()


def test_a_stream_over_http(server: str) -> None:
    with open_frames(f"{server}/stream", every_frame=True) as source:
        frames = list(source)
    assert source.live
    assert source.name.startswith("127.0.0.1")
    assert [shown(frame.image) for frame in frames] == [frame.number for frame in frames]
    # FFmpeg gives the last JPEG of a stream or not, as it was cut.
    assert len(frames) in (FRAMES - 1, FRAMES)


def test_a_stream_that_stalls(server: str) -> None:
    numbers: list[int] = []
    source = open_frames(f"{server}/stall", every_frame=True, timeout_s=1)
    with pytest.raises(PoseGraphError, match=r"no frame within 1 s after frame \d; expected a source that goes on"):
        numbers.extend(frame.number for frame in source)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) in (9, 10)


def test_a_movie_over_http_is_given_whole(server: str) -> None:
    with open_frames(f"{server}/walk.mp4") as source:
        frames = list(source)
    assert source.num_frames == FRAMES
    assert [shown(frame.image) for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(FRAMES) / 25)
    assert source.problems == []


def test_an_address_that_nobody_answers() -> None:
    with pytest.raises(PoseGraphError, match=r"127\.0\.0\.1_1_cam: cannot be opened; expected a stream") as error:
        open_frames("http://me:secret@127.0.0.1:1/cam", timeout_s=5)
    assert "secret" not in str(error.value)
