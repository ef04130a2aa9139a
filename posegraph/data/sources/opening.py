"""From what a user calls a source to its frames."""

from __future__ import annotations

import glob
import io
import math
from pathlib import Path

from posegraph.data.sources.frame import FrameSource
from posegraph.data.sources.images import IMAGE_SUFFIXES, ImageSource, in_order, is_image
from posegraph.data.sources.live import is_live, open_live
from posegraph.data.sources.movie import MovieSource
from posegraph.data.sources.raw import Pipe, RawSource
from posegraph.errors import PoseGraphError

STDIN = "-"
_STDIN_FD = 0


def open_frames(
    spec: str | Path,
    *,
    fps: float | None = None,
    size_wh: tuple[int, int] | None = None,
    pixel_format: str = "bgr24",
    timeout_s: float | None = 10.0,
    every_frame: bool = False,
    stdin: Pipe | None = None,
) -> FrameSource:
    """Open a source of frames.

    ``spec`` is a movie file, a folder of images, a pattern of images (``"frames/*.png"``), an image, a camera (``"0"``,
    ``"camera:0"``), a network stream (``rtsp://``, ``http://`` ...) or ``"-"``: uncompressed frames on stdin. A Path is
    always a file or a folder.

    Args:
        fps: Frames a second, of images and raw frames (otherwise 25), or in place of what a movie's header says.
        size_wh: Of raw frames on stdin; not needed where they come with a YUV4MPEG2 header.
        pixel_format: Of raw frames on stdin, by FFmpeg's names (``PIXEL_FORMATS``).
        timeout_s: Longest wait for a frame of a camera, a stream or stdin; None: for ever.
        every_frame: Of a camera or a stream: every frame, not the latest.
        stdin: Where ``"-"`` reads from; None: the process' own.

    Raises:
        PoseGraphError: there is no such source, or it cannot be opened.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise PoseGraphError(f"{spec}: {fps:g} frames a second; expected a number above 0")
    if timeout_s is not None and not timeout_s > 0:
        raise PoseGraphError(f"{spec}: a timeout of {timeout_s:g} s; expected a number above 0")
    if spec == STDIN:
        pipe = stdin or io.FileIO(_STDIN_FD, "rb", closefd=False)
        return RawSource(pipe, size_wh, pixel_format, fps=fps, timeout_s=timeout_s)
    if isinstance(spec, str) and is_live(spec):
        return open_live(spec, timeout_s=timeout_s, every_frame=every_frame)
    return _open_path(Path(spec), fps)


def _open_path(path: Path, fps: float | None) -> FrameSource:
    if path.is_dir():
        # A name for "." and "..", too.
        return ImageSource(path.resolve().name or "images", images_in(path), fps)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSource(path.stem, [path], fps)
        return MovieSource(path, fps)
    if glob.has_magic(str(path)):
        return ImageSource(path.parent.resolve().name or "images", _matching(path), fps)
    raise no_such_source(path)


def no_such_source(path: Path) -> PoseGraphError:
    """The error for a path that leads nowhere."""
    return PoseGraphError(
        f"{path}: no such file or folder; expected a movie, a folder of images, a camera's number, an address such as "
        "rtsp://... or '-' for stdin: check the path"
    )


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, sorted as people count. Raises :class:`PoseGraphError` when there is none."""
    try:
        files = [path for path in folder.iterdir() if is_image(path) and path.is_file()]
    except OSError as error:
        raise PoseGraphError(f"{folder}: cannot be read ({error.strerror}); expected a folder of images") from None
    if not files:
        raise PoseGraphError(
            f"{folder}: no image in it; expected one image a frame ({', '.join(IMAGE_SUFFIXES)}): check the path"
        )
    return in_order(files)


def _matching(pattern: Path) -> list[Path]:
    files = [path for path in map(Path, glob.glob(str(pattern))) if is_image(path) and path.is_file()]
    if not files:
        raise PoseGraphError(
            f"{pattern}: no image matches; expected a pattern of images such as 'frames/*.png': check it, in quotes"
        )
    return in_order(files)
