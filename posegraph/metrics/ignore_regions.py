"""Joints inside the regions that an annotation says to ignore count on neither side.

Letters: N people of one side of a video, J joints, K corners of a polygon, M polygons of K corners, R pairs of a
person and a polygon in the same frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import Video
from posegraph.metrics.matching import rows_in_same_frame
from posegraph.metrics.people import People

Polygon = NDArray[np.float64]


def outside_ignore_regions(people: People, video: Video) -> People:
    """The people without the joints inside an ignore region of their frame, and without people that lose them all.

    People without any joint are left out too: nothing can be right about them.
    """
    given = people.given.copy()
    for frames, polygons in _by_corner_count(video):
        polygon, person = rows_in_same_frame(frames, people.frame)
        inside = inside_polygon(people.points_px[person], polygons[polygon][:, None])  # [R, J]
        rows, joints = np.nonzero(inside)
        given[person[rows], joints] = False
    return people.with_given(given)


def _by_corner_count(video: Video) -> list[tuple[NDArray[np.int64], Polygon]]:
    """Frames ``[M]`` and polygons ``[M, K, 2]``, for every K that occurs; fewer than three corners hold nothing."""
    found: dict[int, list[tuple[int, Polygon]]] = {}
    for frame, polygons in enumerate(video.ignore_regions):
        for polygon in polygons:
            if len(polygon) >= 3:
                found.setdefault(len(polygon), []).append((frame, polygon))
    return [(np.array([frame for frame, _ in some]), np.stack([p for _, p in some])) for some in found.values()]


def inside_polygon(points_px: NDArray[np.float64], polygon: Polygon) -> NDArray[np.bool_]:
    """``[...]`` whether ``points_px [..., 2]`` lie strictly inside ``polygon [..., K, 2]`` by the even-odd rule.

    Leading dimensions are broadcast. Points on the border are outside, as for shapely's ``contains``. Fewer than
    three corners hold nothing.
    """
    if polygon.shape[-2] < 3:
        return np.zeros(np.broadcast_shapes(points_px.shape[:-1], polygon.shape[:-2]), dtype=np.bool_)
    x, y = points_px[..., None, 0], points_px[..., None, 1]
    x1, y1 = polygon[..., 0], polygon[..., 1]
    x2, y2 = np.roll(x1, -1, axis=-1), np.roll(y1, -1, axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):  # positions beyond all pixels
        side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    in_span = (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2))
    in_span &= (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    on_border = ((side == 0) & in_span).any(axis=-1)
    upward, downward = (y1 <= y) & (y < y2), (y2 <= y) & (y < y1)
    crossings = ((upward & (side > 0)) | (downward & (side < 0))).sum(axis=-1)
    return np.asarray((crossings % 2 == 1) & ~on_border)
