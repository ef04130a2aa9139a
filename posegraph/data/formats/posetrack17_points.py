"""``annopoints`` of the PoseTrack17 layout: a person's points, each the id of a joint, x, y and what is known of it.

Letters: M people, P points of all people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.columns import Where, column, is_missing, plain_lists, single_numbers, unwrapped
from posegraph.data.formats.tables import all_finite
from posegraph.data.json_checks import Fault
from posegraph.data.tracks import ABSENT

POINT_FIELDS = ("id", "x", "y", "is_visible", "score")

NO_SUCH_JOINT = "point whose id is no joint"
SECOND_POINT = "second point of a joint (the first one counts)"
BAD_POINT = "joint at NaN or infinity (taken as not annotated)"

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Points:
    """The points of all people, ``P`` in file order.

    Fields:
        owner: ``[P]`` row of the person.
        joint: ``[P]`` id.
        xy, score, visible: ``[P, 2]``, ``[P]``, ``[P]``; NaN where there is none.
        plain: ``[P]`` whether a point is written as it was read.
    """

    owner: NDArray[np.int64]
    joint: NDArray[np.int64]
    xy: NDArray[np.float64]
    score: NDArray[np.float64]
    visible: NDArray[np.float64]
    plain: Mask


def read_points(rects: list[dict[str, Any]], person_field: Where, fault: Fault) -> Points:
    """The points of the people ``rects``.

    Raises:
        PoseGraphError: a field that the layout does not allow.
    """
    lists = [_point_list(rect, row, person_field, fault) for row, rect in enumerate(rects)]
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    owner = np.repeat(np.arange(len(rects)), lengths)
    starts = np.cumsum(lengths) - lengths
    points = list(chain.from_iterable(lists))

    def where(key: str) -> Where:
        def field(row: int) -> str:
            person = int(owner[row])
            return f"{person_field(person)}.annopoints[0].point[{row - starts[person]}]{key}"

        return field

    if not set(map(type, points)) <= {dict}:
        row = next(row for row, point in enumerate(points) if not isinstance(point, dict))
        fault(where("")(row), points[row], "an object", "remove the point or export the file again")
    read = _plain_columns(points)
    plain = np.ones(len(points), dtype=np.bool_)
    if read is None:
        read, plain = _checked_columns(points, where, fault)
    joint = np.where(read["id"] == np.round(read["id"]), read["id"], -1)
    plain &= np.isnan(read["is_visible"]) | np.isin(read["is_visible"], (0, 1))
    return Points(
        owner=owner,
        joint=np.clip(joint, -1, 2**31).astype(np.int64),
        xy=np.stack([read["x"], read["y"]], axis=1),
        score=read["score"],
        visible=read["is_visible"],
        plain=plain,
    )


def _plain_columns(points: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]] | None:
    """``[P]`` of every point field, NaN where the points lack it; None unless all points have the same fields, each a
    finite number in a list of one."""
    keys = [key for key in POINT_FIELDS if points and key in points[0]]
    if len(keys) < 2 or sum(map(len, points)) != len(keys) * len(points):
        return None
    try:
        lists = list(chain.from_iterable(map(itemgetter(*keys), points)))
    except KeyError:
        return None
    table = plain_lists(lists, 1)
    if table is None or not np.isfinite(table).all():
        return None
    columns = dict(zip(keys, table.reshape(-1, len(keys)).T, strict=True))
    return {key: columns.get(key, np.full(len(points), np.nan)) for key in POINT_FIELDS}


def _checked_columns(
    points: list[dict[str, Any]], where: Callable[[str], Where], fault: Fault
) -> tuple[dict[str, NDArray[np.float64]], Mask]:
    """The same field by field, with checks; and ``[P]`` points that are written as they were read."""
    read, plain = {}, np.fromiter((point.keys() <= set(POINT_FIELDS) for point in points), np.bool_, len(points))
    for key in POINT_FIELDS:
        values = column(points, key)
        bare, in_list = unwrapped(values, where(f".{key}"), fault)
        if key == "is_visible":  # may be true or false
            plain &= np.fromiter((type(value) is not bool for value in bare), dtype=np.bool_, count=len(bare))
            bare = [float(value) if type(value) is bool else value for value in bare]
        read[key] = single_numbers(bare, where(f".{key}"), fault)
        plain &= (in_list & np.isfinite(read[key])) | np.array([value is ABSENT for value in values], dtype=np.bool_)
    return read, plain


def _point_list(rect: dict[str, Any], row: int, person_field: Where, fault: Fault) -> list[Any]:
    """The points of one person: ``annopoints[0].point``."""
    holder = rect.get("annopoints", ABSENT)
    if is_plain_holder(holder):
        plain: list[Any] = holder[0]["point"]
        return plain
    if is_missing(holder):
        return []
    if isinstance(holder, list) and len(holder) == 1:
        holder = holder[0]
    if not isinstance(holder, dict):
        fault(f"{person_field(row)}.annopoints", holder, "one object in a list", "write the points in its list 'point'")
    points = holder.get("point", ABSENT)
    if is_missing(points):
        return []
    if isinstance(points, dict):
        return [points]
    if not isinstance(points, list):
        fault(f"{person_field(row)}.annopoints[0].point", points, "a list of points", "write one object for each point")
    return points


def is_plain_holder(holder: Any) -> bool:
    """Whether ``annopoints`` is as it is written for a person who has points."""
    if type(holder) is not list or len(holder) != 1 or type(holder[0]) is not dict or len(holder[0]) != 1:
        return False
    points = holder[0].get("point")
    return type(points) is list and len(points) > 0


def used_points(points: Points, num_joints: int, skipped: Counter[str]) -> NDArray[np.intp]:
    """Rows of the points that count: the first of each joint of a person, where it has a position."""
    is_joint = (points.joint >= 0) & (points.joint < num_joints)
    finite = all_finite(points.xy)
    candidates = np.flatnonzero(is_joint & finite)
    _, first = np.unique(points.owner[candidates] * num_joints + points.joint[candidates], return_index=True)
    left_out = (NO_SUCH_JOINT, ~is_joint), (BAD_POINT, is_joint & ~finite)
    for reason, number in (*((reason, int(mask.sum())) for reason, mask in left_out),
                           (SECOND_POINT, len(candidates) - len(first))):  # fmt: skip
        if number:
            skipped[reason] += number
    used: NDArray[np.intp] = candidates[np.sort(first)]
    return used
