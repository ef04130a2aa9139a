"""PoseTrack's average precision of joints, equal to the numbers of poseval (spec section 11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from posegraph.data.tracks import TrackSet
from posegraph.metrics.curves import Marks, joint_curves
from posegraph.metrics.posetrack_matching import posetrack_matches
from posegraph.metrics.table import TOTAL, group_table, known_table, percentages
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class PoseTrackAP:
    """Percentages; keys of ``ap``, ``precision`` and ``recall`` are the official joint names in official order, then
    ``total``.

    Fields:
        ap: Average precision over the whole precision-recall curve. NaN where a joint is predicted and never
            annotated; 0 where it is never predicted, annotated or not (poseval's rule). ``total`` is the mean
            of those that are not NaN.
        precision: Of all predicted joints, those that are right.
        recall: Of all annotated joints, those that were found.
        table: poseval's printed row: plain means of the skeleton's groups (NaN if one joint is), then ``Mean``,
            which is ``ap["total"]``.
        averaged: The joints that ``Mean`` is over: in poseval's number a joint that nobody annotated or predicted
            is one of them, with 0.
        no_ground_truth: Joints that are annotated nowhere.
        table_with_ground_truth: The same row over joints with ground truth only.
    """

    ap: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]
    table: dict[str, float]
    averaged: tuple[str, ...]
    no_ground_truth: tuple[str, ...]
    table_with_ground_truth: dict[str, float]


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
    marks = [Marks.of(match) for match in posetrack_matches(ground_truth, predictions)]
    return ap_of(ground_truth.skeleton, marks)


def ap_of(skeleton: Skeleton, marks: Iterable[Marks], unknown: float = float("nan")) -> PoseTrackAP:
    """Average precision over the videos of ``marks``; ``unknown`` is the AP and the recall (as fractions) of a joint
    that is predicted and never annotated."""
    curves, num_annotated = joint_curves(skeleton, marks)
    names = list(curves)
    without = tuple(name for name, count in zip(names, num_annotated.tolist(), strict=True) if not count)
    ap = percentages({name: np.nan_to_num(curve.area, nan=unknown) for name, curve in curves.items()})
    # Where nothing is predicted, poseval's precision and recall are 0.
    precision = {name: float(np.append(0, curve.precision)[-1]) for name, curve in curves.items()}
    recall = {name: float(np.append(0, curve.recall)[-1]) for name, curve in curves.items()}
    return PoseTrackAP(
        ap=ap,
        precision=percentages(precision),
        recall=percentages({name: np.nan_to_num(value, nan=unknown) for name, value in recall.items()}),
        table=group_table(skeleton, ap, mean=ap[TOTAL]),
        averaged=tuple(name for name in names if not np.isnan(ap[name])),
        no_ground_truth=without,
        table_with_ground_truth=known_table(skeleton, {name: ap[name] for name in names if name not in without}),
    )
