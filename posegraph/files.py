"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posegraph.errors import PoseGraphError


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


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` through a temporary name."""
    with replacing(path) as temporary:
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
    """The parsed content of a JSON file. Raises :class:`PoseGraphError` naming the file and the place of a fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PoseGraphError(f"{path}: cannot be read as text ({error}); expected a JSON file") from error
    try:
        return json.loads(text)
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
