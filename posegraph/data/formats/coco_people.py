"""``annotations`` of the PoseTrack18, PoseTrack21 and COCO layouts.

Letters: M people, K joints of the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.coco_points import SEEN_GRADE, Points, points_of, scores_of, xyv_of
from posegraph.data.formats.columns import Where, column, number_lists, single_numbers, whole_numbers
from posegraph.data.formats.entries import SharedFields, unread
from posegraph.data.formats.tables import KEYPOINT_FIELDS, PeopleTable, extent_boxes, with_area
from posegraph.data.json_checks import Fault, Found, describe
from posegraph.data.tracks import ABSENT, NO_FIELDS, Fields

PERSON_FIELDS = frozenset({"image_id", "track_id", "keypoints", "scores", "score", "bbox", "bbox_head"})
ADDED_FIELDS = ("id", "category_id")
"""Not read, but every annotation is written with them."""

UNSCORED_POINT = "position of a joint that PoseTrack21 does not annotate"
BAD_POINT = "joint at NaN or infinity (taken as not annotated)"

Table = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PeopleReader:
    """Checks and converts the annotations of one file.

    Fields:
        joints_from: Where the ``K`` joints come from, for messages.
        unscored: ``[K]`` joints that count as not annotated.
        image_rows: Image id -> row of the image.
        fault: Raises the file's errors.
        skipped: Positions that are no use are counted here.
    """

    joints_from: str
    unscored: Mask
    image_rows: dict[int, int]
    fault: Fault
    skipped: Counter[str]

    def read(self, entries: list[dict[str, Any]], file_row: NDArray[np.int64]) -> PeopleTable:
        """The people ``entries``, which are rows ``file_row [M]`` of the file's annotations.

        Raises:
            PoseGraphError: a field that the layout does not allow.
        """
        K = len(self.unscored)
        image = self._images(entries, file_row)
        track_id, has_track = whole_numbers(column(entries, "track_id"), _where(file_row, "track_id"), self.fault)
        flat, has_points = self._per_joint(entries, file_row, "keypoints", 3 * K, "write x, y, v for every joint")
        if entries and not has_points.any():
            self.fault("annotations", Found("no keypoints in any of them"), "keypoints", "give a keypoint file")
        joint_scores, scored = self._per_joint(entries, file_row, "scores", K, "write one score for every joint")
        scores = single_numbers(column(entries, "score"), _where(file_row, "score"), self.fault)
        given_boxes, has_box = self._boxes(entries, file_row, "bbox")
        heads, _ = self._boxes(entries, file_row, "bbox_head")
        heads = np.where(np.isfinite(heads).all(axis=1, keepdims=True), heads, np.nan)

        xyv = np.where(has_points[:, None], flat, 0.0).reshape(-1, K, 3)
        points = self._points(xyv, scored)
        given_boxes = with_area(given_boxes)
        extents = extent_boxes(points.keypoints_px, points.annotated)
        boxes = np.where(has_box[:, None], given_boxes, extents)

        def there(key: str) -> Mask:
            return np.array([key in entry for entry in entries], dtype=np.bool_)

        unlike = {
            "track_id": ~has_track,
            "keypoints": ~has_points | _differ(xyv_of(points.keypoints_px, points.annotated, points.visibility), xyv),
            "scores": np.where(
                scored, _differ(scores_of(joint_scores, points.annotated), joint_scores), there("scores")
            ),
            "score": ~np.isfinite(scores) & there("score"),
            "bbox": np.where(has_box, np.isnan(boxes[:, 0]), there("bbox") | ~np.isnan(boxes[:, 0])),
            "bbox_head": np.isnan(heads[:, 0]) & there("bbox_head"),
            **{key: ~there(key) for key in ADDED_FIELDS},
        }
        return PeopleTable(
            image=image,
            track_id=track_id,
            has_track=has_track,
            keypoints_px=points.keypoints_px,
            annotated=points.annotated,
            visibility=points.visibility,
            keypoint_scores=joint_scores,
            scores=scores,
            boxes_xywh=boxes,
            head_boxes_xywh=heads,
            file_row=file_row,
            extra=unread(entries, PERSON_FIELDS),
            verbatim=_verbatim(entries, unlike),
        )

    def _points(self, xyv: Table, scored: Mask) -> Points:
        graded = bool((xyv[..., 2] == SEEN_GRADE).any())
        points = points_of(np.where(self.unscored[:, None], 0.0, xyv), scored, graded)
        unscored = int(points_of(xyv[:, self.unscored], scored, graded).annotated.sum())
        for reason, count in ((BAD_POINT, points.bad), (UNSCORED_POINT, unscored)):
            if count:
                self.skipped[reason] += count
        return points

    def _images(self, entries: list[dict[str, Any]], file_row: NDArray[np.int64]) -> NDArray[np.int64]:
        """``[M]`` row of each person's image."""
        where = _where(file_row, "image_id")
        ids, given = whole_numbers(column(entries, "image_id"), where, self.fault)
        if not given.all():
            row = int(np.argmin(given))
            self.fault(where(row), Found("nothing"), "the id of an image", "say in which image the person is")
        rows = [self.image_rows.get(image_id, -1) for image_id in ids.tolist()]
        if -1 in rows:
            row = rows.index(-1)
            self.fault(where(row), int(ids[row]), "an id listed in images", "add the image or remove the annotation")
        return np.array(rows, dtype=np.int64)

    def _per_joint(
        self, entries: list[dict[str, Any]], file_row: NDArray[np.int64], key: str, count: int, cure: str
    ) -> tuple[Table, Mask]:
        where = _where(file_row, key)

        def wrong_count(row: int, found: int) -> NoReturn:
            annotation = describe(entries[row]["id"]) if "id" in entries[row] else "none"
            self.fault(where(row), Found(f"{found} numbers (annotation id {annotation})"),
                       f"{count} for the {len(self.unscored)} joints of {self.joints_from}",
                       "correct the annotation, or pass the skeleton that the file was made with")  # fmt: skip

        return number_lists(column(entries, key), count, where, self.fault, cure, wrong_count)

    def _boxes(self, entries: list[dict[str, Any]], file_row: NDArray[np.int64], key: str) -> tuple[Table, Mask]:
        return number_lists(column(entries, key), 4, _where(file_row, key), self.fault, "write x, y, width, height")


def _where(file_row: NDArray[np.int64], key: str) -> Where:
    return lambda row: f"annotations[{file_row[row]}].{key}"


def _differ(written: Table, read: Table) -> Mask:
    differ: Mask = (written != read).any(axis=tuple(range(1, read.ndim)))
    return differ


def _verbatim(entries: list[dict[str, Any]], unlike: dict[str, Mask]) -> list[Fields]:
    """For each entry the fields (``unlike``: name -> ``[M]``) that are not what would be written."""
    shared = SharedFields()
    verbatim = [NO_FIELDS] * len(entries)
    for row in np.flatnonzero(np.any(list(unlike.values()), axis=0)).tolist():
        fields = {key: entries[row].get(key, ABSENT) for key, mask in unlike.items() if mask[row]}
        for key in KEYPOINT_FIELDS & fields.keys():
            if isinstance(fields[key], list) and fields[key]:
                fields[key] = np.array(fields[key], dtype=np.float64)  # a quarter of a list's memory
        verbatim[row] = shared(fields)
    return verbatim
