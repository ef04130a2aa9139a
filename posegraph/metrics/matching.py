"""Which prediction is whose: poseval's rule over a whole video at once, or by track id.

Letters: G people of the ground truth and P predicted people of one video (a person in a frame is a row), S joints,
K pairs of a prediction and a person in the same frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet
from posegraph.metrics.people import People, video_pairs

Match = Literal["auto", "track_id", "best"]
"""Which prediction is whose. ``track_id``: the one with the person's track id in that frame (boxes of the ground
truth). ``best``: as in PoseTrack's AP, by the share of joints that are right. ``auto``: ``track_id`` if the
predictions carry the ground truth's ids (:func:`shared_ids`), else ``best``."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of a prediction and a person in the same frame, ordered by prediction, then by person.

    Fields:
        predicted: ``[K]`` row of the prediction.
        truth: ``[K]`` row of the person.
    """

    predicted: NDArray[np.intp]
    truth: NDArray[np.intp]


def same_frame_pairs(truth: People, predicted: People) -> Pairs:
    """The pairs of a video."""
    return Pairs(*rows_in_same_frame(predicted.frame, truth.frame))


def rows_in_same_frame(
    frame: NDArray[np.int64], other_frame: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every pair of rows, one of each side, with the same frame: ordered by the first side, then by the other.

    Args:
        frame: Frame of every row of the first side.
        other_frame: Frame of every row of the other side, ascending.
    """
    start = np.searchsorted(other_frame, frame, side="left")
    count = np.searchsorted(other_frame, frame, side="right") - start
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(frame)), count), np.repeat(start, count) + within


def distances_px(truth: People, predicted: People, pairs: Pairs) -> NDArray[np.float64]:
    """``[K, S]`` distance of the joint from prediction to person; infinite where one of them lacks the joint."""
    with np.errstate(over="ignore"):  # a position beyond all pixels is not near
        x, y = (
            predicted.points_px[pairs.predicted, :, axis] - truth.points_px[pairs.truth, :, axis] for axis in (0, 1)
        )
        distance = np.sqrt(x * x + y * y)
    distance[~(predicted.given[pairs.predicted] & truth.given[pairs.truth])] = np.inf
    return distance


def best_matches(near: NDArray[np.bool_], truth: People, predicted: People, pairs: Pairs) -> NDArray[np.intp]:
    """``[P]`` the person that each prediction belongs to, -1 for none.

    poseval's rule: every prediction goes to the person of whose joints it has the greatest share right, and every
    person keeps the prediction with the greatest share; a share of 0 is none; the first wins a tie.

    Args:
        near: ``[K, S]`` joints that are right.
        truth: The people of the ground truth.
        predicted: The predictions.
        pairs: Their ``K`` pairs.
    """
    annotated = truth.given.sum(axis=1)
    share = near.sum(axis=1) / np.maximum(annotated, 1)[pairs.truth]
    fitting = np.flatnonzero(share > 0)
    best = _first_greatest(share, pairs.predicted, fitting)
    best = _first_greatest(share, pairs.truth, best)
    matched = np.full(len(predicted), -1, dtype=np.intp)
    matched[pairs.predicted[best]] = pairs.truth[best]
    return matched


def _first_greatest(value: NDArray[np.float64], group: NDArray[np.intp], among: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of ``among``, in every ``group`` the first with the greatest ``value``."""
    order = among[np.lexsort((among, -value[among], group[among]))]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = group[order[1:]] != group[order[:-1]]
    return order[is_first]


def id_matches(truth: People, predicted: People, pairs: Pairs) -> NDArray[np.intp]:
    """``[P]`` the person with the prediction's track id in its frame, -1 for none."""
    same = truth.track_id[pairs.truth] == predicted.track_id[pairs.predicted]
    matched = np.full(len(predicted), -1, dtype=np.intp)
    matched[pairs.predicted[same]] = pairs.truth[same]
    return matched


def prediction_of(matched: NDArray[np.intp], num_people: int) -> NDArray[np.intp]:
    """``[G]`` the prediction of each person, -1 for none: the inverse of ``matched [P]``."""
    rows = np.flatnonzero(matched >= 0)
    found = np.full(num_people, -1, dtype=np.intp)
    found[matched[rows]] = rows
    return found


def shared_ids(ground_truth: TrackSet, predictions: TrackSet) -> bool:
    """Whether the predictions carry the track ids of the ground truth (frames without people aside).

    So it is if every prediction has the id of a person in its frame, and no prediction's box overlaps another person's
    more than that one's: a tracker that counts from 0 may have the same numbers by chance.
    """
    for pair in video_pairs(ground_truth, predictions):
        predicted = pair.annotated_frames().predicted
        pairs = same_frame_pairs(pair.truth, predicted)
        matched = id_matches(pair.truth, predicted, pairs)
        overlap = np.nan_to_num(_overlaps(pair.truth, predicted, pairs))
        own = matched[pairs.predicted] == pairs.truth
        own_overlap = np.zeros(len(predicted))
        own_overlap[pairs.predicted[own]] = overlap[own]
        if (matched < 0).any() or (overlap > own_overlap[pairs.predicted]).any():
            return False
    return True


def _overlaps(truth: People, predicted: People, pairs: Pairs) -> NDArray[np.float64]:
    """``[K]`` intersection over union of the boxes, NaN where one is not known."""
    one, other = truth.boxes_xywh[pairs.truth], predicted.boxes_xywh[pairs.predicted]
    low = np.maximum(one[:, :2], other[:, :2])
    high = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return np.asarray(shared / (one[:, 2:].prod(axis=1) + other[:, 2:].prod(axis=1) - shared))


def by_track_id(match: Match, ground_truth: TrackSet, predictions: TrackSet) -> bool:
    """What ``match`` means for these tracks."""
    return match == "track_id" or (match == "auto" and shared_ids(ground_truth, predictions))
