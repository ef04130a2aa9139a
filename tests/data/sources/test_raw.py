"""Frames from a pipe: all pixel formats against OpenCV's own conversion, broken ends, stalls."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, FileIO
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.sources import open_frames
from posegraph.data.video import Image
from posegraph.errors import PoseGraphError

WIDTH, HEIGHT = 8, 6
RNG = np.random.default_rng(0)
FRAMES = [RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(3)]


@contextmanager
def pipe() -> Iterator[tuple[FileIO, FileIO]]:
    reading, writing = os.pipe()
    with FileIO(reading, "rb") as source, FileIO(writing, "wb") as target:
        yield source, target


def nv12(image: Image) -> bytes:
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, chroma = planes[: WIDTH * HEIGHT], planes[WIDTH * HEIGHT :].reshape(2, -1)
    return luma.tobytes() + chroma.T.tobytes()


@pytest.mark.parametrize(
    ("pixel_format", "encode", "decoded"),
    [
        ("bgr24", lambda image: image.tobytes(), lambda image: image),
        ("rgb24", lambda image: image[..., ::-1].tobytes(), lambda image: image),
        ("bgra", lambda image: np.dstack([image, image[..., 0]]).tobytes(), lambda image: image),
        ("rgba", lambda image: np.dstack([image[..., ::-1], image[..., 0]]).tobytes(), lambda image: image),
        ("gray", lambda image: image[..., 1].tobytes(), lambda image: np.dstack([image[..., 1]] * 3)),
        (
            "yuv420p",
            lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes(),
            lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), cv2.COLOR_YUV2BGR_I420),
        ),
        (
            "nv12",
            nv12,
            lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), cv2.COLOR_YUV2BGR_I420),
        ),
    ],
)
def test_pixel_formats(pixel_format: str, encode: Callable[[Image], bytes], decoded: Callable[[Image], Image]) -> None:
    data = BytesIO(b"".join(encode(image) for image in FRAMES))
    with open_frames("-", size_wh=(WIDTH, HEIGHT), pixel_format=pixel_format, fps=50, stdin=data) as source:
        frames = list(source)
    assert (source.name, source.fps, source.num_frames, source.live) == ("stdin", 50, None, True)
    assert [(frame.number, frame.time_s, frame.name) for frame in frames] == [
        (0, 0.0, "stdin#0"),
        (1, 0.02, "stdin#1"),
        (2, 0.04, "stdin#2"),
    ]
    for frame, image in zip(frames, FRAMES, strict=True):
        assert np.array_equal(frame.image, decoded(image))
    assert source.problems == []


def test_a_header_says_size_and_rate() -> None:
    gray = [image[..., 0] for image in FRAMES]
    data = b"YUV4MPEG2 W8 H6 F30000:1001 Ip A1:1 Cmono\n" + b"".join(b"FRAME\n" + image.tobytes() for image in gray)
    with open_frames("-", stdin=BytesIO(data)) as source:
        frames = list(source)
    assert source.fps == pytest.approx(29.97003)
    assert [np.array_equal(frame.image[..., 2], image) for frame, image in zip(frames, gray, strict=True)] == [True] * 3


def test_a_header_with_colour() -> None:
    planes = cv2.cvtColor(FRAMES[0], cv2.COLOR_BGR2YUV_I420)
    data = b"YUV4MPEG2 W8 H6 F25:1 C420jpeg XYSCSS=420JPEG\nFRAME Ip\n" + planes.tobytes()
    with open_frames("-", stdin=BytesIO(data)) as source:
        assert [frame.image.tolist() for frame in source] == [cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420).tolist()]


def test_first_frames_are_passed_over() -> None:
    data = BytesIO(b"".join(image.tobytes() for image in FRAMES))
    with open_frames("-", size_wh=(WIDTH, HEIGHT), stdin=data) as source:
        assert [frame.number for frame in source.frames(2)] == [2]


def test_half_a_frame_at_the_end_is_told() -> None:
    data = BytesIO(FRAMES[0].tobytes() + FRAMES[1].tobytes()[:100])
    with open_frames("-", size_wh=(WIDTH, HEIGHT), stdin=data) as source:
        assert [frame.number for frame in source] == [0]
    assert source.problems == [
        "stdin: frame 1 has 100 of 144 bytes and is left out; expected whole frames: check the size, the pixel format "
        "and that the writing program ended well"
    ]


def test_frames_arrive_in_pieces() -> None:
    class Slow(BytesIO):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            return super().readinto(buffer[:7])

    data = Slow(b"".join(image.tobytes() for image in FRAMES))
    with open_frames("-", size_wh=(WIDTH, HEIGHT), stdin=data) as source:
        assert [np.array_equal(frame.image, image) for frame, image in zip(source, FRAMES, strict=True)] == [True] * 3


def test_a_pipe_that_stalls() -> None:
    with pipe() as (source_end, target):
        target.write(FRAMES[0].tobytes())
        frames = iter(open_frames("-", size_wh=(WIDTH, HEIGHT), stdin=source_end, timeout_s=0.2))
        assert next(frames).number == 0
        with pytest.raises(
            PoseGraphError, match=r"stdin: no frame within 0\.2 s after frame 0; expected a source that"
        ):
            next(frames)
        target.close()


def test_a_header_that_does_not_come() -> None:
    with pipe() as (source_end, target):
        with pytest.raises(PoseGraphError, match=r"stdin: nothing within 0\.1 s; expected frames"):
            open_frames("-", stdin=source_end, timeout_s=0.1)
        target.close()


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"", {}, r"stdin: is empty; expected a YUV4MPEG2 header: say the size"),
        (b"RIFFxxxxAVI ", {}, r"stdin: begins with b'RIFFxxxxAV'; expected a YUV4MPEG2 header"),
        (b"YUV4MPEG2 W8\n", {}, r"no YUV4MPEG2 header \('W8'\); expected W, H and F"),
        (b"YUV4MPEG2 W8 H6 F25:1 C422\n", {}, r"YUV4MPEG2 of colour '422'; expected 8 bits"),
        (b"YUV4MPEG2 W8 H6 F25:1 C420p10\n", {}, r"YUV4MPEG2 of colour '420p10'; expected 8 bits"),
        (b"", {"size_wh": (0, 6)}, r"frames of 0x6; expected a width and a height of 1 or more"),
        (b"", {"size_wh": (7, 6), "pixel_format": "nv12"}, r"nv12 of 7x6; it has even sides only"),
        (b"", {"size_wh": (8, 6), "pixel_format": "rgb"}, r"'rgb' is not known; expected one of bgr24.*did you mean"),
    ],
)
def test_faults(data: bytes, options: dict[str, object], message: str) -> None:
    with pytest.raises(PoseGraphError, match=message):
        open_frames("-", stdin=BytesIO(data), **options)


def test_a_stalled_stdin_does_not_keep_python_from_ending(tmp_path: Path) -> None:
    code = (
        "from posegraph.data.sources import open_frames\n"
        "from posegraph.errors import PoseGraphError\n"
        "try:\n"
        "    [print(frame.number, flush=True) for frame in open_frames('-', size_wh=(8, 6), timeout_s=0.2)]\n"
        "except PoseGraphError as error:\n"
        "    print(error, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(FRAMES[0].tobytes())
        process.stdin.flush()
        # stdin stays open: nothing but the timeout ends the program.
        out = process.stdout.read().decode()
        assert process.wait(timeout=20) == 0
        assert out.startswith("0\nstdin: no frame within 0.2 s after frame 0")
        assert process.stderr.read() == b""
        process.stdin.close()
