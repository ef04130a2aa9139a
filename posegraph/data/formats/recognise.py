"""Which layout a file has, told from its content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posegraph.data.formats import coco, deeplabcut, jhmdb, posetrack17, sleap
from posegraph.data.formats.tables import ParsedFile
from posegraph.data.index_format import is_index
from posegraph.errors import PoseGraphError
from posegraph.files import read_json
from posegraph.skeleton import Skeleton

FORMATS = ("posetrack17", "posetrack18", "posetrack21", "coco", "jhmdb", "sleap", "deeplabcut")
"""Layouts that are read; :data:`~posegraph.data.formats.writing.WRITTEN_FORMATS` are written."""

_SUFFIXES = (".json", ".mat", ".slp", ".h5", ".csv")
_HDF5 = b"\x89HDF"
_MATLAB = b"MATLAB"

_FILE_PARSERS: dict[str, Callable[[Path, Counter[str]], ParsedFile]] = {
    "jhmdb": jhmdb.parse,
    "sleap": sleap.parse,
    "deeplabcut": deeplabcut.parse,
}


def annotation_files(path: Path) -> list[Path]:
    """The files to read: ``path`` itself, or what a folder holds of one kind, JSON before all others.

    JHMDB's files lie two folders below (``joint_positions/CLASS/CLIP/joint_positions.mat``).

    Raises:
        PoseGraphError: a folder without annotation files, or an index of them.
    """
    if not path.is_dir():
        return [path]
    if is_index(path):
        raise PoseGraphError(f"{path}: is an index, which only training reads; give the annotations it was made from")
    for suffix in _SUFFIXES:
        found = path.rglob(jhmdb.FILE_NAME) if suffix == ".mat" else path.glob(f"*{suffix}")
        files = sorted(file for file in found if file.is_file())
        if files:
            return files
    raise PoseGraphError(
        f"{path}: no .json file in this folder, nor any other that is read ({', '.join(_SUFFIXES[1:])}); "
        "give the folder that holds the annotations"
    )


def parse_file(path: Path, layout: str | None, unnamed: Skeleton | None, skipped: Counter[str]) -> ParsedFile:
    """Read and check one file.

    Args:
        path: The file.
        layout: One of ``FORMATS``; None: recognised.
        unnamed: The joints of a file that names none.
        skipped: What is left out is counted here.

    Raises:
        PoseGraphError: the file cannot be read, or holds anything that its layout does not allow.
    """
    layout = layout or _binary_layout(path)
    if layout in _FILE_PARSERS:
        return _FILE_PARSERS[layout](path, skipped)
    content = read_json(path)
    layout = layout or _json_layout(content)
    if layout == "posetrack17":
        return posetrack17.parse(path, content, skipped)
    return coco.parse(path, content, layout, unnamed, skipped)


def _binary_layout(path: Path) -> str | None:
    """The layout of a file that is no JSON, told from its first bytes; None for JSON."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return None  # reading it as JSON says what is wrong
    if start.startswith(_MATLAB):
        return "jhmdb"
    if start.startswith(_HDF5):
        return "sleap" if sleap.is_sleap(path) else "deeplabcut"
    return "deeplabcut" if start.startswith(b"scorer,") else None


def _json_layout(content: Any) -> str:
    """PoseTrack17 has frames in ``annolist``; PoseTrack21 and 18 have fields that COCO has not."""
    if not isinstance(content, dict):
        return "coco"  # refused there
    if "annolist" in content:
        return "posetrack17"
    image, person = _first(content.get("images")), _first(content.get("annotations"))
    if "has_labeled_person" in image or "person_id" in person:
        return "posetrack21"
    return "posetrack18" if image.keys() & {"is_labeled", "vid_id", "nframes", "ignore_regions_x"} else "coco"


def _first(entries: Any) -> dict[str, Any]:
    first = entries[0] if isinstance(entries, list) and entries else {}
    return first if isinstance(first, dict) else {}
