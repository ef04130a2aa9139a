"""The score that a data set allows: PoseTrack AP where people have head boxes, PCK where they have not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from posegraph.data.tracks import TrackSet
from posegraph.metrics.pck import pck
from posegraph.metrics.posetrack_ap import posetrack_ap
from posegraph.skeleton import PCKReference


@dataclass(frozen=True)
class Scores:
    """What was measured, and how.

    Fields:
        metric: ``PoseTrack AP``, or ``PCK@alpha`` with its reference length.
        reason: Why it is PCK; empty for AP.
        table: Group -> percentage, with ``Mean``.
        figures: Everything there is to say, as plain values: ``AP``, ``precision`` and ``recall``, or ``PCK``.
    """

    metric: str
    reason: str
    table: dict[str, float]
    figures: dict[str, Any]


def score(
    truth: TrackSet,
    predictions: TrackSet,
    alpha: float = 0.2,
    match: Literal["auto", "track_id", "best"] = "auto",
) -> Scores:
    """PoseTrack AP of predictions, or PCK@``alpha`` where annotated people lack head boxes.

    ``match`` is :func:`pck`'s. Both sides must have been read with ``keep_empty=True``, as poseval counts.
    """
    lacking = sum(int(np.isnan(track.head_boxes_xywh).any(axis=1).sum()) for track in truth)
    if not lacking:
        ap = posetrack_ap(truth, predictions)
        figures: dict[str, Any] = {"AP": ap.ap, "precision": ap.precision, "recall": ap.recall}
        return _with_facts(
            Scores("PoseTrack AP", "", ap.table, figures | {"no_ground_truth": list(ap.no_ground_truth)})
        )
    reason = f"{lacking} of {truth.num_poses} annotated people have no head box, from which AP takes its head size"
    if truth.skeleton.pck_reference.kind == "head_box":
        # The skeleton's own reference is what is missing; the person's box is the next best.
        skeleton = truth.skeleton.model_copy(update={"pck_reference": PCKReference(kind="box")})
        truth = replace(truth, skeleton=skeleton)
        predictions = replace(predictions, skeleton=skeleton)
    found = pck(truth, predictions, alpha, match)
    length = {"head_box": "head size", "box": "box's longer side", "joints": "reference bone"}[found.reference]
    return _with_facts(Scores(f"PCK@{alpha:g} of the {length}", reason, found.table, {"PCK": found.per_joint}))


def _with_facts(scores: Scores) -> Scores:
    facts = {"metric": scores.metric, "reason": scores.reason, "table": scores.table}
    return replace(scores, figures=facts | scores.figures)
