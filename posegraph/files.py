"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from posegraph.errors import PoseGraphError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room, no room for this user, no room for a file of this size."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is renamed over ``path``, on any error it is removed.

    Raises :class:`PoseGraphError` when the folder cannot be written.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        # A device or a pipe (/dev/null) is written to, not replaced.
        yield target
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise PoseGraphError(f"cannot write {target}: {error.strerror}; choose a folder that can be written") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file the user writes.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it takes its place, on any error it is removed.

    Raises :class:`PoseGraphError` when the folder cannot be made.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise PoseGraphError(f"cannot write {target}: {error.strerror}; choose a folder that can be written") from error
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if target.exists():
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as old:
                target.replace(Path(old) / target.name)
                temporary.replace(target)
        else:
            temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def full_disk_told(path: str | Path, cure: str) -> Iterator[None]:
    """A full disk, also one that a library wraps, ends the block with a :class:`PoseGraphError`: path and cure."""
    try:
        yield
    except PoseGraphError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and getattr(cause, "errno", None) not in _FULL:
            cause = cause.__cause__ or cause.__context__
        if not isinstance(cause, OSError):
            raise
        raise PoseGraphError(f"{path}: cannot be written ({cause.strerror}); {cure}") from error


def remove_leftovers(path: str | Path) -> None:
    """Remove the temporary files that processes killed within :func:`replacing` left beside ``path``."""
    target = Path(path)
    for leftover in target.parent.glob(f".{glob.escape(target.stem)}-????????{target.suffix}"):
        leftover.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` through a temporary name."""
    with full_disk_told(path, "make room on the disk, or choose another folder"), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as JSON; NaN and infinity become null so that every JSON reader takes it."""
    write_text(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """``value`` as indented JSON with NaN and infinity as null."""
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def read_json(path: str | Path) -> Any:
    """The parsed content of a JSON file. NaN, Infinity and a byte order mark are let through, as Python's json does.

    Whole numbers beyond 64 bits are floats. Raises :class:`PoseGraphError` naming the file and the place of a fault.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise PoseGraphError(f"{path}: cannot be read as text ({error}); expected a JSON file") from error
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _read_lenient_json(path, data)


def _read_lenient_json(path: str | Path, data: bytes) -> Any:
    """What orjson refuses: read after all, or refused with the place of the fault."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PoseGraphError(f"{path}: cannot be read as text ({error}); expected a JSON file") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}: {error.msg}"
        raise PoseGraphError(f"{path}: not valid JSON, {where}; export the file again (it may be cut off)") from None
    except RecursionError:
        raise PoseGraphError(f"{path}: not valid JSON, nested too deep; export the file again") from None
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise PoseGraphError(f"{path}: not readable as JSON ({error}); export the file again") from None


def free_folder(wanted: Path) -> Path:
    """``wanted``, or the first of ``wanted-2``, ``wanted-3`` ... that does not exist: nothing is overwritten."""
    folder, number = wanted, 1
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
