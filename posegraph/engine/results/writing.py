"""All result files of a video, from its frames, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

from posegraph.engine.results import tables
from posegraph.engine.results.arrays import NpzWriter
from posegraph.engine.results.record import FrameRecord
from posegraph.engine.results.scoring_files import CocoResultsWriter, PoseTrackWriter
from posegraph.engine.results.tables import CsvWriter, ParquetWriter
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.files import full_disk_told, replacing
from posegraph.skeleton import Skeleton

RESULT_FORMATS = {
    "posetrack18": "{name}.json",
    # Result lists are no annotation files: beside them, a folder of PoseTrack18 files could not be read as a whole.
    "coco": "coco/{name}.json",
    "csv": "{name}.csv",
    "parquet": "{name}.parquet",
    "npz": "{name}.npz",
}
"""Format -> its file in the output folder."""

_PEOPLE_AT_ONCE = 4096
_FRAMES_AT_ONCE = 1024


class _Writer(Protocol):
    def write(self, frames: Sequence[FrameRecord]) -> None: ...


def check_formats(formats: Iterable[str]) -> None:
    """Raise :class:`PoseGraphError` for a format that is not written, or whose library is not installed."""
    for format in formats:
        if format not in RESULT_FORMATS:
            raise PoseGraphError(
                f"format {format!r} is not written; these are: {', '.join(RESULT_FORMATS)}"
                f"{did_you_mean(format, RESULT_FORMATS)}"
            )
        if format == "parquet":
            tables.pyarrow()


def result_path(out: str | Path, name: str, format: str) -> Path:
    """Where :func:`write_results` writes a format."""
    return Path(out) / RESULT_FORMATS[format].format(name=name)


def write_results(
    frames: Iterable[FrameRecord], formats: Sequence[str], out: str | Path, name: str, skeleton: Skeleton
) -> list[Path]:
    """Write the files of a video; each appears under its name when it is whole.

    Args:
        frames: In order, for example those of a journal; they are asked for once, and some thousand people are held
            at a time (the arrays of all of them for ``npz``).
        formats: Some of :data:`RESULT_FORMATS`.
        out: The output folder.
        name: Of the video.
        skeleton: Of the poses.

    Raises:
        PoseGraphError: an unknown format, a library that is not installed, or a folder that cannot be written.
    """
    check_formats(formats)
    paths = [result_path(out, name, format) for format in formats]
    with full_disk_told(out, "make room on the disk, or choose another folder"), ExitStack() as stack:
        writers = [
            stack.enter_context(_writer(format, stack.enter_context(replacing(path)), skeleton))
            for format, path in zip(formats, paths, strict=True)
        ]
        for some in _portions(frames):
            for writer in writers:
                writer.write(some)
    return paths


def _writer(format: str, path: Path, skeleton: Skeleton) -> AbstractContextManager[_Writer]:
    match format:
        case "posetrack18":
            return PoseTrackWriter(path, skeleton)
        case "coco":
            return CocoResultsWriter(path, skeleton)
        case "csv":
            return CsvWriter(path, skeleton)
        case "parquet":
            return ParquetWriter(path, skeleton)
        case _:
            return NpzWriter(path, skeleton)


def _portions(frames: Iterable[FrameRecord]) -> Iterator[list[FrameRecord]]:
    some: list[FrameRecord] = []
    people = 0
    for record in frames:
        some.append(record)
        people += len(record.poses.track_ids)
        if people >= _PEOPLE_AT_ONCE or len(some) == _FRAMES_AT_ONCE:
            yield some
            some, people = [], 0
    if some:
        yield some
