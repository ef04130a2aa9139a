"""PCK: the share of joints within a fraction of a reference length, for any skeleton.

Letters: G people of the ground truth and P predicted people in one frame, S scored joints.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.frames import FramePair, People, best_matches, frame_pairs
from posegraph.metrics.table import group_table, mean_of_known
from posegraph.skeleton import Skeleton

HEAD_SIZE_FACTOR = 0.6


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
    """

    alpha: float
    reference: str
    per_joint: dict[str, float]
    table: dict[str, float]
    num_joints_scored: int
    skipped: Counter[str]


def pck(
    ground_truth: TrackSet,
    predictions: TrackSet,
    alpha: float = 0.2,
    match: Literal["auto", "track_id", "best"] = "auto",
) -> PCK:
    """PCK@alpha with the skeleton's ``pck_reference``, taken from the ground truth in the same frame.

    ``head_box`` is 0.6 x the diagonal of the head box (PCKh), ``box`` the longer side of the person's box,
    ``joints`` the distance of two joints. People without that length (or a length of 0) are skipped and counted.
    Every annotated joint of every other person counts, found or not; surplus predictions cost nothing.

    Args:
        ground_truth: Annotated tracks.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        alpha: Fraction of the reference length, above 0.
        match: Which prediction is whose. ``track_id``: the one with the person's track id in that frame (boxes
            of the ground truth). ``best``: as in PoseTrack's AP, by the share of joints that are right.
            ``auto``: ``track_id`` if every prediction has the id of a person in its frame, else ``best``.

    Raises:
        PoseGraphError: ``alpha`` is not above 0, or the predictions lack a video or a frame.
    """
    if not alpha > 0:
        raise PoseGraphError(f"alpha: found {alpha}, expected a number above 0; 0.2 is usual")
    skeleton = ground_truth.skeleton
    pairs = list(frame_pairs(ground_truth, predictions))
    by_id = match == "track_id" or (match == "auto" and all(_carries_ids(pair) for pair in pairs))
    found = np.zeros(len(skeleton.scored_rows), dtype=np.int64)
    annotated = np.zeros_like(found)
    skipped: Counter[str] = Counter()
    for pair in pairs:
        length_px = _reference_px(pair.truth, skeleton)
        usable = np.isfinite(length_px) & (length_px > 0)
        unusable = int((~usable & pair.truth.given.any(axis=1)).sum())
        if unusable:
            skipped[f"person without a reference length ({_describe(skeleton)})"] += unusable
        truth = pair.truth.only(usable, pair.truth.given)
        annotated += truth.given.sum(axis=0)
        found += _found(truth, pair.predicted, alpha * length_px[usable], by_id)
    with np.errstate(invalid="ignore"):
        percent = (100 * found / annotated).tolist()
    per_joint = dict(zip(skeleton.scored_rows, percent, strict=True))
    table = group_table(skeleton, per_joint, mean_of_known(percent), skip_unknown=True)
    return PCK(alpha, skeleton.pck_reference.kind, per_joint, table, int(annotated.sum()), skipped)


def _describe(skeleton: Skeleton) -> str:
    reference = skeleton.pck_reference
    return reference.kind if reference.joints is None else f"{reference.joints[0]} to {reference.joints[1]}"


def _ids(people: People) -> list[int]:
    return [track.track_id for track, _ in people.members]


def _carries_ids(pair: FramePair) -> bool:
    return set(_ids(pair.predicted)) <= set(_ids(pair.truth))


def _reference_px(truth: People, skeleton: Skeleton) -> NDArray[np.float64]:
    """``[G]`` length that alpha is a fraction of; NaN where it is not known."""
    reference = skeleton.pck_reference
    if reference.kind == "head_box":
        return np.asarray(HEAD_SIZE_FACTOR * np.linalg.norm(truth.boxes("head_boxes_xywh")[:, 2:], axis=1))
    if reference.joints is None:
        return np.asarray(truth.boxes("boxes_xywh")[:, 2:].max(axis=1))
    first_px, has_first = truth.joints(skeleton.index[reference.joints[0]])
    second_px, has_second = truth.joints(skeleton.index[reference.joints[1]])
    return np.where(has_first & has_second, np.linalg.norm(first_px - second_px, axis=1), np.nan)


def _found(truth: People, predicted: People, within_px: NDArray[np.float64], by_id: bool) -> NDArray[np.int64]:
    """``[S]`` people of which the joint was found."""
    with np.errstate(over="ignore"):  # a position beyond all pixels is not near
        distance_px = np.linalg.norm(predicted.points_px[:, None] - truth.points_px[None], axis=3)
    near = predicted.given[:, None] & truth.given[None] & (distance_px <= within_px[None, :, None])  # [P, G, S]
    if by_id:
        place = {track_id: row for row, track_id in enumerate(_ids(truth))}
        matched = np.array([place.get(track_id, -1) for track_id in _ids(predicted)], dtype=np.int64)
    else:
        matched = best_matches(near.sum(axis=2) / np.maximum(truth.given.sum(axis=1), 1))
    rows = np.flatnonzero(matched >= 0)
    return np.asarray(near[rows, matched[rows]].sum(axis=0))
