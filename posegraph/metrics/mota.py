"""Multi-object tracking accuracy of every joint, equal to the numbers of poseval (which counts by py-motmetrics)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.metrics.posetrack_matching import posetrack_matches
from posegraph.metrics.table import TOTAL, group_table, known_table, percentages
from posegraph.metrics.tracking_events import TrackingCounts, count_video
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class MOTA:
    """Percentages; keys of the first four are the official joint names in official order, then ``total``, the mean
    of those that are not NaN.

    Fields:
        mota: 1 - (misses + switches + false positives) / objects; NaN where there is no object.
        motp: 1 - D / detections, 0 without a detection. D is poseval's: py-motmetrics' event list has the distance
            of every near pair of a prediction and a person, then of every match again (and of its transfers).
        precision: Detections / (detections + false positives); NaN where nothing is predicted.
        recall: Detections / objects; NaN where there is no object.
        table: Mean MOTA of the skeleton's groups (NaN if one joint is), then ``Mean``, which is ``mota["total"]``.
        averaged: The joints that ``Mean`` is over.
        counts: ``misses``, ``switches``, ``false_positives``, ``objects``, ``detections`` -> joint -> count.
        num_frames: Frames that counted.
        no_ground_truth: Joints that are annotated in none of them.
        table_with_ground_truth: ``table`` over joints with ground truth only.
        too_short: Videos with fewer than two frames with people, of which nothing can count.
    """

    mota: dict[str, float]
    motp: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]
    table: dict[str, float]
    averaged: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    num_frames: int
    no_ground_truth: tuple[str, ...]
    table_with_ground_truth: dict[str, float]
    too_short: tuple[str, ...]


def mota(ground_truth: TrackSet, predictions: TrackSet) -> MOTA:
    """MOTA, MOTP, precision and recall as poseval computes them (``evaluateTracking``).

    Every joint is tracked on its own, over the frames and people of :func:`posetrack_ap`. In a frame, a person keeps
    the track that it had last if that track's joint is within half a head size; the others are assigned for the
    least sum of distances; a person who gets another track than last time is a switch. poseval's quirks are kept:

    - the last of the frames of a video never counts, so a video with one frame counts nothing (poseval stops with an
      error there; here it is named in ``too_short``);
    - a frame in which one side has nobody left counts one miss and one false positive of every joint, whatever
      its people have: a joint without ground truth can so come to -100.

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    matches = posetrack_matches(ground_truth, predictions)
    return mota_of(ground_truth.skeleton, [count_video(match) for match in matches])


def mota_of(skeleton: Skeleton, counts: Iterable[TrackingCounts]) -> MOTA:
    """MOTA over some videos."""
    some = list(counts)
    names = list(skeleton.scored_rows)
    total = sum(some, TrackingCounts.none(len(names)))
    failures = total.misses + total.switches + total.false_positives
    objects = np.where(total.objects > 0, total.objects, np.nan)
    reported = np.where(total.detections + total.false_positives > 0, total.detections + total.false_positives, np.nan)
    missed_distance = np.where(total.detections > 0, total.distance / np.maximum(total.detections, 1), 1.0)
    motp = 1 - missed_distance if total.num_frames else np.full(len(names), np.nan)

    def named(fractions: NDArray[np.float64]) -> dict[str, float]:
        return percentages(dict(zip(names, fractions.tolist(), strict=True)))

    per_joint = named(1 - failures / objects)
    without = tuple(name for name, count in zip(names, total.annotated.tolist(), strict=True) if not count)
    return MOTA(
        mota=per_joint,
        motp=named(motp),
        precision=named(total.detections / reported),
        recall=named(total.detections / objects),
        table=group_table(skeleton, per_joint, mean=per_joint[TOTAL]),
        averaged=tuple(name for name in names if not np.isnan(per_joint[name])),
        counts={
            kind: dict(zip(names, getattr(total, kind).tolist(), strict=True))
            for kind in ("misses", "switches", "false_positives", "objects", "detections")
        },
        num_frames=total.num_frames,
        no_ground_truth=without,
        table_with_ground_truth=known_table(skeleton, {name: per_joint[name] for name in names if name not in without}),
        too_short=tuple(name for one in some for name in one.too_short),
    )
