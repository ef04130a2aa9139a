"""From the joints of a file to those of a skeleton, matched by name.

Letters: M people, K joints of the file, J joints of the skeleton.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.tables import KEYPOINT_FIELDS, PeopleTable
from posegraph.data.tracks import UNKNOWN, Fields
from posegraph.skeleton import Skeleton

Number = TypeVar("Number", bound=np.generic)


def matching_rows(joints: tuple[str, ...], skeleton: Skeleton) -> NDArray[np.intp]:
    """``[J]`` the row in ``joints`` of each joint of the skeleton, -1 where they lack it.

    A joint goes by its name, and where that is missing by the name under which the skeleton reports it (``scored``).
    """
    row = {name: place for place, name in enumerate(joints)}
    reported = {joint: official for official, joint in skeleton.scored.items() if official not in skeleton.joints}
    return np.array([row.get(joint, row.get(reported.get(joint, ""), -1)) for joint in skeleton.joints], dtype=np.intp)


def taken(values: NDArray[Number], rows: NDArray[np.intp], empty: Any) -> NDArray[Number]:
    """``[M, J, ...]`` the columns ``rows [J]`` of ``values [M, K, ...]``, ``empty`` where a row is -1."""
    found = values[:, rows]
    found[:, rows < 0] = empty
    return found


def with_joints_of(people: PeopleTable, joints: tuple[str, ...], skeleton: Skeleton) -> PeopleTable:
    """The people, whose arrays have the file's ``joints``, in the rows of ``skeleton``."""
    if joints == skeleton.joints:
        return people
    rows = matching_rows(joints, skeleton)
    return replace(
        people,
        keypoints_px=taken(people.keypoints_px, rows, 0),
        annotated=taken(people.annotated, rows, False),
        visibility=taken(people.visibility, rows, UNKNOWN),
        keypoint_scores=taken(people.keypoint_scores, rows, np.nan),
        verbatim=[_of_people(fields) for fields in people.verbatim],
    )


def _of_people(fields: Fields) -> Fields:
    """Without the fields that have an entry for each joint of the file: they say nothing of other joints."""
    if not KEYPOINT_FIELDS & fields.keys():
        return fields
    return {key: value for key, value in fields.items() if key not in KEYPOINT_FIELDS}
