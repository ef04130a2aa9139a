"""Scores of visible, of occluded and of fast joints alone. Definitions of posegraph's own.

For predictions of annotated boxes, which carry the annotation's track id: every predicted joint has a joint of its own
in the ground truth, so a part of the ground truth's joints has a part of the predictions.

Letters: G people of the ground truth and P predicted people of one video, S scored joints, K pairs of a prediction and
a person in the same frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.metrics.curves import Marks
from posegraph.metrics.matching import id_matches
from posegraph.metrics.people import People
from posegraph.metrics.posetrack_ap import ap_of
from posegraph.metrics.posetrack_matching import VideoMatch, posetrack_matches
from posegraph.metrics.reference import required_head_sizes_px
from posegraph.metrics.table import known_table
from posegraph.skeleton import Skeleton

FAST_SHARE = 0.25
"""Of the joints whose speed is known, the fastest."""


@dataclass(frozen=True)
class SplitScores:
    """One part of the annotated joints.

    Fields:
        num_joints: How many there are.
        ap: Group -> average precision in percent, then ``Mean`` over the joints that the part has; NaN: none.
        pck: Likewise, the share of them within half a head size of their prediction.
    """

    num_joints: int
    ap: dict[str, float]
    pck: dict[str, float]


@dataclass(frozen=True)
class Splits:
    """The parts, and where the fast ones begin.

    Fields:
        visible: Joints of visibility 1.
        occluded: Joints of visibility 0.
        fast: Joints faster than ``fast_from``, of any visibility.
        fast_from: Head sizes a frame; NaN where no speed is known.
    """

    visible: SplitScores
    occluded: SplitScores
    fast: SplitScores
    fast_from: float


def split_scores(ground_truth: TrackSet, predictions: TrackSet) -> Splits:
    """AP and PCK of parts of the annotated joints.

    A prediction belongs to the person with its track id in its frame. AP of a part: the average precision of PoseTrack
    where the ground truth is the part alone, and of the predictions those for joints of the part. So a wrong
    prediction costs the part of the joint that it was meant for, and no other. Right means within half a head size.

    A joint's speed is how far its annotation moved in the image since the frame before, in head sizes of its person;
    it is known where the joint is annotated in both frames. Fast is what exceeds the 75th percentile of all speeds.

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    matches = list(posetrack_matches(ground_truth, predictions))
    speeds = [_speeds(match) for match in matches]
    known = np.concatenate([np.zeros(0), *(speed[np.isfinite(speed)] for speed in speeds)])
    fast_from = float(np.quantile(known, 1 - FAST_SHARE)) if len(known) else float("nan")
    with np.errstate(invalid="ignore"):
        fast = [speed > fast_from for speed in speeds]

    def scores(parts: Sequence[NDArray[np.bool_]]) -> SplitScores:
        marks = [_marks(match, part & match.truth.given) for match, part in zip(matches, parts, strict=True)]
        return _scores(ground_truth.skeleton, marks)

    return Splits(
        visible=scores([match.truth.visibility == 1 for match in matches]),
        occluded=scores([match.truth.visibility == 0 for match in matches]),
        fast=scores(fast),
        fast_from=fast_from,
    )


def _speeds(match: VideoMatch) -> NDArray[np.float64]:
    """``[G, S]`` head sizes since the frame before, NaN where one of the two is not annotated."""
    truth = match.truth
    speed = np.full(truth.given.shape, np.nan)
    before, now = _consecutive(truth)
    moved_px = np.linalg.norm(truth.points_px[now] - truth.points_px[before], axis=-1)
    both = truth.given[now] & truth.given[before]
    size_px = required_head_sizes_px(truth, match.video)[now, None]
    speed[now] = np.where(both & (size_px > 0), moved_px / np.where(size_px > 0, size_px, 1.0), np.nan)
    return speed


def _consecutive(people: People) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the same person in a frame and in the next."""
    order = np.lexsort((people.frame, people.track_id))
    before, now = order[:-1], order[1:]
    follows = (people.track_id[before] == people.track_id[now]) & (people.frame[before] + 1 == people.frame[now])
    return before[follows], now[follows]


def _marks(match: VideoMatch, part: NDArray[np.bool_]) -> Marks:
    """The marks of the joints in ``part [G, S]``."""
    matched = id_matches(match.truth, match.predicted, match.pairs)
    own = matched[match.pairs.predicted] == match.pairs.truth
    person, prediction = match.pairs.truth[own], match.pairs.predicted[own]
    correct = np.zeros(match.predicted.given.shape, dtype=np.bool_)
    asked = np.zeros_like(correct)
    correct[prediction] = match.near[own] & part[person]
    asked[prediction] = part[person]
    every = Marks.of(match)
    return Marks(every.scores, every.given & asked, correct, part.sum(axis=0))


def _scores(skeleton: Skeleton, marks: Sequence[Marks]) -> SplitScores:
    S = len(skeleton.scored_rows)
    annotated = np.sum([np.zeros(S, dtype=np.int64), *(one.num_annotated for one in marks)], axis=0)
    found = np.sum([np.zeros(S, dtype=np.int64), *(one.correct.sum(axis=0) for one in marks)], axis=0)
    with np.errstate(invalid="ignore"):
        per_joint = dict(zip(skeleton.scored_rows, (100 * found / annotated).tolist(), strict=True))
    ap = ap_of(skeleton, marks).table_with_ground_truth
    return SplitScores(int(annotated.sum()), ap, known_table(skeleton, per_joint))
