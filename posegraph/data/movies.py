"""Frames inside a movie file, which annotations name ``movie.mp4#12``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError

_GRAB_AHEAD = 32
"""A frame this near ahead is reached faster by decoding up to it than by going back to a key frame."""


class MovieReader:
    """Frames of one movie in any order; forward order costs one decoding each.

    Raises:
        PoseGraphError: the file is missing or is no movie that OpenCV can decode.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PoseGraphError(
                f"{path}: no such movie; the annotations list it: restore it or correct their file_name"
            )
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise PoseGraphError(
                f"{path}: cannot be decoded; expected a movie such as .mp4: convert it or copy it again"
            )
        self._next = 0

    @property
    def num_frames(self) -> int:
        """As the file's header says."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self, frame: int) -> NDArray[np.uint8]:
        """A BGR image ``[H, W, 3]``. Raises :class:`PoseGraphError` for a frame that the movie does not have."""
        if not self._next <= frame <= self._next + _GRAB_AHEAD:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
            self._next = frame
        while self._next < frame and self._capture.grab():
            self._next += 1
        done, image = self._capture.read() if self._next == frame else (False, None)
        if not done or image is None:
            # Whatever was decoded last, the next frame is found by its number.
            self._next = -_GRAB_AHEAD - 1
            raise PoseGraphError(
                f"{self.path}: frame {frame} cannot be decoded; its header says {self.num_frames} frames: copy the "
                "movie again or remove the annotations of that frame"
            )
        self._next += 1
        return image.astype(np.uint8, copy=False)
