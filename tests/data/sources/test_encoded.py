"""Movies as phones and screen recorders write them: H.264, varying frame rates, other containers, rotation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data.movies import MovieReader
from posegraph.data.sources import open_frames

from .conftest import FRAMES, numbered, shown

av: Any = pytest.importorskip("av", reason="PyAV writes these movies")
TICKS = 600
EVERY = list(range(0, FRAMES * 24, 24))
"""25 frames a second, in ticks."""
# Every seventh place is empty, and there is a pause: as screen recorders do.
UNEVEN = [24 * place for place in range(200) if place % 7 != 3 and not 20 <= place < 40][:FRAMES]


@pytest.fixture
def encode(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, ticks: Iterable[int]) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            options = {"g": "10", "sc_threshold": "0", "bf": "2", "qp": "10"}  # a key frame every ten
            stream = container.add_stream("libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 96, 32, "yuv420p"
            stream.codec_context.time_base = Fraction(1, TICKS)
            for number, tick in enumerate(ticks):
                frame = av.VideoFrame.from_ndarray(numbered(number), format="bgr24")
                frame.pts, frame.time_base = tick, Fraction(1, TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
@pytest.mark.parametrize("ticks", [EVERY, UNEVEN], ids=["even", "uneven"])
def test_every_frame_once_in_its_time(encode: Callable[..., Path], suffix: str, ticks: list[int]) -> None:
    with open_frames(encode(f"movie{suffix}", ticks)) as source:
        frames = list(source)
    assert [shown(frame.image) for frame in frames] == list(range(FRAMES))
    assert [frame.number for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(ticks) / TICKS, atol=2e-3)
    assert source.problems == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("ticks", [EVERY, UNEVEN], ids=["even", "uneven"])
def test_a_frame_by_its_number(encode: Callable[..., Path], suffix: str, ticks: list[int]) -> None:
    """OpenCV's own seek gives other frames of the uneven movies, and of the transport stream."""
    reader = MovieReader(encode(f"movie{suffix}", ticks))
    order = [41, 3, 0, 49, 25, 24, 40, 17, 17, 30, 8, 48, 1]
    assert [shown(reader.read(frame)) for frame in order] == order
    fresh = MovieReader(reader.path)
    assert shown(fresh.read(45)) == 45


def test_numbers_behind_a_damaged_stretch(encode: Callable[..., Path]) -> None:
    """Frames 20 to 29 are one group of pictures; its packets are overwritten."""
    path = encode("movie.mp4", EVERY)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size and 20 <= packet.pts * packet.time_base * 25 < 30:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    with open_frames(path) as source:
        frames = {frame.number: shown(frame.image) for frame in source}
    lost = sorted(set(range(FRAMES)) - set(frames))
    assert lost == list(range(20, 30))
    assert frames == {number: number for number in frames}
    assert [line.split(" cannot")[0] for line in source.problems] == ["movie.mp4: frames 20-29"]


def test_a_cut_off_phone_movie(encode: Callable[..., Path]) -> None:
    """Its index lies in front, so that it opens."""
    path = encode("movie.mp4", EVERY)
    with (
        av.open(str(path)) as whole,
        av.open(str(path.with_name("cut.mp4")), "w", options={"movflags": "faststart"}) as cut,
    ):
        stream = cut.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                cut.mux(packet)
    data = path.with_name("cut.mp4").read_bytes()
    path.with_name("cut.mp4").write_bytes(data[: len(data) * 7 // 10])
    with open_frames(path.with_name("cut.mp4")) as source:
        frames = list(source)
    assert [frame.number for frame in frames][:10] == list(range(10))
    assert len(frames) < FRAMES
    assert "its header promises 50: it is cut off" in source.problems[-1]
