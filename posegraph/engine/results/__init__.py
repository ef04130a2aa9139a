"""What a run over a video leaves behind: a journal while it goes on, files of all formats after it, and an overlay."""

from posegraph.engine.results.journal import Journal, JournalHeader, read_journal
from posegraph.engine.results.overlay import OverlayWriter
from posegraph.engine.results.record import FrameRecord
from posegraph.engine.results.writing import RESULT_FORMATS, check_formats, result_path, write_results

__all__ = [
    "RESULT_FORMATS",
    "FrameRecord",
    "Journal",
    "JournalHeader",
    "OverlayWriter",
    "check_formats",
    "read_journal",
    "result_path",
    "write_results",
]
