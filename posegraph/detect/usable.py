"""Leaving out boxes that no crop can be made of."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, People


def usable_people(people: People, image_hw: tuple[int, int], dropped: Counter[str]) -> People:
    """The people whose box can be cropped, in their order; the others are counted in ``dropped``, by reason.

    A box partly outside the image is kept. Of two people with the same track id the better scored one is kept, the
    first one of equals.
    """
    boxes = people.boxes_xywh
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(people.scores)
    area = (boxes[:, 2:] > 0).all(axis=1)
    reasons = {
        "box with NaN or infinity": ~finite,
        "box of zero area": finite & ~area,
        "box outside the image": finite & area & ~inside(boxes, image_hw),
    }
    kept = finite & area & inside(boxes, image_hw)
    reasons["second box of a track in one frame"] = kept & _second(people, kept)
    for reason, rows in reasons.items():
        if rows.any():
            dropped[reason] += int(rows.sum())
            kept = kept & ~rows
    return rows_of_people(people, kept)


def inside(boxes_xywh: NDArray[np.float64], image_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """``[n]``: some of the box lies in the image."""
    low, high = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    return np.asarray(((high > 0) & (low < np.array(image_hw[::-1]))).all(axis=1))


def rows_of_people(people: People, rows: NDArray[np.bool_] | NDArray[np.intp]) -> People:
    """Some of the people."""
    return People(people.boxes_xywh[rows], people.scores[rows], people.track_ids[rows])


def joined(first: People, second: People) -> People:
    """All of both."""
    return People(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def _second(people: People, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    second = np.zeros(len(people.track_ids), dtype=np.bool_)
    seen: set[int] = set()
    for row in np.argsort(-people.scores, kind="stable"):
        track_id = int(people.track_ids[row])
        if kept[row] and track_id != NO_TRACK:
            second[row] = track_id in seen
            seen.add(track_id)
    return second
