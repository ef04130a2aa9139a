"""Jitter: how much a prediction trembles, beside how the person moves. A definition of posegraph's own.

Letters: G people of the ground truth of one video (a person in a frame is a row), S scored joints, T triples of
consecutive frames of a track.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.metrics.following import Followed, follow
from posegraph.metrics.matching import Match
from posegraph.metrics.reference import Reference, reference_for
from posegraph.metrics.table import known_table


@dataclass(frozen=True)
class Jitter:
    """Mean acceleration error in reference lengths per frame squared; 0 is best, NaN where nothing was measured.

    Fields:
        reference: What the length is: ``head_box`` (0.6 x the diagonal), ``box`` or ``joints``.
        per_joint: Official joint name -> mean over its measurements.
        table: Means of the skeleton's groups, then ``Mean`` over all joints; joints with NaN are left out.
        measured: Official joint name -> number of measurements.
        skipped: Triples of frames left out, reason -> count.
        no_ground_truth: Joints that are annotated nowhere.
    """

    reference: str
    per_joint: dict[str, float]
    table: dict[str, float]
    measured: dict[str, int]
    skipped: Counter[str]
    no_ground_truth: tuple[str, ...]


def jitter(
    ground_truth: TrackSet, predictions: TrackSet, match: Match = "auto", reference: Reference | None = None
) -> Jitter:
    """Mean acceleration error of predicted joints against the ground truth's.

    For a person ``g`` of the ground truth with prediction ``p``, a joint, and three consecutive frames t-1, t, t+1 (of
    the video's frame list) in all of which both have the joint, one measurement is::

        |(p[t+1] - 2 p[t] + p[t-1]) - (g[t+1] - 2 g[t] + g[t-1])| / length[t]

    A constant offset gives 0, and so does a prediction that drifts at a constant velocity. The unit is
    per frame squared: figures of videos with another frame rate, or with frames left out, are not comparable.

    Args:
        ground_truth: Annotated tracks.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        match: Which prediction is whose (:data:`Match`), in each frame on its own.
        reference: The length; None: the head size where every annotated person has a head box, else the skeleton's
            ``pck_reference``.

    Raises:
        PoseGraphError: the predictions lack a video or a frame.
    """
    skeleton = ground_truth.skeleton
    reference = reference or reference_for(ground_truth)
    S = len(skeleton.scored_rows)
    total, count, annotated = np.zeros(S), np.zeros(S, dtype=np.int64), np.zeros(S, dtype=np.int64)
    skipped: Counter[str] = Counter()
    for one in follow(ground_truth, predictions, reference, match):
        error, measured = _acceleration_errors(one)
        known = np.isfinite(one.length_px)[_middles(one)]
        unknown = int(measured[~known].any(axis=1).sum())
        if unknown:
            skipped[f"frames around a person without a reference length ({reference.description})"] += unknown
        measured &= known[:, None]
        total += np.where(measured, error, 0).sum(axis=0)
        count += measured.sum(axis=0)
        annotated += one.truth.given.sum(axis=0)
    with np.errstate(invalid="ignore"):
        per_joint = dict(zip(skeleton.scored_rows, (total / count).tolist(), strict=True))
    return Jitter(
        reference=reference.kind,
        per_joint=per_joint,
        table=known_table(skeleton, per_joint),
        measured=dict(zip(skeleton.scored_rows, count.tolist(), strict=True)),
        skipped=skipped,
        no_ground_truth=tuple(n for n, c in zip(skeleton.scored_rows, annotated.tolist(), strict=True) if not c),
    )


def _middles(one: Followed) -> NDArray[np.intp]:
    """``[T]`` rows whose neighbours are the same person in the frames before and after."""
    frame, track_id = one.truth.frame, one.truth.track_id
    next_ = (np.diff(frame) == 1) & (np.diff(track_id) == 0)
    return np.flatnonzero(next_[:-1] & next_[1:]) + 1


def _acceleration_errors(one: Followed) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``[T, S]`` errors in reference lengths, and where they are measured (whatever the length)."""
    middle = _middles(one)
    both = one.truth.given & one.predicted
    # Second differences are linear: that of the offset is the difference of the two.
    offset_px = one.predicted_px - one.truth.points_px
    with np.errstate(over="ignore", invalid="ignore"):
        error_px = np.linalg.norm(offset_px[middle + 1] - 2 * offset_px[middle] + offset_px[middle - 1], axis=2)
    return error_px / one.length_px[middle, None], both[middle - 1] & both[middle] & both[middle + 1]
