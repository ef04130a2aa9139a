"""Uncompressed frames from a pipe, as ``ffmpeg -f rawvideo -`` and ``ffmpeg -f yuv4mpegpipe -`` write them."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from posegraph.data.sources.buffered import BufferedSource, within
from posegraph.data.sources.frame import Frame
from posegraph.data.sources.images import DEFAULT_FPS
from posegraph.data.video import Image
from posegraph.errors import PoseGraphError, did_you_mean

Y4M_START = b"YUV4MPEG2 "
_Y4M_COLORS = {"420": "yuv420p", "mono": "gray"}
_MAX_LINE = 1024


class Pixels(NamedTuple):
    """How a frame of ``[H, W]`` lies in the pipe: rows of ``W`` times ``channels`` bytes, ``H * height`` of them."""

    channels: int
    height: Fraction
    to_bgr: int | None


PIXEL_FORMATS = {
    "bgr24": Pixels(3, Fraction(1), None),
    "rgb24": Pixels(3, Fraction(1), cv2.COLOR_RGB2BGR),
    "bgra": Pixels(4, Fraction(1), cv2.COLOR_BGRA2BGR),
    "rgba": Pixels(4, Fraction(1), cv2.COLOR_RGBA2BGR),
    "gray": Pixels(1, Fraction(1), cv2.COLOR_GRAY2BGR),
    "yuv420p": Pixels(1, Fraction(3, 2), cv2.COLOR_YUV2BGR_I420),
    "nv12": Pixels(1, Fraction(3, 2), cv2.COLOR_YUV2BGR_NV12),
}
"""By FFmpeg's names (``-pix_fmt``)."""


class Pipe(Protocol):
    """An unbuffered binary stream: a reading thread that hangs in a buffered one would keep Python from ending."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a part of ``buffer``; 0 at the end."""


class RawSource(BufferedSource):
    """Frames of one size from a pipe, every one of them: the program that writes waits for the model.

    Args:
        pipe: Where they come from.
        size_wh: Width and height; None: the pipe begins with a YUV4MPEG2 header, which says size, pixels and fps.
        pixel_format: One of ``PIXEL_FORMATS``.
        fps: Frames a second; None: the header's, or 25.
        timeout_s: Longest wait for the header, and for a frame.

    Raises:
        PoseGraphError: there is neither size nor header, or the format is not known.
    """

    live = True

    def __init__(
        self,
        pipe: Pipe,
        size_wh: tuple[int, int] | None,
        pixel_format: str = "bgr24",
        *,
        fps: float | None = None,
        timeout_s: float | None = 10.0,
        name: str = "stdin",
    ) -> None:
        self._pipe = pipe
        self._y4m = size_wh is None
        if size_wh is None:
            stalled = f"{name}: nothing within {timeout_s} s; expected frames: check the program that writes them"
            header = within(timeout_s, lambda: _read_header(pipe, name), stalled)
            size_wh, pixel_format = header.size_wh, header.pixel_format
            fps = fps or header.fps
        self._pixels = _pixels(pixel_format, size_wh, name)
        width, height = size_wh
        self._shape = (int(height * self._pixels.height), width * self._pixels.channels)
        self._size_hw = (height, width)
        super().__init__(name, fps or DEFAULT_FPS, timeout_s=timeout_s)

    def read(self, first: int) -> Generator[Frame, None, None]:
        """See :meth:`BufferedSource.read`."""
        number, fps = 0, self.fps or DEFAULT_FPS
        while True:
            if self._y4m and not _read_line(self._pipe).startswith(b"FRAME"):
                return
            data = np.empty(self._shape, dtype=np.uint8)
            filled = _fill(self._pipe, data.data.cast("B"))
            if filled < data.nbytes:
                if filled:
                    self.problems.append(
                        f"{self.name}: frame {number} has {filled} of {data.nbytes} bytes and is left out; expected "
                        "whole frames: check the size, the pixel format and that the writing program ended well"
                    )
                return
            if number >= first:
                yield Frame(number, self._image(data), number / fps, f"{self.name}#{number}")
            number += 1

    def _image(self, data: Image) -> Image:
        if self._pixels.to_bgr is None:
            return data.reshape(*self._size_hw, 3)
        if self._pixels.channels > 1:
            data = data.reshape(*self._size_hw, self._pixels.channels)
        return cv2.cvtColor(data, self._pixels.to_bgr).astype(np.uint8, copy=False)


class _Header(NamedTuple):
    size_wh: tuple[int, int]
    pixel_format: str
    fps: float


def _pixels(pixel_format: str, size_wh: tuple[int, int], name: str) -> Pixels:
    if pixel_format not in PIXEL_FORMATS:
        known = ", ".join(PIXEL_FORMATS)
        raise PoseGraphError(
            f"{name}: pixel format {pixel_format!r} is not known; expected one of {known}"
            f"{did_you_mean(pixel_format, PIXEL_FORMATS)}"
        )
    width, height = size_wh
    pixels = PIXEL_FORMATS[pixel_format]
    if width < 1 or height < 1:
        raise PoseGraphError(f"{name}: frames of {width}x{height}; expected a width and a height of 1 or more")
    if pixels.height != 1 and (width % 2 or height % 2):
        raise PoseGraphError(
            f"{name}: {pixel_format} of {width}x{height}; it has even sides only: let the writing program scale, or "
            "write bgr24"
        )
    return pixels


def _read_header(pipe: Pipe, name: str) -> _Header:
    start = np.zeros(len(Y4M_START), dtype=np.uint8)
    filled = _fill(pipe, start.data)
    if start.tobytes() != Y4M_START:
        found = "is empty" if not filled else f"begins with {start.tobytes()[:filled]!r}"
        raise PoseGraphError(
            f"{name}: {found}; expected a YUV4MPEG2 header: say the size of raw frames (--size 1280x720), or write "
            "with ffmpeg -f yuv4mpegpipe"
        )
    line = _read_line(pipe).decode("ascii", "replace")
    fields = {field[0]: field[1:] for field in line.split() if field}
    color = fields.get("C", "420")
    pixel_format = next((ours for theirs, ours in _Y4M_COLORS.items() if color.startswith(theirs)), None)
    if pixel_format is None or color.startswith("420p1") or color.startswith("mono1"):
        raise PoseGraphError(f"{name}: YUV4MPEG2 of colour {color!r}; expected 8 bits: write with -pix_fmt yuv420p")
    try:
        rate = Fraction(fields.get("F", "0:1").replace(":", "/"))
        return _Header((int(fields["W"]), int(fields["H"])), pixel_format, float(rate))
    except (KeyError, ValueError, ZeroDivisionError):
        raise PoseGraphError(f"{name}: no YUV4MPEG2 header ({line!r}); expected W, H and F: write it again") from None


def _read_line(pipe: Pipe) -> bytes:
    line = bytearray()
    byte = bytearray(1)
    while len(line) < _MAX_LINE and pipe.readinto(memoryview(byte)) and byte != b"\n":
        line += byte
    return bytes(line)


def _fill(pipe: Pipe, buffer: memoryview) -> int:
    filled = 0
    while filled < len(buffer) and (more := pipe.readinto(buffer[filled:])):
        filled += more
    return filled
