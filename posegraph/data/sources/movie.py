"""A movie file as a source of frames."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from posegraph.data.movies import MovieReader
from posegraph.data.sources.buffered import BufferedSource
from posegraph.data.sources.frame import Frame
from posegraph.data.sources.gaps import Gaps
from posegraph.errors import PoseGraphError

# fmt: off
MOVIE_SUFFIXES = (
    ".3gp", ".asf", ".avi", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
)
# fmt: on
"""Endings by which movies are found in a folder; a file that is named is tried whatever its ending."""
_SLACK_S = 2.0
"""A header without a count says the duration of the longest stream, which may be the sound."""


class MovieSource(BufferedSource):
    """The frames of a movie, each decoded once and in order; rotated as its header says.

    ``frames(first)`` decodes from the start too and leaves out what comes before ``first``: a seek can land on another
    frame than the one asked for (see :mod:`posegraph.data.movies`).

    Args:
        path: A file that FFmpeg decodes.
        fps: Instead of the header's, for files whose header is wrong; times are then ``number / fps``.

    Raises:
        PoseGraphError: the file holds no frame that can be decoded.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        reader = _opened(path)
        self.path = path
        self._fps = fps
        super().__init__(path.stem, fps or reader.fps or None, reader.num_frames or None)
        self._counted, self._header_fps = reader.counted, reader.fps
        reader.close()

    def read(self, first: int) -> Generator[Frame, None, None]:
        """See :meth:`BufferedSource.read`."""
        reader = _opened(self.path)
        gaps = Gaps(self.problems, self.path.name, "the file is damaged there: copy it again")
        expected = 0
        try:
            for number in reader.walk():
                if number > expected:
                    gaps.add(expected, number - 1, "not decodable")
                expected = number + 1
                if number < first:
                    continue
                image = reader.image()
                if image is None:
                    gaps.add(number, number, "not decodable")
                    continue
                time_s = number / self._fps if self._fps else reader.time_s
                yield Frame(number, image, time_s, f"{self.path.name}#{number}")
            self._check_end(expected, reader.time_s)
        finally:
            reader.close()

    def _check_end(self, num_frames: int, time_s: float) -> None:
        """Tell where the movie ends before its header says; ``time_s`` is that of its last frame."""
        promised = self.num_frames or 0
        if self._counted:
            # A movie that was cut without being encoded anew counts frames that its edit list hides.
            whole = self.path.suffix.lower() != ".avi" and not self.problems and not _cut_off(self.path)
            short = num_frames < promised and not whole
        else:
            promised_s = promised / self._header_fps if self._header_fps else 0.0
            short = promised_s - time_s > max(_SLACK_S, promised_s / 10)
        if short:
            self.problems.append(
                f"{self.path.name}: ends after {num_frames} frames, its header promises {promised}: it is cut off, or "
                "has lost frames inside; copy or record it again"
            )


def _opened(path: Path) -> MovieReader:
    if not path.is_file():
        raise PoseGraphError(f"{path}: no such file; expected a movie such as .mp4: check the path")
    return MovieReader(path)


def _cut_off(path: Path) -> bool:
    """Whether the last box of an .mp4 or .mov file (ISO 14496-12) is longer than the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = 0
        while start + 8 <= size:
            file.seek(start)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:], "big")
            if length == 0:  # up to the end of the file
                return False
            if length < 8:  # no box: something else was appended
                return False
            start += length
    return start > size
