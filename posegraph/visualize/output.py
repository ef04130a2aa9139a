"""Pictures and videos as files; both appear under their name only when they are whole."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError
from posegraph.files import replacing

Image = NDArray[np.uint8]


def write_png(path: str | Path, image_bgr: Image) -> None:
    """Write ``[H, W, 3]`` uint8 as a PNG file. Raises :class:`PoseGraphError` when the folder cannot be written."""
    _, encoded = cv2.imencode(".png", image_bgr)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


class VideoWriter:
    """Write frames to an mp4 file (MPEG-4 part 2); a context manager.

    >>> with VideoWriter("out.mp4", fps=25) as video:  # doctest: +SKIP
    ...     video.write(frame)

    The first frame sets the size. The file appears on leaving the ``with`` block; after an error there is none.

    Raises:
        PoseGraphError: the folder cannot be written, OpenCV has no encoder for it, no frame was written, or the
            disk is full.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        if Path(path).suffix.lower() != ".mp4":
            raise PoseGraphError(f"{path}: videos are written as .mp4; give a name that ends in .mp4")
        self.path = Path(path)
        self.fps = fps
        self._encoder: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._frames = 0
        self._on_exit = ExitStack()

    def __enter__(self) -> VideoWriter:
        self._temporary = self._on_exit.enter_context(replacing(self.path))
        return self

    def write(self, image_bgr: Image) -> None:
        """Append one frame ``[H, W, 3]`` uint8. Raises ValueError for a frame of another size than the first."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        if self._encoder is None:
            self._size_wh = size_wh
            self._encoder = self._open(size_wh)
        if size_wh != self._size_wh:
            # OpenCV would drop the frame without a word.
            raise ValueError(f"frame {self._frames} is {size_wh} (width, height), the first was {self._size_wh}")
        # Players want even sides: repeat the last row and column where needed.
        bottom, right = size_wh[1] % 2, size_wh[0] % 2
        self._encoder.write(cv2.copyMakeBorder(image_bgr, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        self._frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The temporary file is renamed or removed by `replacing`, which must see an error found here too.
        with self._on_exit:
            if self._encoder is not None:
                self._encoder.release()
            if error is not None:
                raise error
            self._check_whole()

    def _open(self, size_wh: tuple[int, int]) -> cv2.VideoWriter:
        even_wh = (size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2)
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        encoder = cv2.VideoWriter(str(self._temporary), fourcc, self.fps, even_wh)
        if not encoder.isOpened():
            raise PoseGraphError(
                f"{self.path}: OpenCV {cv2.__version__} cannot encode mp4v here; install opencv-python from a wheel"
            )
        return encoder

    def _check_whole(self) -> None:
        """OpenCV tells of no failed write, so the file is asked how many frames it has."""
        if self._frames == 0:
            raise PoseGraphError(f"{self.path}: no frame was written; the video would be empty")
        capture = cv2.VideoCapture(str(self._temporary))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if found != self._frames:
            raise PoseGraphError(
                f"{self.path}: {max(found, 0)} of {self._frames} frames were stored; is the disk full?"
            )
