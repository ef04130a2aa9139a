"""The journal of a run: one line a frame, written as soon as the frame is done.

All result files are made from it, and a run that was cut short goes on from it. A file of JSON lines: a header, then a
line for each frame. Numbers are written so that reading gives the same 64 bits back; NaN is null.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

import posegraph
from posegraph.engine.results.record import FrameRecord, line_of, record_of
from posegraph.errors import PoseGraphError
from posegraph.files import full_disk_told, replacing

_VERSION = 1
_START_ANEW = "delete it to start anew"


@dataclass(frozen=True)
class JournalHeader:
    """What made the frames of a journal: a run goes on from it only where all of this is the same.

    Fields:
        source: The video.
        model: What tells the model from others, for example a hash of its weights.
        joints: ``J`` names.
        settings: Everything else that the poses depend on, as JSON values.
    """

    source: str
    model: str
    joints: tuple[str, ...]
    settings: dict[str, Any]


class Journal:
    """Append frames to a journal; a context manager. Made by :meth:`create` or :meth:`resume`.

    A line reaches the operating system whole before :meth:`append` returns, so that a killed process loses at most the
    frame it was at. (After a power cut the last seconds may be missing: lines are forced to the disk on closing.)
    """

    def __init__(self, path: Path, num_joints: int, frames: int, last: int) -> None:
        self.path = path
        self.frames = frames
        """Frames in the journal."""
        self.last = last
        """Number of its last frame; -1 where it has none."""
        self._num_joints = num_joints
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise PoseGraphError(
                f"cannot write {path}: {error.strerror}; choose a folder that can be written"
            ) from error

    @classmethod
    def create(cls, path: str | Path, header: JournalHeader) -> Journal:
        """Begin a journal, over one that is there. Raises :class:`PoseGraphError` when it cannot be written."""
        content = {"posegraph_journal": _VERSION, "posegraph": posegraph.__version__} | asdict(header)
        with full_disk_told(path, "make room on the disk, or choose another folder"), replacing(path) as temporary:
            temporary.write_bytes(orjson.dumps(content) + b"\n")
        return cls(Path(path), len(header.joints), 0, -1)

    @classmethod
    def resume(cls, path: str | Path, header: JournalHeader) -> Journal:
        """Go on with a journal; a last line that was cut short is taken away.

        Raises:
            PoseGraphError: there is none, it cannot be read or written, it was made by something else than ``header``
                says (naming what differs), or a line in it is damaged.
        """
        path = Path(path)
        found, frames = read_journal(path)
        _same(path, found, header)
        count, last = 0, -1
        for record in frames:
            count, last = count + 1, record.number
        journal = cls(path, len(header.joints), count, last)
        journal._file.truncate(_whole_size(path))
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Force everything to the disk and close the file."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def append(self, record: FrameRecord) -> None:
        """Write one frame.

        Raises:
            PoseGraphError: the disk is full; the frames before are still valid.
            ValueError: a frame that is not after the last one, another number of joints, or an infinite number.
        """
        if record.number <= self.last:
            raise ValueError(f"frame {record.number} comes after frame {self.last}; expected ascending numbers")
        if record.poses.keypoints_px.shape[1] != self._num_joints:
            raise ValueError(f"got poses of {record.poses.keypoints_px.shape[1]} joints, expected {self._num_joints}")
        line = line_of(record)
        with full_disk_told(self.path, f"the {self.frames} frames before are kept; make room on the disk and resume"):
            self._write(line)
        self.frames, self.last = self.frames + 1, record.number

    def _write(self, line: bytes) -> None:
        start, rest = os.fstat(self._file.fileno()).st_size, memoryview(line)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException:
            # The disk took a part of the line, or Ctrl-C came in between.
            self._file.truncate(start)
            raise


def read_journal(path: str | Path) -> tuple[JournalHeader, Iterator[FrameRecord]]:
    """The header and, one by one as they are asked for, the frames of a journal.

    A last line without its end is left out: the process was killed while it wrote.

    Raises:
        PoseGraphError: no such file, no journal, one of another version, or (while the frames are read) a damaged line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such journal; there is nothing to go on from") from None
    except OSError as error:
        raise PoseGraphError(f"{path}: cannot be read ({error.strerror}); expected a journal") from error
    header = _header(path, line)
    return header, _records(path, len(header.joints))


def _header(path: Path, line: bytes) -> JournalHeader:
    try:
        content = orjson.loads(line)
        version = content["posegraph_journal"]
        if version == _VERSION:
            return JournalHeader(
                str(content["source"]), str(content["model"]), tuple(content["joints"]), dict(content["settings"])
            )
    except (KeyError, TypeError, ValueError):
        raise PoseGraphError(f"{path}: line 1 is not the header of a journal; {_START_ANEW}") from None
    raise PoseGraphError(
        f"{path}: a journal of version {version!r}, expected {_VERSION}; use the posegraph that began it, or "
        f"{_START_ANEW}"
    )


def _records(path: Path, num_joints: int) -> Iterator[FrameRecord]:
    last = -1
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            if not line.endswith(b"\n"):
                return
            try:
                record = record_of(line, num_joints)
                if record.number <= last:
                    raise ValueError(f"frame {record.number} after frame {last}")
            except (KeyError, TypeError, ValueError) as error:
                raise PoseGraphError(f"{path}: line {number} is damaged ({error}); {_START_ANEW}") from None
            last = record.number
            yield record


def _whole_size(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    size = 0
    with path.open("rb") as file:
        for line in file:
            size += len(line) if line.endswith(b"\n") else 0
    return size


def _same(path: Path, found: JournalHeader, wanted: JournalHeader) -> None:
    there, now = _flat(asdict(found)), _flat(orjson.loads(orjson.dumps(asdict(wanted))))
    differ = [key for key in sorted(there.keys() | now.keys()) if there.get(key) != now.get(key)]
    if differ:
        told = ", ".join(f"{key} ({_short(there.get(key))} there, {_short(now.get(key))} now)" for key in differ)
        raise PoseGraphError(f"{path}: was begun with another {told}; give the same, or {_START_ANEW}")


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = prefix + key
        if isinstance(value, dict):
            flat |= _flat(value, "" if name == "settings" else f"{name}.")
        else:
            flat[name] = list(value) if isinstance(value, tuple) else value
    return flat


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 50 else f"{text[:47]}..."
