"""Scores of the model that comes with posegraph, and of its teacher, on sets that nobody trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from experiment import say

from posegraph.config import parse_frames
from posegraph.data import read_tracks
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import GROUND_TRUTH, Evaluation, evaluate
from posegraph.errors import PoseGraphError
from posegraph.metrics import Scores, score_files


def pairs(words: list[str], option: str) -> dict[str, str]:
    """``NAME=PLACE`` words. Raises :class:`PoseGraphError` for others."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise PoseGraphError(f"{option} {word}: expected NAME=PLACE")
        found[name] = value
    return found


@dataclass(frozen=True)
class Judged:
    """A set to score on.

    Fields:
        name: In tables.
        annotations: File or folder.
        frames: (A, B), both included; None: all.
        boxes: ``gt``, or a file of detections.
        teacher: Somebody else's predictions of the same frames.
    """

    name: str
    annotations: Path
    frames: tuple[int, int] | None
    boxes: str
    teacher: Path | None


def judged(words: list[str], boxes: dict[str, str], teachers: dict[str, str]) -> list[Judged]:
    """The sets of the command line. Raises :class:`PoseGraphError` for boxes or predictions of no such set."""
    found = []
    for name, place in pairs(words, "--evaluate").items():
        frames = re.search(r":(\d+-\d+)$", place)
        path = Path(place[: frames.start()] if frames else place)
        teacher = teachers.get(name)
        if frames and teacher:
            raise PoseGraphError(f"--teacher {name}: files are scored whole; leave the frames {frames[1]} away")
        chosen = parse_frames(frames[1]) if frames else None
        found.append(Judged(name, path, chosen, boxes.get(name, GROUND_TRUTH), Path(teacher) if teacher else None))
    for option, names in (("--boxes", boxes), ("--teacher", teachers)):
        unknown = [name for name in names if name not in {one.name for one in found}]
        if unknown:
            raise PoseGraphError(
                f"{option} {unknown[0]}: no such set; name it with --evaluate {unknown[0]}=ANNOTATIONS"
            )
    return found


def score_sets(run: Path, package: Path, sets: list[Judged]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Rows of the score table, and what float16 changed: distances, in pixels, between the poses of the first set."""
    model, rows, moved = load(package), [], None
    for number, one in enumerate(sets):
        say(f"scoring {one.name}")
        found = evaluate(model, one.annotations, boxes=one.boxes, frames=one.frames)
        facts = {"set": one.name, "boxes": "annotated" if one.boxes == GROUND_TRUTH else "detected"}
        rows.append(facts | {"system": package.name, "people": found.figures["people"], **headline(found.scores)})
        if one.teacher is not None:
            theirs = score_files(one.annotations, one.teacher)
            people = sum(map(len, read_tracks(one.teacher)))
            rows.append(facts | {"boxes": "its own", "system": "teacher", "people": people, **headline(theirs.scores)})
        if number == 0:
            whole = evaluate(load(run), one.annotations, boxes=one.boxes, frames=one.frames)
            moved = {"set": one.name, **distances_px(whole, found)}
    return rows, moved


def headline(scores: Scores) -> dict[str, Any]:
    """The metric's name and its table: AP, or PCK where people lack head boxes."""
    if scores.ap is not None:
        return {"metric": "PoseTrack AP", "table": scores.ap.table}
    return {"metric": f"PCK@{scores.pck[0].alpha:g}", "table": scores.pck[0].table}


def distances_px(one: Evaluation, other: Evaluation) -> dict[str, float]:
    """How far the joints of two evaluations of the same people are apart, in pixels of the image."""
    pairs = zip(one.predictions, other.predictions, strict=True)
    found = np.concatenate([
        np.linalg.norm(a.keypoints_px - b.keypoints_px, axis=-1).ravel() for a, b in pairs
    ])  # fmt: skip
    names = {"median_px": 50, "p99_px": 99, "largest_px": 100}
    return {name: round(float(np.percentile(found, share)), 4) for name, share in names.items()}
