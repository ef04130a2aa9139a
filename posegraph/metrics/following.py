"""The people of the ground truth, each with the prediction that is theirs in every frame.

Letters: G people of the ground truth of one video (a person in a frame is a row), S scored joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet, Video
from posegraph.metrics.matching import (
    Match,
    best_matches,
    by_track_id,
    distances_px,
    id_matches,
    prediction_of,
    same_frame_pairs,
)
from posegraph.metrics.people import People, video_pairs
from posegraph.metrics.reference import Reference


@dataclass(frozen=True, eq=False)
class Followed:
    """One video.

    Fields:
        video: The video.
        truth: Its people, scored joints only, ordered by track id, then by frame.
        length_px: ``[G]`` reference length, NaN where it is not known.
        predicted_px: ``[G, S, 2]`` points of the prediction that belongs to the person.
        predicted: ``[G, S]`` joints that it has; none where nothing belongs to the person.
    """

    video: Video
    truth: People
    length_px: NDArray[np.float64]
    predicted_px: NDArray[np.float64]
    predicted: NDArray[np.bool_]

    @property
    def distance(self) -> NDArray[np.float64]:
        """``[G, S]`` from prediction to truth in reference lengths, infinite where one has no joint; NaN where the
        length is not known."""
        with np.errstate(over="ignore"):
            distance_px = np.linalg.norm(self.predicted_px - self.truth.points_px, axis=2)
        distance_px[~(self.predicted & self.truth.given)] = np.inf
        return np.asarray(distance_px / self.length_px[:, None])


def follow(
    ground_truth: TrackSet, predictions: TrackSet, reference: Reference, match: Match = "auto"
) -> Iterator[Followed]:
    """Every video, in the order of the ground truth.

    ``match`` is :data:`Match`; ``best`` takes a joint as right within the reference's usual alpha.

    Raises:
        PoseGraphError: the predictions lack a video or a frame.
    """
    scored = list(ground_truth.skeleton.scored_rows.values())
    by_id = by_track_id(match, ground_truth, predictions)
    for pair in video_pairs(ground_truth, predictions):
        length_px = reference.lengths_px(pair.truth)
        truth, predicted = pair.truth.joints(scored), pair.predicted.joints(scored)
        pairs = same_frame_pairs(truth, predicted)
        if by_id:
            matched = id_matches(truth, predicted, pairs)
        else:
            near = distances_px(truth, predicted, pairs) <= (reference.usual_alpha * length_px)[pairs.truth, None]
            matched = best_matches(near, truth, predicted, pairs)
        own = prediction_of(matched, len(truth))
        points_px, given = np.zeros_like(truth.points_px), np.zeros_like(truth.given)
        rows = np.flatnonzero(own >= 0)
        points_px[rows], given[rows] = predicted.points_px[own[rows]], predicted.given[own[rows]]
        order = np.lexsort((truth.frame, truth.track_id))
        yield Followed(pair.video, truth.only(order), length_px[order], points_px[order], given[order])
