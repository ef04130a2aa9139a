"""Reading frames in a thread of its own, so that decoding goes on while a model computes."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from posegraph.data.sources.frame import Frame, FrameSource
from posegraph.errors import PoseGraphError

T = TypeVar("T")
_AHEAD = 4
"""Frames decoded in advance."""
_GOODBYE_S = 2.0
"""How long a closed source waits for its thread: long enough to decode a frame, unless the thread hangs."""


class FrameBuffer:
    """A short queue between the thread that reads frames and the one that uses them.

    Args:
        size: Frames it holds.
        latest: When it is full, a new frame pushes out the oldest; else the reader waits for room.
    """

    def __init__(self, size: int, latest: bool) -> None:
        self.dropped = 0
        self._size, self._latest = size, latest
        self._frames: deque[Frame] = deque()
        self._ended, self._closed = False, False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, frame: Frame) -> bool:
        """Add a frame; False when nobody wants more."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest or self._closed or len(self._frames) < self._size)
            if self._closed:
                return False
            if len(self._frames) == self._size:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None) -> None:
        """No frame follows; ``error`` is raised where the next one is asked for."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """No frame is wanted any more."""
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._changed.notify_all()

    def get(self, timeout_s: float | None) -> Frame | None:
        """The next frame; None at the end. Raises TimeoutError when none comes within ``timeout_s``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._frames or self._ended or self._closed, timeout_s):
                raise TimeoutError
            if self._frames:
                self._changed.notify_all()
                return self._frames.popleft()
            if self._error is not None:
                raise self._error
            return None


class BufferedSource(FrameSource):
    """A source whose subclass yields frames from :meth:`read`, which runs in a thread of its own.

    Args:
        timeout_s: A frame that takes longer than this ends the source with an error; None: it may take for ever.
        latest: Frames that nobody takes in time are dropped, so that the newest is at hand; else the reader waits.
    """

    def __init__(
        self,
        name: str,
        fps: float | None = None,
        num_frames: int | None = None,
        *,
        timeout_s: float | None = None,
        latest: bool = False,
    ) -> None:
        super().__init__(name, fps, num_frames)
        self.timeout_s = timeout_s
        self.latest = latest
        self._running: tuple[FrameBuffer, threading.Thread] | None = None

    @abstractmethod
    def read(self, first: int) -> Generator[Frame, None, None]:
        """The frames from number ``first``, read one after the other; what it opens, it closes when it ends."""

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """See :meth:`FrameSource.frames`. A second call ends the first."""
        self._stop(_GOODBYE_S)
        self.problems.clear()
        buffer = FrameBuffer(1 if self.latest else _AHEAD, self.latest)
        thread = threading.Thread(target=self._fill, args=(buffer, first), name=f"frames of {self.name}", daemon=True)
        self._running = buffer, thread
        thread.start()
        return self._take(buffer)

    def close(self) -> None:
        """See :meth:`FrameSource.close`. A thread that hangs in a dead device is left behind: it ends with Python."""
        self._stop(_GOODBYE_S)

    def _stop(self, wait_s: float) -> None:
        if self._running is not None:
            buffer, thread = self._running
            self._running = None
            buffer.close()
            thread.join(wait_s)

    def _take(self, buffer: FrameBuffer) -> Iterator[Frame]:
        number, wait_s = None, _GOODBYE_S
        try:
            while (frame := buffer.get(self.timeout_s)) is not None:
                number, self.dropped = frame.number, buffer.dropped
                yield frame
        except TimeoutError:
            wait_s = 0.0  # it hangs
            after = "since it was opened" if number is None else f"after frame {number}"
            raise PoseGraphError(
                f"{self.name}: no frame within {self.timeout_s:g} s {after}; expected a source that goes on: check the "
                "camera, the connection or the program that writes, or give a longer timeout"
            ) from None
        finally:
            if self._running is not None and self._running[0] is buffer:
                self._stop(wait_s)

    def _fill(self, buffer: FrameBuffer, first: int) -> None:
        frames = self.read(first)
        error: BaseException | None = None
        try:
            for frame in frames:
                if not buffer.put(frame):
                    break
        except BaseException as raised:  # it is the user's thread that is to see it
            error = raised
        finally:
            frames.close()
            buffer.end(error)


def within(timeout_s: float | None, work: Callable[[], T], stalled: str) -> T:
    """What ``work`` gives. Raises :class:`PoseGraphError` ``stalled`` when it takes longer than ``timeout_s``."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as raised:  # it is the user's thread that is to see it
            errors.append(raised)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise PoseGraphError(stalled)
    if errors:
        raise errors[0]
    return results[0]
