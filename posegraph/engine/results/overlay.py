"""The video with everybody's pose over it, written while the run goes on."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType

from posegraph.data.people import FramePoses
from posegraph.data.sources.frame import Frame
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.visualize import VideoWriter, draw_frame, letterbox

FPS_UNKNOWN = 25.0
"""Of a source that does not say; frames are shown at their own times all the same."""


class OverlayWriter:
    """An mp4 with skeleton, track id and mean confidence of everybody; a context manager.

    The first frame sets the size; a frame of another size is scaled to fit, on black. Frames are shown at their own
    times, so a gap in the source is a still picture of its length.

    Leaving the ``with`` block, also by an error or Ctrl-C, finishes the file and gives it its name; until then, and
    after a kill or on a full disk, it is ``NAME.unfinished.mp4``, which can be played.

    Args:
        path: Ends in ``.mp4``.
        fps: Of the source; None: not known.
        skeleton: Of the poses.

    Raises:
        PoseGraphError: the file cannot be written, or the disk is full.
    """

    def __init__(self, path: str | Path, fps: float | None, skeleton: Skeleton) -> None:
        self.path = Path(path)
        self._video = VideoWriter(path, fps or FPS_UNKNOWN)
        self._skeleton = skeleton
        self._size_hw: tuple[int, int] | None = None
        self._start_s = 0.0

    def __enter__(self) -> OverlayWriter:
        return self

    def write(self, frame: Frame, poses: FramePoses) -> None:
        """Draw and append one frame."""
        drawn = draw_frame(frame.image, poses, self._skeleton)
        if self._size_hw is None:
            self._video.write(drawn, 0.0)
            self._size_hw, self._start_s = (drawn.shape[0], drawn.shape[1]), frame.time_s
            return
        if drawn.shape[:2] != self._size_hw:
            drawn = letterbox(drawn, *self._size_hw)
        self._video.write(drawn, frame.time_s - self._start_s)

    def close(self) -> None:
        """Finish the file; there is none where no frame was written."""
        if self._size_hw is not None:
            self._video.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A disk that is full is told already.
        with suppress(PoseGraphError) if isinstance(error, PoseGraphError) else nullcontext():
            self.close()
