"""Reading detection files: COCO results, the PoseWarper and DCPose layout, MOTChallenge text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from posegraph.data.boxes import Boxes, name_tail
from posegraph.data.json_checks import Fault, Found, numbers, whole_number
from posegraph.data.people import NO_TRACK
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.files import read_json

PERSON = 1
"""COCO's category and MOTChallenge's class of people."""

_MOT_FOLDERS = ("det", "gt")


class _Row(NamedTuple):
    """One detection; ``reason`` says why it is left out, if it is."""

    place: Hashable
    box_xywh: list[float]
    score: float
    track_id: int
    reason: str | None


def read_boxes(path: str | Path, min_score: float = 0.0, format: str | None = None) -> Boxes:
    """Read detections and keep people scored at least ``min_score``.

    Layouts (``format``; None: recognised from the content):

    - ``coco``: COCO results, ``[{"image_id", "bbox", "score", "category_id"?, "track_id"?}, ...]``.
    - ``image_name``: the ``val_boxes.json`` of PoseWarper, DCPose and DSTA, the same with ``image_name`` in place of
      ``image_id``; an image is known by its folder and file name.
    - ``mot``: MOTChallenge text, ``frame, id, x, y, w, h, confidence[, class, ...]``, frames counted from 1. A file is
      one video, named after it (``NAME.txt``, ``NAME/det/det.txt``, ``NAME/gt/gt.txt``); a folder holds several.

    Rows left out are counted in ``Boxes.skipped``: other categories, low scores, rows that a ground truth of MOT marks
    as not to be considered, and boxes or scores that are no use (NaN, infinite, no area).

    Raises:
        PoseGraphError: the path cannot be read or has another layout; names file, row, found and expected.
    """
    path = Path(path)
    if format is not None and format not in _READERS:
        raise PoseGraphError(
            f"format {format!r} is none of detections; these are: {', '.join(_READERS)}{did_you_mean(format, _READERS)}"
        )
    rows = _READERS[format or _recognised(path)](path)
    skipped: Counter[str] = Counter()
    kept = []
    for row in rows:
        reason = row.reason
        if reason is None and (not np.isfinite([*row.box_xywh, row.score]).all() or min(row.box_xywh[2:]) <= 0):
            reason = "box of zero area or NaN"
        if reason is None and row.score < min_score:
            reason = f"score below {min_score:g}"
        if reason is None:
            kept.append(row)
        else:
            skipped[reason] += 1
    return Boxes(
        source=path,
        places=tuple(row.place for row in kept),
        boxes_xywh=np.array([row.box_xywh for row in kept], dtype=np.float64).reshape(-1, 4),
        scores=np.array([row.score for row in kept], dtype=np.float64),
        track_ids=np.array([row.track_id for row in kept], dtype=np.int64),
        skipped=skipped,
    )


def _recognised(path: Path) -> str:
    if path.is_dir():
        return "mot"
    try:
        with path.open("rb") as file:
            start = file.read(4096).lstrip()
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise PoseGraphError(f"{path}: cannot be read ({error.strerror}); expected detections") from error
    if start[:1] in (b"[", b"{"):
        return "image_name" if b'"image_name"' in start else "coco"
    return "mot" if path.suffix.lower() in (".txt", ".csv") else "coco"


def _read_coco(path: Path) -> list[_Row]:
    return _read_results(path, "image_id", lambda value, field, fault: whole_number(value, field, fault))


def _read_image_name(path: Path) -> list[_Row]:
    return _read_results(path, "image_name", _image_name)


def _image_name(value: Any, field: str, fault: Fault) -> str:
    if not isinstance(value, str) or not value:
        fault(field, value, "an image's name", "write the path of the image")
    return name_tail(value)


def _read_results(path: Path, key: str, place_of: Callable[[Any, str, Fault], Hashable]) -> list[_Row]:
    fault = Fault(path)
    content = read_json(path)
    if not isinstance(content, list):
        fault("top level", content, "a list of detections", "give a COCO result file, not an annotation file")
    rows = []
    for number, entry in enumerate(content):
        where = f"[{number}]"
        if not isinstance(entry, dict):
            fault(where, entry, "an object", "remove the row or export the file again")
        for needed in (key, "bbox", "score"):
            if needed not in entry:
                fault(f"{where}.{needed}", Found("nothing"), "a value", f"every detection has {key}, bbox and score")
        box_xywh = numbers(entry["bbox"], 4, f"{where}.bbox", fault, "write x, y, width, height").tolist()
        score = float(numbers([entry["score"]], 1, f"{where}.score", fault, "write one number")[0])
        track_id = entry.get("track_id")
        track_id = NO_TRACK if track_id is None else whole_number(track_id, f"{where}.track_id", fault)
        reason = None if entry.get("category_id", PERSON) in (None, PERSON) else "not a person"
        rows.append(_Row(place_of(entry[key], f"{where}.{key}", fault), box_xywh, score, track_id, reason))
    return rows


def _read_mot(path: Path) -> list[_Row]:
    if not path.is_dir():
        return _read_mot_file(path)
    files = sorted(path.glob("*.txt"))
    for folder in _MOT_FOLDERS:
        files = files or sorted(path.glob(f"*/{folder}/{folder}.txt")) or sorted(path.glob(f"{folder}/{folder}.txt"))
    if not files:
        raise PoseGraphError(
            f"{path}: no .txt file in this folder, nor NAME/det/det.txt; give MOTChallenge text, or one .json file"
        )
    return [row for file in files for row in _read_mot_file(file)]


def _read_mot_file(path: Path) -> list[_Row]:
    truth = path.stem == "gt"
    in_folder = path.stem in _MOT_FOLDERS
    folder = path.resolve().parent
    video = (folder.parent if folder.name == path.stem else folder).name if in_folder else path.stem
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PoseGraphError(f"{path}: cannot be read as text ({error}); expected MOTChallenge text") from error
    return [_mot_row(line, number, path, video, truth) for number, line in enumerate(lines, start=1) if line.strip()]


def _mot_row(line: str, number: int, path: Path, video: str, truth: bool) -> _Row:
    def refuse(found: str) -> NoReturn:
        raise PoseGraphError(
            f"{path}: line {number}: found {found}, expected frame, id, x, y, width, height, confidence, with frames "
            "counted from 1; export the file again, or name its layout with --format"
        )

    cells = line.replace(",", " ").split()
    try:
        values = [float(cell) for cell in cells[:8]]
    except ValueError:
        refuse(repr(line[:40]))
    if len(values) < 6:
        refuse(f"{len(values)} numbers")
    frame, track_id = values[:2]
    if not (frame.is_integer() and 1 <= frame < 2**53 and track_id.is_integer() and abs(track_id) < 2**53):
        refuse(f"frame {cells[0]} and id {cells[1]}")
    confidence = values[6] if len(values) > 6 else 1.0
    reason = None
    if truth and confidence == 0:
        reason = "marked as not to be considered"
    elif len(values) > 7 and values[7] not in (PERSON, -1):
        reason = "not a person"
    # -1 says that the detector gave no confidence; in a ground truth the number is a flag.
    score = 1.0 if truth or confidence == -1 else confidence
    return _Row((video, int(frame) - 1), values[2:6], score, max(int(track_id), NO_TRACK), reason)


_READERS: dict[str, Callable[[Path], list[_Row]]] = {
    "coco": _read_coco,
    "image_name": _read_image_name,
    "mot": _read_mot,
}

BOX_FORMATS = tuple(_READERS)
"""What :func:`read_boxes` takes as ``format``."""
