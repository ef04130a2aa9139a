"""PoseTrack's average precision of joints, equal to the numbers of poseval (spec section 11).

Letters: G people of the ground truth and P predicted people in one frame, S scored joints, M predicted joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.frames import FramePair, People, best_matches, frame_pairs
from posegraph.metrics.table import group_table, mean_of_known

TOTAL = "total"
DISTANCE_THRESHOLD = 0.5
HEAD_SIZE_FACTOR = 0.6
MISSING_SCORE = -9999.0


@dataclass(frozen=True)
class PoseTrackAP:
    """Percentages; keys are the official joint names in official order, then ``total``.

    Fields:
        ap: Average precision over the whole precision-recall curve. NaN where a joint is predicted and never
            annotated; 0 where it is never predicted, annotated or not (poseval's rule). ``total`` is the mean
            of those that are not NaN.
        precision: Of all predicted joints, those that are right.
        recall: Of all annotated joints, those that were found.
        table: poseval's printed row: plain means of the skeleton's groups (NaN if one joint is), then ``Mean``.
        no_ground_truth: Joints that are annotated nowhere.
    """

    ap: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]
    table: dict[str, float]
    no_ground_truth: tuple[str, ...]


def posetrack_ap(ground_truth: TrackSet, predictions: TrackSet) -> PoseTrackAP:
    """Average precision as poseval computes it.

    Frames without a person in the ground truth are left out; joints inside ignore regions are dropped from both
    sides; a prediction is right within 0.5 head sizes (0.6 x diagonal of the head box); predictions that belong
    to no person are false positives, and so are predicted joints that the matched person has not annotated.
    A joint without a score has poseval's -9999. Where scores tie, the order is poseval's up to numpy's sort.

    Read both files with ``keep_empty=True``: poseval counts a frame whose people have no joints (predictions
    there are false positives) and does not look at boxes.

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    names = list(ground_truth.skeleton.scored_rows)
    num_annotated = np.zeros(len(names), dtype=np.int64)
    given: list[NDArray[np.bool_]] = []
    correct: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float64]] = []
    for pair in frame_pairs(ground_truth, predictions):
        truth, predicted = _outside_ignore_regions(pair)
        num_annotated += truth.given.sum(axis=0)
        given.append(predicted.given)
        scores.append(predicted.scores)
        correct.append(_correct(pair, truth, predicted))
    empty = np.zeros((0, len(names)))
    all_given = np.concatenate([empty.astype(np.bool_), *given])
    all_correct = np.concatenate([empty.astype(np.bool_), *correct])
    all_scores = np.nan_to_num(np.concatenate([empty, *scores]), nan=MISSING_SCORE)
    curves = [
        _average_precision(all_scores[rows, joint], all_correct[rows, joint], int(num_annotated[joint]))
        for joint, rows in enumerate(all_given.T)
    ]
    ap, precision, recall = (_with_total(names, [curve[kind] for curve in curves]) for kind in range(3))
    return PoseTrackAP(
        ap=ap,
        precision=precision,
        recall=recall,
        table=group_table(ground_truth.skeleton, ap, mean=ap[TOTAL]),
        no_ground_truth=tuple(name for name, count in zip(names, num_annotated, strict=True) if not count),
    )


def _with_total(names: list[str], fractions: list[float]) -> dict[str, float]:
    percent = [100 * fraction for fraction in fractions]
    return dict(zip(names, percent, strict=True)) | {TOTAL: mean_of_known(percent)}


def head_sizes_px(truth: People, pair: FramePair) -> NDArray[np.float64]:
    """``[G]`` 0.6 x diagonal of the head boxes.

    Raises:
        PoseGraphError: a person has no head box.
    """
    head_boxes_xywh = truth.boxes("head_boxes_xywh")
    missing = np.flatnonzero(~np.isfinite(head_boxes_xywh).all(axis=1))
    if len(missing):
        track, _ = truth.members[missing[0]]
        raise PoseGraphError(
            f"{pair.video.source}: track {track.track_id} has no head box (bbox_head) in frame {pair.frame} "
            f"({pair.video.frame_files[pair.frame]}); expected one for every person, which the head size is taken "
            "from; add the head boxes, or evaluate with PCK, whose reference the skeleton chooses"
        )
    # poseval stores corners, so the size is that of the corners: (x + w) - x is not always w.
    corner = head_boxes_xywh[:, :2] + head_boxes_xywh[:, 2:]
    return np.asarray(HEAD_SIZE_FACTOR * np.sqrt(((corner - head_boxes_xywh[:, :2]) ** 2).sum(axis=1)))


def _correct(pair: FramePair, truth: People, predicted: People) -> NDArray[np.bool_]:
    """``[P, S]`` joints that are right for the person that the prediction belongs to."""
    correct = np.zeros(predicted.given.shape, dtype=np.bool_)
    sizes_px = head_sizes_px(truth, pair)
    if not len(truth) or not len(predicted):
        return correct
    both = predicted.given[:, None] & truth.given[None]
    offset = predicted.points_px[:, None] - truth.points_px[None]
    # A head box without area, or a position beyond all pixels: nothing is near enough.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance = np.sqrt((offset**2).sum(axis=3)) / sizes_px[None, :, None]
    near = both & (distance <= DISTANCE_THRESHOLD)  # [P, G, S]
    matched = best_matches(near.sum(axis=2) / np.maximum(truth.given.sum(axis=1), 1))
    rows = np.flatnonzero(matched >= 0)
    correct[rows] = near[rows, matched[rows]]
    return correct


def _outside_ignore_regions(pair: FramePair) -> tuple[People, People]:
    """Both sides without the joints inside an ignore region, and without people that have no joint."""
    polygons = pair.video.ignore_regions[pair.frame]
    return _without(pair.truth, polygons), _without(pair.predicted, polygons)


def _without(people: People, polygons: tuple[NDArray[np.float64], ...]) -> People:
    given = people.given.copy()
    for polygon in polygons:
        given &= ~inside_polygon(people.points_px, polygon)
    return people.only(np.asarray(given.any(axis=1)), given)


def inside_polygon(points_px: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``[...]`` whether ``points_px [..., 2]`` lie strictly inside ``polygon [K, 2]`` by the even-odd rule.

    Points on the border are outside, as for shapely's ``contains``. Fewer than three corners hold nothing.
    """
    if len(polygon) < 3:
        return np.zeros(points_px.shape[:-1], dtype=np.bool_)
    x, y = points_px[..., None, 0], points_px[..., None, 1]
    x1, y1 = polygon.T
    x2, y2 = np.roll(polygon, -1, axis=0).T
    with np.errstate(invalid="ignore", over="ignore"):  # positions beyond all pixels
        side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    in_span = (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2))
    in_span &= (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    on_border = ((side == 0) & in_span).any(axis=-1)
    upward, downward = (y1 <= y) & (y < y2), (y2 <= y) & (y < y1)
    crossings = ((upward & (side > 0)) | (downward & (side < 0))).sum(axis=-1)
    return np.asarray((crossings % 2 == 1) & ~on_border)


def _average_precision(
    scores: NDArray[np.float64], correct: NDArray[np.bool_], num_annotated: int
) -> tuple[float, float, float]:
    """Area under the monotone precision-recall curve, and precision and recall at its end, as fractions.

    Args:
        scores: ``[M]`` of all predicted joints of one kind.
        correct: ``[M]``.
        num_annotated: Such joints in the ground truth.
    """
    if not len(scores):
        return 0.0, 0.0, 0.0
    found = np.cumsum(correct[np.argsort(scores, kind="stable")[::-1]])
    precision = found / np.arange(1, len(found) + 1)
    if not num_annotated:
        return float("nan"), float(precision[-1]), float("nan")
    recall = found / num_annotated
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((np.diff(recall, prepend=0.0) * highest_from_here).sum())
    return area, float(precision[-1]), float(recall[-1])
