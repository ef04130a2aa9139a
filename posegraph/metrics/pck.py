"""PCK: the share of joints within a fraction of a reference length, for any skeleton.

Letters: G people of the ground truth and P predicted people of one video, S scored joints, K pairs of a prediction
and a person in the same frame, A thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.matching import Match, best_matches, by_track_id, distances_px, id_matches, same_frame_pairs
from posegraph.metrics.people import VideoPair, video_pairs
from posegraph.metrics.reference import Reference
from posegraph.metrics.table import known_table


@dataclass(frozen=True)
class PCK:
    """Percentages of annotated joints that were found; NaN where a joint is annotated nowhere.

    Fields:
        alpha: The fraction of the reference length.
        reference: What the length is: ``head_box``, ``box`` or ``joints``.
        per_joint: Official joint name -> percentage.
        table: Means of the skeleton's groups, then ``Mean`` over all joints; joints with NaN are left out.
        num_joints_scored: Annotated joints of people with a reference length.
        skipped: People left out, reason -> count.
        no_ground_truth: Joints that are annotated nowhere.
    """

    alpha: float
    reference: str
    per_joint: dict[str, float]
    table: dict[str, float]
    num_joints_scored: int
    skipped: Counter[str]
    no_ground_truth: tuple[str, ...]


def pck(
    ground_truth: TrackSet,
    predictions: TrackSet,
    alpha: float = 0.2,
    match: Match = "auto",
    reference: Reference | None = None,
) -> PCK:
    """PCK@alpha with a reference length taken from the ground truth in the same frame.

    ``head_box`` is 0.6 x the diagonal of the head box (PCKh), ``box`` the longer side of the person's box,
    ``joints`` the distance of two joints. People without that length (or a length of 0) are skipped and counted.
    Every annotated joint of every other person counts, found or not; surplus predictions cost nothing.

    Args:
        ground_truth: Annotated tracks.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        alpha: Fraction of the reference length, above 0.
        match: Which prediction is whose (:data:`Match`).
        reference: The length; None: the skeleton's ``pck_reference``.

    Raises:
        PoseGraphError: ``alpha`` is not above 0, or the predictions lack a video or a frame.
    """
    return pck_curve(ground_truth, predictions, [alpha], match, reference)[0]


def pck_curve(
    ground_truth: TrackSet,
    predictions: TrackSet,
    alphas: Sequence[float],
    match: Match = "auto",
    reference: Reference | None = None,
) -> list[PCK]:
    """:func:`pck` at every one of ``alphas``, each equal to a call of its own; distances are measured once."""
    for alpha in alphas:
        if not alpha > 0:
            raise PoseGraphError(f"alpha: found {alpha}, expected a number above 0; 0.2 is usual")
    skeleton = ground_truth.skeleton
    reference = reference or Reference.of(skeleton)
    by_id = by_track_id(match, ground_truth, predictions)
    S = len(skeleton.scored_rows)
    found = np.zeros((len(alphas), S), dtype=np.int64)
    annotated = np.zeros(S, dtype=np.int64)
    everywhere = np.zeros(S, dtype=np.int64)
    skipped: Counter[str] = Counter()
    for pair in video_pairs(ground_truth, predictions):
        counts = _count(pair.annotated_frames(), reference, alphas, by_id)
        found += counts.found
        annotated += counts.annotated
        everywhere += counts.everywhere
        if counts.unusable:
            skipped[f"person without a reference length ({reference.description})"] += counts.unusable
    unknown = tuple(name for name, count in zip(skeleton.scored_rows, everywhere.tolist(), strict=True) if not count)
    results = []
    for alpha, row in zip(alphas, found, strict=True):
        with np.errstate(invalid="ignore"):
            per_joint = dict(zip(skeleton.scored_rows, (100 * row / annotated).tolist(), strict=True))
        table = known_table(skeleton, per_joint)
        results.append(PCK(alpha, reference.kind, per_joint, table, int(annotated.sum()), Counter(skipped), unknown))
    return results


@dataclass(frozen=True, eq=False)
class _Counts:
    """``found [A, S]``, ``annotated [S]`` of people with a length, ``everywhere [S]`` of all, people ``unusable``."""

    found: NDArray[np.int64]
    annotated: NDArray[np.int64]
    everywhere: NDArray[np.int64]
    unusable: int


def _count(pair: VideoPair, reference: Reference, alphas: Sequence[float], by_id: bool) -> _Counts:
    scored = list(reference.skeleton.scored_rows.values())
    length_px = reference.lengths_px(pair.truth)
    truth, predicted = pair.truth.joints(scored), pair.predicted.joints(scored)
    usable = np.isfinite(length_px)
    everywhere = truth.given.sum(axis=0)
    unusable = int((~usable & truth.given.any(axis=1)).sum())
    truth, length_px = truth.only(usable), length_px[usable]
    pairs = same_frame_pairs(truth, predicted)
    distance_px = distances_px(truth, predicted, pairs)
    found = []
    for alpha in alphas:
        near = distance_px <= (alpha * length_px)[pairs.truth, None]  # [K, S]
        matched = id_matches(truth, predicted, pairs) if by_id else best_matches(near, truth, predicted, pairs)
        found.append(near[matched[pairs.predicted] == pairs.truth].sum(axis=0))
    return _Counts(np.array(found), truth.given.sum(axis=0), everywhere, unusable)
