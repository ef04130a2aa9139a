"""A folder of images as a source of frames."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path

from posegraph.data.sources.buffered import BufferedSource
from posegraph.data.sources.frame import Frame
from posegraph.data.sources.gaps import Gaps
from posegraph.data.video import read_image
from posegraph.errors import PoseGraphError

IMAGE_SUFFIXES = (".bmp", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
DEFAULT_FPS = 25.0
"""Of images and of raw frames, where nobody says."""

_DIGITS = re.compile(r"(\d+)")


class ImageSource(BufferedSource):
    """Images as frames, in the order given; they may differ in size.

    Args:
        name: Stem for the names of output files.
        paths: One image a frame.
        fps: Frames a second that they were taken with.
    """

    def __init__(self, name: str, paths: Sequence[Path], fps: float | None = None) -> None:
        self._paths = tuple(paths)
        self._fps = fps or DEFAULT_FPS
        super().__init__(name, self._fps, len(self._paths))

    def read(self, first: int) -> Generator[Frame, None, None]:
        """See :meth:`BufferedSource.read`."""
        gaps = Gaps(self.problems, self.name, "copy the images again or take them out of the folder")
        for number, path in enumerate(self._paths[first:], first):
            try:
                image = read_image(path)
            except PoseGraphError:
                gaps.add(number, number, f"{path.name} is no whole image")
                continue
            yield Frame(number, image, number / self._fps, path.name)


def is_image(path: Path) -> bool:
    """Whether a file counts as a frame of its folder, by its ending."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path)


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden or temporary by its name."""
    return path.name.startswith((".", "~", "__MACOSX")) or path.name.endswith("~")


def in_order(paths: list[Path]) -> list[Path]:
    """Sorted as people count: ``img2`` before ``img10``; the same on every machine and file system."""
    return sorted(paths, key=_natural)


def _natural(path: Path) -> tuple[tuple[tuple[bool, int, str], ...], str]:
    # Without the ending, as it would put x.mp4 behind x9.mp4.
    parts = (part for part in _DIGITS.split(path.with_suffix("").as_posix()) if part)
    # Where a number and a word meet, the number comes first.
    return tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts), path.as_posix()
