"""poseval's view of a video: cleaned up, and every predicted joint marked right or wrong.

Letters: G people of the ground truth and P predicted people of one video, S scored joints, K pairs of a prediction
and a person in the same frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet, Video
from posegraph.metrics.ignore_regions import outside_ignore_regions
from posegraph.metrics.matching import Pairs, best_matches, distances_px, same_frame_pairs
from posegraph.metrics.people import People, video_pairs
from posegraph.metrics.reference import HEAD_ALPHA, required_head_sizes_px


@dataclass(frozen=True, eq=False)
class VideoMatch:
    """One video after poseval's cleanup.

    Fields:
        video: The video.
        frames: The frames that count, ascending.
        truth: The people outside the ignore regions who have a joint; scored joints only.
        predicted: Likewise.
        pairs: Their pairs.
        distance: ``[K, S]`` in head sizes; infinite where one of the two lacks the joint.
        near: ``[K, S]`` distances of at most half a head size.
        correct: ``[P, S]`` joints that are right for the person that the prediction belongs to.
    """

    video: Video
    frames: NDArray[np.int64]
    truth: People
    predicted: People
    pairs: Pairs
    distance: NDArray[np.float64]
    near: NDArray[np.bool_]
    correct: NDArray[np.bool_]


def posetrack_matches(ground_truth: TrackSet, predictions: TrackSet) -> Iterator[VideoMatch]:
    """Every video, in the order of the ground truth; the frames that count are those with a person in it.

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    scored = list(ground_truth.skeleton.scored_rows.values())
    for pair in video_pairs(ground_truth, predictions):
        frames = np.unique(pair.truth.frame)
        pair = pair.annotated_frames()
        yield match_video(pair.video, frames, pair.truth.joints(scored), pair.predicted.joints(scored))


def match_video(video: Video, frames: NDArray[np.int64], truth: People, predicted: People) -> VideoMatch:
    """Match the people of ``frames`` outside the ignore regions.

    Raises:
        PoseGraphError: a person of the ground truth has no head box.
    """
    truth, predicted = outside_ignore_regions(truth, video), outside_ignore_regions(predicted, video)
    size_px = required_head_sizes_px(truth, video)
    pairs = same_frame_pairs(truth, predicted)
    # A head box without area: nothing is near enough.
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = distances_px(truth, predicted, pairs) / size_px[pairs.truth, None]
        near = distance <= HEAD_ALPHA
    matched = best_matches(near, truth, predicted, pairs)
    correct = np.zeros(predicted.given.shape, dtype=np.bool_)
    own = matched[pairs.predicted] == pairs.truth  # the pairs of a prediction and its person
    correct[pairs.predicted[own]] = near[own]
    return VideoMatch(video, frames, truth, predicted, pairs, distance, near, correct)
