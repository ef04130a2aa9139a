"""One line for each stretch of frames that cannot be read."""

from __future__ import annotations

_MAX_LINES = 100


class Gaps:
    """Collects the numbers of frames that cannot be read, in rising order, and keeps ``lines`` up to date.

    Args:
        lines: The ``problems`` of a source, empty so far. After a hundred lines one more counts the rest: a camera
            with a bad connection can run for days.
        source: What the lines name.
        cure: What the user can do.
    """

    def __init__(self, lines: list[str], source: str, cure: str) -> None:
        self._lines, self._source, self._cure = lines, source, cure
        self._stretches = 0
        self._first, self._last, self._reason = 0, -1, ""

    def add(self, first: int, last: int, reason: str) -> None:
        """Frames ``first .. last`` are missing. A stretch that goes on keeps its first reason."""
        if not self._stretches or first != self._last + 1:
            self._stretches += 1
            self._first, self._reason = first, reason
        self._last = last
        where = f"frame {self._first}" if self._first == last else f"frames {self._first}-{last}"
        line = f"{self._source}: {where} cannot be read ({self._reason}) and left out; {self._cure}"
        if self._stretches > _MAX_LINES:
            line = f"{self._source}: {self._stretches - _MAX_LINES} more such stretches, the last of {where}"
        self._lines[min(self._stretches, _MAX_LINES + 1) - 1 :] = [line]
