"""Frames inside a movie file, which annotations name ``movie.mp4#12``.

A frame's number is its place in the order of display. It is known for certain only when the movie is decoded from its
start. OpenCV's own seeking is right in movies of a constant frame rate and off by several frames, without a word, in
others (phones, screen recordings, transport streams); so a seek is believed only where the time stamp confirms it.

Where a stretch of the file is damaged, OpenCV says that the movie has ended, or passes over the frames without a word.
Reading on gives the frames behind the damage, and their time stamps tell which numbers were lost. Frames that are lost
together with their place in the container, and those of a movie of varying frame rate, leave no such trace: there the
header's count tells. A picture that a decoder gives although its data are damaged looks like any other.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError

# FFmpeg tells each damaged block on stderr, thousands of lines; what was lost is told here in one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_GRAB_AHEAD = 32
"""A frame this near ahead is reached faster by decoding up to it than by going back to a key frame."""
_READ_ON = 32
"""Failed attempts in a row after which a movie has ended, beside one for each frame that its header still promises."""
_MAX_READ_ON = 10_000
_PROOF = 16
"""Frames that are decoded in order, and found evenly spaced, before the first seek is tried."""
_COUNTED = (".avi", ".m4v", ".mov", ".mp4")
"""Their headers count frames. Others say a duration, of the longest stream at that, often of the sound."""
_SAME_FRAME = 0.2
"""Distance, in frames, up to which a time stamp is that of a frame: more than what milliseconds round away."""


class MovieReader:
    """Frames of one movie: in their order (:meth:`walk`), or any by its number (:meth:`read`).

    Attributes:
        fps: As the header says; 0 where it does not.
        time_s: Seconds from frame 0 to the frame at which the reader stands.

    Raises:
        PoseGraphError: the file is missing or is no movie that OpenCV can decode.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PoseGraphError(
                f"{path}: no such movie; the annotations list it: restore it or correct their file_name"
            )
        self.path = path
        self._capture = cv2.VideoCapture()
        self._seekable = True  # nothing so far speaks against seeking
        self._rewind()

    @property
    def num_frames(self) -> int:
        """As the file's header says; where it does not count them, an estimate from the duration."""
        return max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    @property
    def counted(self) -> bool:
        """Whether the header counts the frames."""
        return self.path.suffix.lower() in _COUNTED

    def walk(self) -> Iterator[int]:
        """The number of each frame that can be decoded, in their order; the reader stands at the frame yielded."""
        self._rewind()
        yield self._at
        while self._next():
            yield self._at

    def image(self) -> NDArray[np.uint8] | None:
        """The BGR image ``[H, W, 3]`` of the frame at which the reader stands; None when it cannot be decoded."""
        if not self._standing:
            return None
        done, image = self._capture.retrieve()
        return image.astype(np.uint8, copy=False) if done and image is not None else None

    def read(self, frame: int) -> NDArray[np.uint8]:
        """A BGR image ``[H, W, 3]``; forward order costs one decoding each.

        Raises :class:`PoseGraphError` for a frame that the movie does not have, or that cannot be decoded.
        """
        if not (self._standing and self._at <= frame <= self._at + _GRAB_AHEAD):
            self._jump(frame)
        while self._at < frame and self._next():
            pass
        image = self.image() if self._at == frame else None
        if image is None:
            raise PoseGraphError(
                f"{self.path}: frame {frame} cannot be decoded; its header says {self.num_frames} frames: copy the "
                "movie again or remove the annotations of that frame"
            )
        return image

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()
        self._standing = False

    def _rewind(self) -> None:
        """Stand at the first frame. The file is opened anew: in some, a seek to frame 0 lands behind it."""
        self.close()
        self._capture = cv2.VideoCapture(str(self.path))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and fps > 0 else 0.0
        self._even = self.fps > 0  # no time stamp since the start speaks against a constant frame rate
        self._ordered = 0  # frames decoded in order since the start
        self._at, self.time_s, self._start_s = -1, 0.0, 0.0
        if not (self._capture.isOpened() and self._next()):
            raise PoseGraphError(
                f"{self.path}: cannot be decoded; expected a movie such as .mp4: convert it or copy it again"
            )

    def _next(self) -> bool:
        """Go to the next frame that can be decoded; False at the end."""
        attempts = _READ_ON + min(_MAX_READ_ON, max(0, self.num_frames - self._at))
        failed = 0
        while not self._capture.grab():
            failed += 1
            if failed == attempts:
                self._standing = False
                return False
        self._standing = True
        if self._at < 0:
            self._at = failed
            self.time_s = self._seconds(failed)
            self._start_s = self._stamp_s() - self.time_s
            return True
        number = self._at + 1 + failed
        time_s = self._stamp_s() - self._start_s
        if time_s <= self.time_s:  # the last frames of some .avi files are stamped 0
            time_s = self._seconds(number)
        elif self._even:
            # Which frames are lost is not told by the number of failures: decoders are behind, and swallow some.
            place = round(time_s * self.fps)
            in_turn = place == self._at + 1
            believed = in_turn or failed > 0 or (self.counted and place < self.num_frames)
            self._even = believed and place > self._at and abs(time_s * self.fps - place) < _SAME_FRAME
            self._seekable &= self._even
            number = place if self._even else number
        self._at, self.time_s = number, time_s
        self._ordered += 1
        return True

    def _jump(self, frame: int) -> None:
        """Stand at ``frame`` where time stamps say that a seek leads there, else at one before it, reached in order."""
        while self._standing and self._seekable and self._ordered < min(_PROOF, frame) and self._next():
            pass
        if self._seekable and self._even:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
            self._standing, self._ordered = self._capture.grab(), _PROOF
            stamp_s = self._stamp_s() if self._standing else 0.0
            if self._standing and abs((stamp_s - self._start_s) * self.fps - frame) < _SAME_FRAME:
                self._at, self.time_s = frame, stamp_s - self._start_s
                return
            # A stamp of 0 is none.
            self._seekable = stamp_s == 0
        elif self._standing and self._at <= frame:
            return
        self._rewind()

    def _stamp_s(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def _seconds(self, number: int) -> float:
        return number / self.fps if self.fps else 0.0
