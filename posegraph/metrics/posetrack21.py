"""PosemAP, the average precision of PoseTrack21's own evaluation."""

from __future__ import annotations

import numpy as np

from posegraph.data.tracks import TrackSet
from posegraph.metrics.curves import Marks
from posegraph.metrics.people import People, video_pairs
from posegraph.metrics.posetrack_ap import PoseTrackAP, ap_of
from posegraph.metrics.posetrack_matching import match_video


def pose_map(ground_truth: TrackSet, predictions: TrackSet) -> PoseTrackAP:
    """Average precision as PoseTrack21's ``PosemAP`` computes it.

    As :func:`posetrack_ap`, but:

    - a joint exists, on both sides, only where x and y are both above 0;
    - a joint that is annotated nowhere has AP and recall 0, which are counted in the mean;
    - the frames that count are those that the ground truth labels, with a person in them or not. (PoseTrack21's
      own code stops with a NameError at a prediction in a labelled frame without people; here it is a false
      positive, as its comment there says.)

    Raises:
        PoseGraphError: a person has no head box, or the predictions lack a video or a frame.
    """
    skeleton = ground_truth.skeleton
    scored = list(skeleton.scored_rows.values())
    marks = []
    for pair in video_pairs(ground_truth, predictions):
        frames = np.flatnonzero(pair.video.labeled)
        truth, predicted = (_in_quadrant(side.joints(scored)) for side in (pair.truth, pair.predicted))
        truth, predicted = (side.only(pair.video.labeled[side.frame]) for side in (truth, predicted))
        marks.append(Marks.of(match_video(pair.video, frames, truth, predicted)))
    return ap_of(skeleton, marks, unknown=0.0)


def _in_quadrant(people: People) -> People:
    return people.with_given(people.given & (people.points_px > 0).all(axis=2))
