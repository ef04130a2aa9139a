"""Pictures and videos as files; both appear under their name only when they are whole."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError
from posegraph.files import full_disk_told, replacing

Image = NDArray[np.uint8]

_TICKS = 90_000
"""Time stamps a second."""
_SECONDS_BETWEEN_KEY_FRAMES = 2
_CONTAINER = {
    # Pieces that end before each key frame are playable at once; closing makes them one ordinary mp4.
    "movflags": "frag_keyframe+hybrid_fragmented",
    "flush_packets": "1",
}
_BT601 = {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 1}
"""What OpenCV's conversion to YUV makes, as numbers of H.273."""


def write_png(path: str | Path, image_bgr: Image) -> None:
    """Write ``[H, W, 3]`` uint8 as a PNG file. Raises :class:`PoseGraphError` when the folder cannot be written."""
    _, encoded = cv2.imencode(".png", image_bgr)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


class VideoWriter:
    """Write frames to an mp4 file (H.264, which browsers and office programs play); a context manager.

    >>> with VideoWriter("out.mp4", fps=25) as video:  # doctest: +SKIP
    ...     video.write(frame)

    The first frame sets the size; an odd side is made even by repeating the last row or column. Until
    :meth:`close`, which leaving the ``with`` block does, the video is ``out.unfinished.mp4``: it can be played up to
    the last two seconds or so while it is written, after the process was killed, and after an error.

    Args:
        path: Ends in ``.mp4``.
        fps: Frames a second.

    Raises:
        PoseGraphError: the folder cannot be written, PyAV lacks the encoder, no frame was written, or the disk is full.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        if Path(path).suffix.lower() != ".mp4":
            raise PoseGraphError(f"{path}: videos are written as .mp4; give a name that ends in .mp4")
        self.path = Path(path)
        self.unfinished = self.path.with_suffix(".unfinished.mp4")
        """Where the video is until it is closed."""
        self.fps = fps
        self._container: OutputContainer | None = None
        self._stream: VideoStream
        self._size_wh = (0, 0)
        self._last_tick = -1

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, image_bgr: Image, time_s: float | None = None) -> None:
        """Append one frame ``[H, W, 3]`` uint8.

        Args:
            image_bgr: Of the first frame's size.
            time_s: When it is shown, counted from the start of the video; None: a frame's time after the one before.

        Raises:
            ValueError: a frame of another size than the first.
        """
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        if self._container is None:
            self._size_wh, self._container = size_wh, self._open(size_wh)
        if size_wh != self._size_wh:
            raise ValueError(f"a frame is {size_wh} (width, height), the first one was {self._size_wh}")
        even = cv2.copyMakeBorder(image_bgr, 0, size_wh[1] % 2, 0, size_wh[0] % 2, cv2.BORDER_REPLICATE)
        yuv = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        step = round(_TICKS / self.fps)
        tick = (self._last_tick + step if self._last_tick >= 0 else 0) if time_s is None else round(time_s * _TICKS)
        # A clock that stands still or goes back must not end the run.
        self._last_tick = max(tick, self._last_tick + 1)
        frame.pts, frame.time_base = self._last_tick, Fraction(1, _TICKS)
        self._encode(self._container, frame)

    def close(self) -> None:
        """Finish the file and give it its name. Raises :class:`PoseGraphError` when it has no frame."""
        container = self._container
        if container is None:
            raise PoseGraphError(f"{self.path}: no frame was written; the video would be empty")
        self._finish(container)
        self.unfinished.replace(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self._container is not None:
            with suppress(PoseGraphError):  # a disk that is full is told already
                self._finish(self._container)

    def _open(self, size_wh: tuple[int, int]) -> OutputContainer:
        if "libx264" not in av.codecs_available:
            raise PoseGraphError(f"{self.path}: PyAV {av.__version__} has no libx264 here; install av from a wheel")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            container = av.open(str(self.unfinished), "w", options=_CONTAINER)
        except OSError as error:
            raise PoseGraphError(
                f"cannot write {self.path}: {error.strerror}; choose a folder that can be written"
            ) from error
        stream = container.add_stream("libx264", rate=Fraction(self.fps).limit_denominator(1001))
        stream.width, stream.height = (side + side % 2 for side in size_wh)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        for name, number in _BT601.items():
            setattr(stream.codec_context, name, number)
        key_frames = max(1, round(_SECONDS_BETWEEN_KEY_FRAMES * self.fps))
        stream.options = {"preset": "superfast", "crf": "21", "bf": "0", "g": str(key_frames)}
        self._stream = stream
        return container

    def _encode(self, container: OutputContainer, frame: av.VideoFrame | None) -> None:
        with full_disk_told(self.path, f"make room on the disk; what was done is in {self.unfinished.name}"):
            container.mux(self._stream.encode(frame))

    def _finish(self, container: OutputContainer) -> None:
        """Write what the encoder still has, and the index of the whole file."""
        try:
            self._encode(container, None)
        finally:
            with full_disk_told(self.path, f"make room on the disk; what was done is in {self.unfinished.name}"):
                container.close()
