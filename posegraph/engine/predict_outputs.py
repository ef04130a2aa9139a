"""Where the files of a run lie, and which sources are finished."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

import posegraph
from posegraph.engine.predict_options import PredictOptions
from posegraph.engine.predict_report import SourceReport
from posegraph.engine.results import RESULT_FORMATS, JournalHeader, check_formats, result_path
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.files import read_json, write_json

OVERLAY = "overlay"
SAVED = (OVERLAY, *RESULT_FORMATS)
"""What can be saved."""

RUNS = "runs"
"""Folder below the output folder: a record of each finished source, and the journals of the others."""

_CURE = "give --overwrite to start anew, or another --out"


@dataclass(frozen=True)
class Outputs:
    """The files of one source.

    Fields:
        out: The output folder.
        name: Path of the files below it, without an ending.
        save: Some of ``SAVED``.
    """

    out: Path
    name: str
    save: tuple[str, ...]

    @property
    def formats(self) -> tuple[str, ...]:
        """Result files, the overlay aside."""
        return tuple(format for format in self.save if format != OVERLAY)

    @property
    def overlay(self) -> Path | None:
        """The overlay; None where none is wanted."""
        return self.out / f"{self.name}.mp4" if OVERLAY in self.save else None

    @property
    def files(self) -> list[Path]:
        """All that a finished run leaves, but for its record."""
        overlay = [] if self.overlay is None else [self.overlay]
        return overlay + [result_path(self.out, self.name, format) for format in self.formats]

    @property
    def journal(self) -> Path:
        """There while the source is not finished."""
        return self.out / RUNS / f"{self.name}.jsonl"

    @property
    def record(self) -> Path:
        """There when it is: what made the files, and the run's figures."""
        return self.out / RUNS / f"{self.name}.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A block that one process at a time runs. Raises :class:`PoseGraphError` where another one does."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        path = self.journal.with_name(f".{self.journal.stem}.lock")
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise PoseGraphError(f"{self.journal}: another process works on it; wait for it, or stop it") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            lock.release()


def check_saved(save: Sequence[str]) -> tuple[str, ...]:
    """``save`` without repetitions. Raises :class:`PoseGraphError` for what cannot be saved, or for nothing at all."""
    for name in save:
        if name not in SAVED:
            raise PoseGraphError(f"--save: {name!r} is none of {', '.join(SAVED)}{did_you_mean(name, SAVED)}")
    if not save:
        raise PoseGraphError(f"--save: nothing is to be saved; give some of {', '.join(SAVED)}")
    check_formats(name for name in save if name != OVERLAY)
    return tuple(dict.fromkeys(save))


def check_folder(out: Path) -> None:
    """Make the output folder. Raises :class:`PoseGraphError` when it cannot be written."""
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PoseGraphError(f"cannot write {out}: {error.strerror}; choose a folder that can be written") from error
    if not os.access(out, os.W_OK) or not os.access(out / RUNS, os.W_OK):
        raise PoseGraphError(f"cannot write {out}: Permission denied; choose a folder that can be written")


def check_apart(source: str | Path, outputs: Outputs) -> None:
    """Raise :class:`PoseGraphError` where an output would take the place of its own source."""
    for path in outputs.files:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise PoseGraphError(f"{path}: is the source, and an output would take its place; give another --out")


def finished(outputs: Outputs, made_by: JournalHeader, options: PredictOptions) -> SourceReport | None:
    """The report of an earlier run that has finished these outputs; None: there is work to do.

    Raises:
        PoseGraphError: the outputs that are there were made by another model, other settings or another source.
    """
    if outputs.journal.exists() or not outputs.record.exists():
        return None
    content = read_json(outputs.record)
    there, here = content["made_by"], _plain(made_by, options)
    if there != here:
        other = sorted(key for key in {**there, **here} if there.get(key) != here.get(key))
        raise PoseGraphError(f"{outputs.record}: these outputs were made with another {' and '.join(other)}; {_CURE}")
    if not all(path.exists() for path in outputs.files):
        return None
    return SourceReport(**content["report"] | {"state": "finished before"})


def check_free(outputs: Outputs, live: bool) -> None:
    """Raise :class:`PoseGraphError` where a run would write over something else than what it makes again.

    Files that a record tells of can be made again, but not those of a live source.
    """
    if outputs.journal.exists():
        raise PoseGraphError(f"{outputs.name}: was begun before and is not finished; --resume goes on, {_CURE}")
    for path in outputs.files:
        if path.exists() and (live or not outputs.record.exists()):
            raise PoseGraphError(f"{path}: is there already; {_CURE}")


def clear(outputs: Outputs) -> None:
    """Remove all that an earlier run left, of whatever formats."""
    everything = Outputs(outputs.out, outputs.name, SAVED)
    for path in (outputs.record, outputs.journal, *everything.files):
        path.unlink(missing_ok=True)


def write_record(outputs: Outputs, made_by: JournalHeader, options: PredictOptions, report: SourceReport) -> None:
    """Say that the outputs are whole."""
    content = {"posegraph": posegraph.__version__, "made_by": _plain(made_by, options), "report": report.as_json()}
    write_json(outputs.record, content)


def _plain(header: JournalHeader, options: PredictOptions) -> dict[str, Any]:
    """What the files depend on: as the journal, and on the smoothing, which is not in it."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(asdict(header) | {"smoothing": options.smoothing_settings()}))
    settings: dict[str, Any] = plain.pop("settings")
    return plain | settings
