"""What ``keypoints`` and ``scores`` of the PoseTrack18 and COCO layouts say, read and written.

Letters: M people, K joints of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.tables import all_finite
from posegraph.data.tracks import UNKNOWN

MISSING_SCORE = -9999.0
"""What poseval takes for a joint without a score."""

SEEN_GRADE = 2
"""v of a joint that is seen, in files that tell seen (2) from occluded (1)."""


@dataclass(frozen=True, eq=False)
class Points:
    """``M`` people as arrays, as :class:`~posegraph.data.tracks.PersonTrack` has them.

    ``bad`` is the number of positions that are NaN or infinite.
    """

    keypoints_px: NDArray[np.float64]
    annotated: NDArray[np.bool_]
    visibility: NDArray[np.int8]
    bad: int = 0


def points_of(xyv: NDArray[np.float64], scored: NDArray[np.bool_], graded: bool) -> Points:
    """Read ``xyv [M, K, 3]``.

    A joint is annotated where v > 0; of a person with joint scores (``scored [M]``: a prediction) also where v = 0 but
    the position is not (0, 0), as poseval reads it. ``graded``: v is 2 for seen joints and 1 for occluded ones.
    """
    xy, v = xyv[..., :2], xyv[..., 2]
    finite = all_finite(xy)
    given = (v > 0) | (scored[:, None] & (xy != 0).any(axis=2))
    annotated = given & finite
    visibility = np.full(v.shape, UNKNOWN, dtype=np.int8)
    if graded:
        visibility[annotated & (v == SEEN_GRADE)] = 1
        visibility[annotated & (v == 1)] = 0
    return Points(np.where(annotated[..., None], xy, 0.0), annotated, visibility, int((given & ~finite).sum()))


def xyv_of(
    keypoints_px: NDArray[np.float64], annotated: NDArray[np.bool_], visibility: NDArray[np.int8]
) -> NDArray[np.float64]:
    """``[M, K, 3]`` as the layouts write it: v is 2 for seen joints, 1 where occluded or unknown; 0 0 0 is no joint."""
    v = np.where(visibility == 1, SEEN_GRADE, 1) * annotated
    return np.concatenate([np.where(annotated[..., None], keypoints_px, 0.0), v[..., None]], axis=2)


def scores_of(keypoint_scores: NDArray[np.float64], annotated: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``[M, K]`` as the layouts write it: 0 where no position is given, -9999 where a position has no score.

    NaN for people without any score: they have no ``scores``.
    """
    known = np.isfinite(keypoint_scores)
    written = np.where(annotated, np.where(known, keypoint_scores, MISSING_SCORE), 0.0)
    return np.where(known.any(axis=1, keepdims=True), written, np.nan)
