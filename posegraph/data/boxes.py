"""Detections in COCO's result layout: ``[{"image_id", "bbox", "score", "category_id"}, ...]``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.json_checks import Fault, Found, numbers, whole_number
from posegraph.files import read_json

PERSON_CATEGORY = 1


@dataclass(frozen=True, eq=False)
class Boxes:
    """Detected people, in file order.

    Fields:
        image_ids: ``[M]`` int64.
        boxes_xywh: ``[M, 4]`` float64, image pixels.
        scores: ``[M]`` float64.
        skipped: What was left out while reading, reason -> count.
    """

    image_ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.image_ids)

    def for_image(self, image_id: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes ``[n, 4]`` and scores ``[n]`` of one image, in file order; empty where nothing was detected."""
        rows = self._rows_of_image.get(image_id, np.zeros(0, dtype=np.intp))
        return self.boxes_xywh[rows], self.scores[rows]

    @cached_property
    def _rows_of_image(self) -> dict[int, NDArray[np.intp]]:
        order = np.argsort(self.image_ids, kind="stable")
        image_ids, starts = np.unique(self.image_ids[order], return_index=True)
        return dict(zip(image_ids.tolist(), np.split(order, starts[1:]), strict=bool(len(order))))


def read_boxes(path: str | Path, min_score: float = 0.0) -> Boxes:
    """Read a COCO result file and keep people (``category_id`` 1, or none given) scored at least ``min_score``.

    Rows left out are counted in ``Boxes.skipped``: other categories, low scores, and boxes or scores that are no
    use (NaN, infinite, no area).

    Raises:
        PoseGraphError: the file cannot be read or is not in that layout; names file, row, found and expected.
    """
    path = Path(path)
    fault = Fault(path)
    content = read_json(path)
    if not isinstance(content, list):
        fault("top level", content, "a list of detections", "give a COCO result file, not an annotation file")
    skipped: Counter[str] = Counter()
    kept = []
    for row, entry in enumerate(content):
        image_id, box_xywh, score, category = _detection(entry, f"[{row}]", fault)
        if category not in (None, PERSON_CATEGORY):
            skipped["not a person"] += 1
        elif not np.isfinite([*box_xywh, score]).all() or min(box_xywh[2:]) <= 0:
            skipped["box of zero area or NaN"] += 1
        elif score < min_score:
            skipped[f"score below {min_score:g}"] += 1
        else:
            kept.append((image_id, box_xywh, score))
    return Boxes(
        image_ids=np.array([image_id for image_id, _, _ in kept], dtype=np.int64),
        boxes_xywh=np.array([box_xywh for _, box_xywh, _ in kept], dtype=np.float64).reshape(-1, 4),
        scores=np.array([score for _, _, score in kept], dtype=np.float64),
        skipped=skipped,
    )


def _detection(entry: Any, where: str, fault: Fault) -> tuple[int, list[float], float, Any]:
    if not isinstance(entry, dict):
        fault(where, entry, "an object", "remove the row or export the file again")
    for key in ("image_id", "bbox", "score"):
        if key not in entry:
            fault(f"{where}.{key}", Found("nothing"), "a value", "every detection has image_id, bbox and score")
    box_xywh = numbers(entry["bbox"], 4, f"{where}.bbox", fault, "write x, y, width, height")
    score = numbers([entry["score"]], 1, f"{where}.score", fault, "write one number")
    image_id = whole_number(entry["image_id"], f"{where}.image_id", fault)
    return image_id, box_xywh.tolist(), float(score[0]), entry.get("category_id")
