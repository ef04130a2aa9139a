"""``annorect`` of the PoseTrack17 layout: people with a head box and points.

Letters: M people, P points of all people, K joints: the ids of the points.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.columns import Where, column, single_numbers, unwrapped, whole_numbers
from posegraph.data.formats.entries import SharedFields, unread
from posegraph.data.formats.posetrack17_points import Points, is_plain_holder, read_points, used_points
from posegraph.data.formats.tables import PeopleTable, all_finite, extent_boxes
from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import ABSENT, NO_FIELDS, UNKNOWN, Fields

RECT_FIELDS = frozenset({"track_id", "x1", "y1", "x2", "y2", "score", "annopoints"})
CORNERS = ("x1", "y1", "x2", "y2")

Mask = NDArray[np.bool_]


def read_people(
    rects: list[dict[str, Any]],
    image: NDArray[np.int64],
    num_joints: int,
    person_field: Where,
    fault: Fault,
    skipped: Counter[str],
) -> PeopleTable:
    """Check and convert people; ``image [M]`` is the row of each one's frame.

    Raises:
        PoseGraphError: a field that the layout does not allow.
    """
    M, K = len(rects), num_joints
    points = read_points(rects, person_field, fault)
    keypoints_px, annotated = np.zeros((M, K, 2)), np.zeros((M, K), dtype=np.bool_)
    visibility, joint_scores = np.full((M, K), UNKNOWN, dtype=np.int8), np.full((M, K), np.nan)
    used = used_points(points, K, skipped)
    place = points.owner[used], points.joint[used]
    keypoints_px[place], annotated[place] = points.xy[used], True
    visibility[place] = np.where(np.isin(points.visible[used], (0, 1)), points.visible[used], UNKNOWN)
    joint_scores[place] = points.score[used]

    def values(key: str) -> tuple[list[Any], Mask]:
        return unwrapped(column(rects, key), lambda row: f"{person_field(row)}.{key}", fault)

    ids, id_in_list = values("track_id")
    track_id, has_track = whole_numbers(ids, lambda row: f"{person_field(row)}.track_id", fault)
    given_scores, score_in_list = values("score")
    scores = single_numbers(given_scores, lambda row: f"{person_field(row)}.score", fault)
    heads, unlike = _head_boxes(rects, person_field, fault)
    unlike |= {
        "track_id": ~has_track | ~id_in_list,
        "score": _there(rects, "score", ~(np.isfinite(scores) & score_in_list)),
    }
    return PeopleTable(
        image=image,
        track_id=track_id,
        has_track=has_track,
        keypoints_px=keypoints_px,
        annotated=annotated,
        visibility=visibility,
        keypoint_scores=joint_scores,
        scores=scores,
        boxes_xywh=extent_boxes(keypoints_px, annotated),
        head_boxes_xywh=heads,
        file_row=np.arange(M, dtype=np.int64),
        extra=unread(rects, RECT_FIELDS),
        verbatim=_verbatim(rects, unlike, points, used),
    )


def _there(rects: list[dict[str, Any]], key: str, among: Mask) -> Mask:
    """``[M]`` the people ``among [M]`` who have the field."""
    found = among.copy()
    found[among] = [key in rects[row] for row in np.flatnonzero(among).tolist()]
    return found


def _head_boxes(
    rects: list[dict[str, Any]], person_field: Where, fault: Fault
) -> tuple[NDArray[np.float64], dict[str, Mask]]:
    """``[M, 4]`` xywh, and for each corner field ``[M]`` whether it is written otherwise than it was read."""
    corners, in_list = np.full((len(rects), 4), np.nan), []

    def where(key: str) -> Where:
        return lambda row: f"{person_field(row)}.{key}"

    for place, key in enumerate(CORNERS):
        bare, wrapped = unwrapped(column(rects, key), where(key), fault)
        corners[:, place] = single_numbers(bare, where(key), fault)
        in_list.append(wrapped)
    missing = np.isnan(corners)
    partial = missing.any(axis=1) & ~missing.all(axis=1)
    if partial.any():
        row = int(np.argmax(partial))
        fault(where(CORNERS[int(np.argmax(missing[row]))])(row), Found("nothing"),
              "all of x1, y1, x2, y2 (the head box), or none", "give the missing side")  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):  # positions beyond all pixels
        low, high = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])
        boxes = np.concatenate([low, high - low], axis=1)
        boxes[~all_finite(boxes)] = np.nan
    unboxed = np.isnan(boxes[:, 0])
    written = corners_of(boxes)
    differ = (written != corners) | ~np.stack(in_list, axis=1)
    return boxes, {key: differ[:, place] & ~unboxed | _there(rects, key, unboxed) for place, key in enumerate(CORNERS)}


def corners_of(boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """``[M, 4]`` x1, y1, x2, y2."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def _verbatim(
    rects: list[dict[str, Any]], unlike: dict[str, Mask], points: Points, used: NDArray[np.intp]
) -> list[Fields]:
    """For each person the fields that are not what would be written.

    ``annopoints`` whose points are only in another order are kept as the list of their ids.
    """
    plain = np.zeros(len(points.owner), dtype=np.bool_)
    plain[used] = points.plain[used]
    holders = column(rects, "annopoints")
    reshaped = np.array([holder != [] and not is_plain_holder(holder) for holder in holders], dtype=np.bool_)
    reshaped[points.owner[~plain]] = True
    reordered = np.zeros(len(rects), dtype=np.bool_)
    falling = (np.diff(points.joint) <= 0) & (np.diff(points.owner) == 0)
    reordered[points.owner[1:][falling]] = True
    every = np.any([*unlike.values(), reshaped, reordered], axis=0)
    starts = np.searchsorted(points.owner, np.arange(len(rects) + 1))
    shared = SharedFields()
    verbatim = [NO_FIELDS] * len(rects)
    for row in np.flatnonzero(every).tolist():
        fields = {key: rects[row].get(key, ABSENT) for key, mask in unlike.items() if mask[row]}
        if reshaped[row]:
            fields["annopoints"] = holders[row]
        elif reordered[row]:
            fields["annopoints"] = points.joint[starts[row] : starts[row + 1]].copy()
        verbatim[row] = shared(fields)
    return verbatim
