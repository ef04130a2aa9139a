"""Precision-recall curves of joints, whose area is PoseTrack's average precision.

Letters: P predicted people and G people of the ground truth of one video, S scored joints, M predicted joints of one
kind in all videos.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.metrics.posetrack_matching import VideoMatch, posetrack_matches
from posegraph.skeleton import Skeleton

MISSING_SCORE = -9999.0
"""poseval's score of a joint that has none."""
RECALL_LEVELS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Marks:
    """What the curve of one video needs.

    Fields:
        scores: ``[P, S]`` of the predicted joints.
        given: ``[P, S]`` joints that are predicted.
        correct: ``[P, S]`` joints that are right.
        num_annotated: ``[S]`` joints in the ground truth.
    """

    scores: NDArray[np.float64]
    given: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    num_annotated: NDArray[np.int64]

    @classmethod
    def of(cls, match: VideoMatch) -> Marks:
        """The marks of a matched video."""
        predicted = match.predicted
        scores = np.nan_to_num(predicted.joint_scores, nan=MISSING_SCORE)
        return cls(scores, predicted.given, match.correct, match.truth.given.sum(axis=0))


@dataclass(frozen=True, eq=False)
class PRCurve:
    """Precision and recall of the best 1, 2, .. M predicted joints, as fractions.

    Fields:
        precision: ``[M]`` share of them that is right.
        recall: ``[M]`` share of the annotated joints found among them; NaN where none is annotated.
        threshold: ``[M]`` score of the last of them; None for a group, whose joints have no common score.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    threshold: NDArray[np.float64] | None

    @property
    def highest_from_here(self) -> NDArray[np.float64]:
        """``[M]`` the greatest precision at this recall or a greater one."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]

    @property
    def area(self) -> float:
        """Area under ``highest_from_here``: the average precision as a fraction. 0 where nothing is predicted."""
        if not len(self.recall):
            return 0.0
        return float((np.diff(self.recall, prepend=0.0) * self.highest_from_here).sum())

    def at_recall(self, levels: NDArray[np.float64]) -> dict[str, list[float]]:
        """Plain values at the given levels of recall: the greatest precision there (0 beyond the curve's end) and,
        for a joint, the score that reaches the level (NaN beyond)."""
        place = np.searchsorted(self.recall, levels, side="left")
        precision = np.append(self.highest_from_here, 0.0)[place]
        found = {"recall": levels.tolist(), "precision": precision.tolist()}
        if self.threshold is not None:
            found["threshold"] = np.append(self.threshold, np.nan)[place].tolist()
        return found


@dataclass(frozen=True, eq=False)
class PRCurves:
    """Curves of all joints and groups.

    Fields:
        per_joint: Official joint name -> curve; its area is the joint's AP. Without a prediction it is empty.
        per_group: Group -> the mean, at every recall, of the greatest precisions of its joints that have ground
            truth; its area is the group's AP over joints with ground truth. A group without such a joint has none.
        no_ground_truth: Joints that are annotated nowhere.
    """

    per_joint: dict[str, PRCurve]
    per_group: dict[str, PRCurve]
    no_ground_truth: tuple[str, ...]

    @property
    def figures(self) -> dict[str, object]:
        """Plain values at 101 levels of recall, for a file or a picture."""
        known = {name: curve for name, curve in self.per_joint.items() if name not in self.no_ground_truth}
        return {
            "per_joint": {name: curve.at_recall(RECALL_LEVELS) for name, curve in known.items()},
            "per_group": {group: curve.at_recall(RECALL_LEVELS) for group, curve in self.per_group.items()},
            "no_ground_truth": list(self.no_ground_truth),
        }


def precision_recall(ground_truth: TrackSet, predictions: TrackSet) -> PRCurves:
    """Precision-recall curves by the matching of :func:`posetrack_ap`, which documents it.

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    marks = [Marks.of(match) for match in posetrack_matches(ground_truth, predictions)]
    return curves_of(ground_truth.skeleton, marks)


def curves_of(skeleton: Skeleton, marks: Iterable[Marks]) -> PRCurves:
    """Curves over the videos of ``marks``."""
    curves, num_annotated = joint_curves(skeleton, marks)
    names = list(skeleton.scored_rows)
    unknown = tuple(name for name, count in zip(names, num_annotated.tolist(), strict=True) if not count)
    of_row = {row: curves[name] for name, row in skeleton.scored_rows.items() if name not in unknown}
    groups = {group: [of_row[row] for row in rows if row in of_row] for group, rows in skeleton.group_rows.items()}
    return PRCurves(curves, {group: _mean_curve(some) for group, some in groups.items() if some}, unknown)


def joint_curves(skeleton: Skeleton, marks: Iterable[Marks]) -> tuple[dict[str, PRCurve], NDArray[np.int64]]:
    """Curve of every scored joint, and ``[S]`` how often each is annotated."""
    some = list(marks)
    S = len(skeleton.scored_rows)
    num_annotated = np.sum([np.zeros(S, dtype=np.int64), *(one.num_annotated for one in some)], axis=0)
    curves = {}
    for joint, name in enumerate(skeleton.scored_rows):
        kept = [one.given[:, joint] for one in some]
        scores = _joined([one.scores[rows, joint] for one, rows in zip(some, kept, strict=True)], np.float64)
        correct = _joined([one.correct[rows, joint] for one, rows in zip(some, kept, strict=True)], np.bool_)
        curves[name] = _curve(scores, correct, int(num_annotated[joint]))
    return curves, num_annotated


def _joined(parts: list[NDArray[np.generic]], dtype: type) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])


def _curve(scores: NDArray[np.generic], correct: NDArray[np.generic], num_annotated: int) -> PRCurve:
    best_first = np.argsort(scores, kind="stable")[::-1]  # the last of equals first, as poseval's reversal has it
    found = np.cumsum(correct[best_first])
    precision = found / np.arange(1, len(found) + 1)
    recall = found / num_annotated if num_annotated else np.full(len(found), np.nan)
    return PRCurve(precision, recall, scores[best_first].astype(np.float64))


def _mean_curve(curves: list[PRCurve]) -> PRCurve:
    recall = np.unique(np.concatenate([curve.recall for curve in curves]))
    recall = recall[recall > 0]
    precision = np.mean([curve.at_recall(recall)["precision"] for curve in curves], axis=0)
    return PRCurve(precision, recall, None)
