"""Exit statuses of all commands."""

from __future__ import annotations

DONE = 0

FAULT = 2
"""A mistake that the user can cure, or an input or output that failed; click's own status for a wrong option."""

GAPS = 3
"""``predict``: done, but for frames that could not be read; what could be read is in the outputs."""

STOPPED = 130
"""Stopped by Ctrl-C, as shells have it; ``predict`` also by SIGTERM. What was done is whole on disk."""
