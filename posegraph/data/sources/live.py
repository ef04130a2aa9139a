"""Cameras and network streams as sources of frames."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator
from typing import Any, Protocol

import cv2
import numpy as np

from posegraph.data.sources.buffered import BufferedSource, within
from posegraph.data.sources.frame import Frame
from posegraph.data.sources.gaps import Gaps
from posegraph.errors import PoseGraphError

_CAMERA = re.compile(r"(?:camera:|/dev/video)?(\d+)")
_URL = re.compile(r"(?:rtsps?|rtmps?|https?|udp|tcp|srt|rtp)://\S+")
_NAME = re.compile(r"[^\w.-]+")
_LOST = 30
"""Failed reads in a row after which a stream has ended: fewer are packets that were lost on the way."""
_PATIENCE_S = 0.02
"""Rest between failed reads."""


class Capture(Protocol):
    """What is used of :class:`cv2.VideoCapture`."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a frame, and the BGR image."""

    def get(self, property: int, /) -> float:
        """A property, 0 where it is not known."""

    def release(self) -> None:
        """Let go of the device."""


class LiveSource(BufferedSource):
    """A camera or a stream. A thread empties it, so that frames are current however slow the model is.

    Frames are numbered as they arrive; those that were dropped or lost leave gaps. Times are those of arrival. A movie
    that lies behind an address, whose header says its length, is given whole, with times of its own.

    Args:
        name: Stem for the names of output files.
        capture: An open one; it is released when the source ends or is closed.
        timeout_s: Longest wait for a frame.
        every_frame: Give every frame, and let the stream wait for the model; else the latest.
    """

    live = True

    def __init__(self, name: str, capture: Capture, *, timeout_s: float | None = 10.0, every_frame: bool = False):
        fps = capture.get(cv2.CAP_PROP_FPS)
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._movie = count > 0 and fps > 0
        super().__init__(
            name,
            # Some cameras say 0, some streams the ticks of their clock.
            fps if 0 < fps <= 1000 else None,
            int(count) if self._movie else None,
            timeout_s=timeout_s,
            latest=not (every_frame or self._movie),
        )
        self._capture = capture
        self._used = False

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """See :meth:`FrameSource.frames`. Raises :class:`PoseGraphError` the second time, and when nothing comes."""
        if self._used:
            raise PoseGraphError(f"{self.name}: is live and was read already; open it again")
        self._used = True
        return super().frames(first)

    def read(self, first: int) -> Generator[Frame, None, None]:
        """See :meth:`BufferedSource.read`."""
        gaps = Gaps(self.problems, self.name, "check the connection")
        number, lost, start_s = 0, 0, None
        try:
            while lost < _LOST:
                done, image = self._capture.read()
                if not done or image is None:
                    lost += 1
                    time.sleep(_PATIENCE_S)
                    continue
                now_s = time.monotonic()
                start_s = now_s if start_s is None else start_s
                if lost:
                    gaps.add(number, number + lost - 1, "lost on the way")
                    number, lost = number + lost, 0
                if number >= first:
                    time_s = number / self.fps if self._movie and self.fps else now_s - start_s
                    yield Frame(number, image.astype(np.uint8, copy=False), time_s, f"{self.name}#{number}")
                number += 1
        finally:
            # Here, in the thread that reads: to release a capture that another thread reads from is a crash.
            self._capture.release()
        if start_s is None:
            raise PoseGraphError(f"{self.name}: gives no frame; expected a camera or a stream that runs: check it")

    def close(self) -> None:
        """See :meth:`BufferedSource.close`."""
        super().close()
        if not self._used:
            self._used = True
            self._capture.release()


def is_live(spec: str) -> bool:
    """Whether ``spec`` names a camera (``0``, ``camera:0``, ``/dev/video0``) or a network stream."""
    return bool(_CAMERA.fullmatch(spec) or _URL.fullmatch(spec))


def open_live(spec: str, *, timeout_s: float | None, every_frame: bool) -> LiveSource:
    """Connect to a camera or a stream. Raises :class:`PoseGraphError` when it cannot be opened in time."""
    camera = _CAMERA.fullmatch(spec)
    name = f"camera{camera[1]}" if camera else _stream_name(spec)
    stalled = f"{name}: cannot be opened within {timeout_s} s; check the address, or give a longer timeout"
    capture = within(timeout_s, lambda: _capture(spec, camera, timeout_s), stalled)
    if not capture.isOpened():
        kind = "a camera at that index" if camera else "a stream that FFmpeg can open"
        raise PoseGraphError(
            f"{name}: cannot be opened; expected {kind}: check that it is there, and that you may use it"
        )
    return LiveSource(name, capture, timeout_s=timeout_s, every_frame=every_frame)


def _capture(spec: str, camera: re.Match[str] | None, timeout_s: float | None) -> cv2.VideoCapture:
    if camera:
        return cv2.VideoCapture(int(camera[1]))
    if timeout_s is None:
        return cv2.VideoCapture(spec, cv2.CAP_FFMPEG)
    # FFmpeg's own limit is a little longer, so that a thread which was left behind ends as well.
    limit_ms = int(2000 * timeout_s)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
    return cv2.VideoCapture(spec, cv2.CAP_FFMPEG, limits)


def _stream_name(url: str) -> str:
    """An address as a file's name, without the password that it may hold."""
    address = url.split("://", 1)[1].split("?", 1)[0]
    host, _, path = address.partition("/")
    return _NAME.sub("_", f"{host.rsplit('@', 1)[-1]}/{path}").strip("_") or "stream"
