"""Where a prediction fails: the frames with the most errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from posegraph.data.tracks import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.matching import best_matches, distances_px, same_frame_pairs
from posegraph.metrics.people import VideoPair, video_pairs
from posegraph.metrics.reference import Reference, reference_for

Order = Literal["wrong", "error", "missed", "false_positives"]


@dataclass(frozen=True)
class FrameErrors:
    """What is wrong in one frame of the ground truth.

    Fields:
        video: The video's name.
        frame: The frame, counted from 0.
        file: The image.
        people: Annotated people.
        predicted_people: Predicted people.
        annotated: Annotated joints.
        missed: Those that were not found.
        false_positives: Predicted joints that are right for nobody.
        error: Mean distance, in reference lengths, of the joints that a person and the prediction that belongs to the
            person both have; NaN where there is none.
    """

    video: str
    frame: int
    file: str
    people: int
    predicted_people: int
    annotated: int
    missed: int
    false_positives: int
    error: float

    @property
    def wrong(self) -> int:
        """Missed joints and false positives."""
        return self.missed + self.false_positives


def worst_frames(
    ground_truth: TrackSet,
    predictions: TrackSet,
    n: int = 10,
    by: Order = "wrong",
    reference: Reference | None = None,
) -> list[FrameErrors]:
    """The ``n`` frames with the greatest ``by``, worst first; equal ones in the order of the videos.

    People and predictions are matched as in PoseTrack's AP, and a joint is right within the reference's usual alpha:
    0.5 of a head size, 0.2 of another length. Ignore regions are not looked at.

    Args:
        ground_truth: Annotated tracks.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        n: How many.
        by: ``wrong`` (missed joints and false positives), ``missed``, ``false_positives`` or ``error`` (the mean
            distance).
        reference: The length; None: the head size where every annotated person has a head box, else the skeleton's
            ``pck_reference``.

    Raises:
        PoseGraphError: ``n`` is below 1, or the predictions lack a video or a frame.
    """
    if n < 1:
        raise PoseGraphError(f"n: found {n}, expected a number of frames of at least 1")
    reference = reference or reference_for(ground_truth)
    found: list[FrameErrors] = []
    for pair in video_pairs(ground_truth, predictions):
        found += _frames(pair.annotated_frames(), reference)
        found = sorted(found, key=lambda one: -np.nan_to_num(getattr(one, by), nan=-1.0))[:n]
    return found


def _frames(pair: VideoPair, reference: Reference) -> list[FrameErrors]:
    scored = list(reference.skeleton.scored_rows.values())
    length_px = reference.lengths_px(pair.truth)
    truth, predicted = pair.truth.joints(scored), pair.predicted.joints(scored)
    pairs = same_frame_pairs(truth, predicted)
    distance = distances_px(truth, predicted, pairs) / length_px[pairs.truth, None]
    with np.errstate(invalid="ignore"):
        near = distance <= reference.usual_alpha
    own = best_matches(near, truth, predicted, pairs)[pairs.predicted] == pairs.truth
    measured = np.isfinite(distance[own])
    F = pair.video.num_frames

    def count(frame: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(frame, values, minlength=F)

    pair_frame = truth.frame[pairs.truth[own]]
    right = count(pair_frame, near[own].sum(axis=1)).astype(np.int64)
    annotated = count(truth.frame, truth.given.sum(axis=1)).astype(np.int64)
    reported = count(predicted.frame, predicted.given.sum(axis=1)).astype(np.int64)
    total = count(pair_frame, np.where(measured, distance[own], 0).sum(axis=1))
    with np.errstate(invalid="ignore"):
        error = total / count(pair_frame, measured.sum(axis=1))
    people, predicted_people = count(truth.frame), count(predicted.frame)
    return [
        FrameErrors(
            video=pair.video.name,
            frame=frame,
            file=pair.video.frame_files[frame],
            people=int(people[frame]),
            predicted_people=int(predicted_people[frame]),
            annotated=int(annotated[frame]),
            missed=int(annotated[frame] - right[frame]),
            false_positives=int(reported[frame] - right[frame]),
            error=float(error[frame]),
        )
        for frame in np.flatnonzero(people).tolist()
    ]
