"""The frames of a video on disk: finding, reading and keeping them."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.movies import MovieReader
from posegraph.data.tracks import Video, movie_frame
from posegraph.errors import PoseGraphError

Image = NDArray[np.uint8]
_OPEN_MOVIES = 4
_LAST_NUMBER = re.compile(r"(\d+)(?=\.[^.]*$)")


class FrameReader:
    """Reads frames as BGR images ``[H, W, 3]`` and keeps the latest ``cache_frames`` of them.

    Args:
        images: Folder that image names start from. None: they are looked up from the annotation file's folder upwards.
        cache_frames: Decoded frames to keep.
    """

    def __init__(self, images: str | Path | None = None, cache_frames: int = 64) -> None:
        self.images = None if images is None else Path(images)
        self.cache_frames = cache_frames
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        self._movies: OrderedDict[Path, MovieReader] = OrderedDict()
        self._roots: dict[Path, Path] = {}
        self._there: set[Path] = set()

    def root(self, video: Video) -> Path:
        """The folder that the video's image names start from. Raises :class:`PoseGraphError` when it is not found."""
        if self.images is not None:
            return self.images
        folder = video.source.parent
        if folder not in self._roots:
            self._roots[folder] = self._look_upwards(video)
        return self._roots[folder]

    def _look_upwards(self, video: Video) -> Path:
        above = list(video.source.resolve().parents)
        for folder in above:
            # Any frame will do: a single missing one is named when it is read.
            if any(on_disk(folder / name) for name in video.frame_files[:5]):
                return folder
        raise PoseGraphError(
            f"{video.source}: image {video.frame_files[0]!r} is neither in {above[0]} nor in a folder above it; put "
            "the images there or name the folder that image names start from (--images, data.images)"
        )

    def clip_paths(self, video: Video, frame: int, num_frames: int, future_frames: int = 0) -> list[Path]:
        """Files of ``num_frames`` frames in their order, the last ``future_frames`` of them after ``frame``.

        Before the video's first frame, it is repeated, and after its last one, that. Neighbours are the video's own
        frames, annotated or not: one that the annotation file does not list is taken from the disk when the number
        before (or after) is there.
        """
        past = self._neighbours(video, frame, num_frames - 1 - future_frames, step=-1)
        future = self._neighbours(video, frame, future_frames, step=1)
        root = self.root(video)
        return [root / name for name in (*reversed(past), video.frame_files[frame], *future)]

    def _neighbours(self, video: Video, row: int, count: int, step: int) -> list[str]:
        """Names of the ``count`` frames before (``step`` -1) or after (1) a row of the video, the nearest first."""
        root, listed = self.root(video), video.frame_rows
        name = video.frame_files[row]
        names = []
        for _ in range(count):
            beside = _name_beside(name, step)
            if beside in listed:
                name, row = beside, listed[beside]
            elif beside is not None and self._is_there(root / beside, after=step > 0):
                name = beside
            elif 0 <= row + step < video.num_frames:
                row += step
                name = video.frame_files[row]
            names.append(name)
        return names

    def _is_there(self, path: Path, after: bool) -> bool:
        inside = movie_frame(path.name)
        # What comes before a frame of a movie is there; only for what comes after it the movie has to be opened.
        if inside is None or not after or not on_disk(path):
            return on_disk(path)
        return inside[1] < self._movie(path.with_name(inside[0])).num_frames

    def check(self, video: Video, frame: int, num_frames: int, future_frames: int = 0) -> None:
        """Raise :class:`PoseGraphError` when an image of the clip around ``frame`` is not on disk."""
        for path in self.clip_paths(video, frame, num_frames, future_frames):
            if path not in self._there:
                if not on_disk(path):
                    raise _missing(path)
                self._there.add(path)

    def read(self, path: Path) -> Image:
        """One frame. Raises :class:`PoseGraphError` when it is missing, cut off or no image."""
        if path in self._cache:
            self._cache.move_to_end(path)
            return self._cache[path]
        image = self._decode(path)
        if self.cache_frames:
            self._cache[path] = image
            if len(self._cache) > self.cache_frames:
                self._cache.popitem(last=False)
        return image

    def _decode(self, path: Path) -> Image:
        inside = movie_frame(path.name)
        if inside is None:
            return read_image(path)
        return self._movie(path.with_name(inside[0])).read(inside[1])

    def _movie(self, path: Path) -> MovieReader:
        if path not in self._movies:
            if len(self._movies) == _OPEN_MOVIES:
                self._movies.popitem(last=False)
            self._movies[path] = MovieReader(path)
        self._movies.move_to_end(path)
        return self._movies[path]

    def __getstate__(self) -> dict[str, Any]:
        # A loader process opens movies for itself, and decodes its own frames.
        return self.__dict__ | {"_movies": OrderedDict(), "_cache": OrderedDict()}


def read_image(path: Path) -> Image:
    """A BGR image ``[H, W, 3]``. Raises :class:`PoseGraphError` when it is missing, cut off or no image."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise PoseGraphError(f"{path}: cannot be read ({error.strerror}); expected an image") from None
    # Decoders fill the missing part of a cut-off JPEG with grey and say nothing; its end marker is then missing.
    cut_off = data[:2] == b"\xff\xd8" and data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
    image = None if cut_off or not data else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        found = "the JPEG is cut off" if cut_off else f"{len(data)} bytes that are no image"
        raise PoseGraphError(f"{path}: {found}; expected a whole image: copy the file again or remove its entry")
    return image.astype(np.uint8, copy=False)


def _missing(path: Path) -> PoseGraphError:
    return PoseGraphError(f"{path}: no such image; the annotations list it: restore the file or remove its entry")


def on_disk(path: Path) -> bool:
    """Whether the image, or the movie that a frame is inside of, is there."""
    return frame_file(path).is_file()


def frame_file(path: Path) -> Path:
    """The file that holds a frame: the image itself, or the movie that it is inside of."""
    inside = movie_frame(path.name)
    return path if inside is None else path.with_name(inside[0])


def _name_beside(name: str, step: int) -> str | None:
    """The name of the frame whose number is ``step`` more; None: it would be negative, or the name has none."""
    inside = movie_frame(name)
    if inside is not None:
        movie, frame = inside
        return f"{movie}#{frame + step}" if frame + step >= 0 else None
    match = _LAST_NUMBER.search(name)
    if match is None or int(match[1]) + step < 0:
        return None
    number = str(int(match[1]) + step).zfill(len(match[1]))
    return name[: match.start(1)] + number + name[match.end(1) :]
