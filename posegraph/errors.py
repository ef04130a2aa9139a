"""What posegraph raises when a user can cure the cause.

One line that says what is wrong, what was found, what was expected, and the cure. The command line prints that
line and exits with status 2; nothing else in the package catches it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PoseGraphError(Exception):
    """A mistake in what the user gave: a file, a field, an option. ``str(error)`` is one line."""

    def __init__(self, message: str) -> None:
        # A loader's worker process hands its error over inside a traceback, whose end is what the user needs.
        own = message.rsplit(f"{__name__}.PoseGraphError: ", 1)[-1]
        super().__init__(" ".join(own.split()))


class SharedError(PoseGraphError):
    """A mistake that ended several processes which work together.

    Attributes:
        told_here: True in the process that is to report it; the others end without a word.
    """

    def __init__(self, message: str, told_here: bool) -> None:
        super().__init__(message)
        self.told_here = told_here


def did_you_mean(wrong: str, valid: Iterable[str]) -> str:
    """``"; did you mean 'l_wrist'?"`` for the nearest valid name, or ``""`` when none is near."""
    near = difflib.get_close_matches(wrong, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
