"""One frame of a video, and what every source of frames can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from posegraph.data.video import Image


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame and its place in the source.

    Attributes:
        number: In the source, from 0. A frame that cannot be read leaves a gap.
        image: BGR ``[H, W, 3]`` uint8.
        time_s: Seconds after frame 0.
        name: ``movie.mp4#12``, or the image's file name: what ``Video.frame_files`` holds.
    """

    number: int
    image: Image
    time_s: float
    name: str


class FrameSource(ABC):
    """Frames of one video in their order; iterable, and a context manager that closes it.

    Attributes:
        name: Stem for the names of output files.
        fps: Frames a second; None where it is not known.
        num_frames: As the header or the folder promises; None where it is not known.
        live: The frames cannot be read a second time.
        problems: A line for each stretch of frames that could not be read, and for an end before the promised one. It
            is complete when the last frame was given.
        dropped: Frames of a live source that were left out because nobody had taken them in time.
    """

    live = False

    def __init__(self, name: str, fps: float | None = None, num_frames: int | None = None) -> None:
        self.name = name
        self.fps = fps
        self.num_frames = num_frames
        self.problems: list[str] = []
        self.dropped = 0

    @abstractmethod
    def frames(self, first: int = 0) -> Iterator[Frame]:
        """The frames numbered ``first`` and above, each exactly as a run from the start gives it.

        Raises :class:`PoseGraphError` when the source stalls.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file, the device or the connection; a second call does nothing."""

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
