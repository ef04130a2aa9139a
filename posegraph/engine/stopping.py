"""Ctrl-C and a scheduler's SIGTERM as one KeyboardInterrupt, between two frames rather than within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, the first of them held back by :meth:`held`.

    A launcher sends its own signal after a Ctrl-C that its processes got too: of SIGTERM and SIGHUP only the first
    counts, so that outputs are finished in peace. A second Ctrl-C raises again. Signals that the process was told to
    ignore (``nohup``) stay ignored, and away from the main thread, where Python sets no handlers, nothing is changed.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._came = self._holding = self._waiting = False

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that a signal does not cut in two: it raises at the block's end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._came and number != signal.SIGINT:
            return
        self._came = True
        if self._holding:
            self._waiting = True
            return
        raise KeyboardInterrupt
