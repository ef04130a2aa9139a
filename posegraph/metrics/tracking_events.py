"""What a tracker did right and wrong in a video, joint by joint: the counts that MOTA is made of.

The events are py-motmetrics' (CLEAR MOT, Bernardin and Stiefelhagen 2008), found without walking through all frames:
where every person and every prediction is near at most one other, the matches do not depend on the past. Only the
other, contested cells (a joint in a frame) are resolved one after another.

Letters: G people of the ground truth and P predicted people of one video, S scored joints, C candidates: pairs of a
person's and a prediction's joint near one another, M of which are matches.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from posegraph.metrics.people import People
from posegraph.metrics.posetrack_matching import VideoMatch

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TrackingCounts:
    """Counts of one video or several, ``[S]`` each; two of them can be added.

    Fields:
        misses: Objects without a match.
        switches: Matches with another track than the object's last one.
        false_positives: Predicted joints without a match.
        objects: Joints of the ground truth in the frames that count.
        detections: Matches.
        distance: Sum of poseval's D, in head sizes.
        annotated: Joints of the ground truth that are really annotated there.
        num_frames: Frames that count.
        too_short: Videos without such a frame.
    """

    misses: NDArray[np.int64]
    switches: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    objects: NDArray[np.int64]
    detections: NDArray[np.int64]
    distance: NDArray[np.float64]
    annotated: NDArray[np.int64]
    num_frames: int
    too_short: tuple[str, ...] = ()

    @classmethod
    def none(cls, num_joints: int) -> TrackingCounts:
        """All 0."""
        zero = np.zeros(num_joints, dtype=np.int64)
        return cls(zero, zero, zero, zero, zero, np.zeros(num_joints), zero, 0)

    def __add__(self, other: TrackingCounts) -> TrackingCounts:
        return TrackingCounts(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


@dataclass(frozen=True, eq=False)
class _Candidates:
    """``C`` pairs of near joints, in the order of the frames; ids are numbered from 0."""

    frame: NDArray[np.int64]
    joint: Rows
    truth: Rows
    predicted: Rows
    object: Rows
    track: Rows
    distance: NDArray[np.float64]

    def only(self, rows: NDArray[np.bool_] | Rows) -> _Candidates:
        return _Candidates(*(getattr(self, item.name)[rows] for item in fields(self)))


def count_video(match: VideoMatch) -> TrackingCounts:
    """The counts of one video; its last frame does not count, as in poseval."""
    S = match.truth.given.shape[1]
    if len(match.frames) < 2:
        return replace(TrackingCounts.none(S), too_short=(match.video.name,))
    counted = match.frames[:-1]
    # poseval makes one object and one track, far apart, of a frame in which one side has nobody.
    both = counted[np.isin(counted, match.truth.frame) & np.isin(counted, match.predicted.frame)]
    bare = len(counted) - len(both)
    num_joints = [side.given[np.isin(side.frame, both)].sum(axis=0) for side in (match.truth, match.predicted)]
    candidates = _candidates(match, before=int(match.frames[-1]))
    matches = _matches(match, candidates)
    switches, again = _histories(matches)
    detections = np.bincount(matches.joint, minlength=S)
    distance = np.zeros(S)
    for one, times in ((candidates, np.ones(len(candidates.joint))), (matches, 1.0 + again)):
        distance += np.bincount(one.joint, one.distance * times, minlength=S)
    return TrackingCounts(
        misses=num_joints[0] - detections + bare,
        switches=np.bincount(matches.joint[switches], minlength=S),
        false_positives=num_joints[1] - detections + bare,
        objects=num_joints[0] + bare,
        detections=detections,
        distance=distance,
        annotated=match.truth.given[match.truth.frame < match.frames[-1]].sum(axis=0),
        num_frames=len(counted),
    )


def _candidates(match: VideoMatch, before: int) -> _Candidates:
    pair, joint = np.nonzero(match.near)
    truth, predicted = match.pairs.truth[pair], match.pairs.predicted[pair]
    found = _Candidates(
        frame=match.truth.frame[truth],
        joint=joint,
        truth=truth,
        predicted=predicted,
        object=_numbered(match.truth)[truth],
        track=_numbered(match.predicted)[predicted],
        distance=match.distance[pair, joint],
    )
    return found.only(found.frame < before)


def _numbered(people: People) -> Rows:
    return np.unique(people.track_id, return_inverse=True)[1]


def _matches(match: VideoMatch, candidates: _Candidates) -> _Candidates:
    """The candidates that are matches."""
    S = match.truth.given.shape[1]
    rivals = np.zeros(len(candidates.frame), dtype=np.bool_)
    for row in (candidates.truth, candidates.predicted):
        cell = row * S + candidates.joint
        rivals |= np.bincount(cell)[cell] > 1
    cell = candidates.frame * S + candidates.joint
    contested = np.isin(cell, cell[rivals])
    plain, disputed = np.flatnonzero(~contested), np.flatnonzero(contested)
    if not len(disputed):
        return candidates
    disputed = disputed[np.argsort(cell[disputed], kind="stable")]
    starts = np.flatnonzero(np.diff(cell[disputed])) + 1
    resolver = _Resolver(match, candidates, plain, disputed)
    resolved = [row for rows in np.split(disputed, starts) for row in resolver.resolve(rows)]
    return candidates.only(np.sort(np.concatenate([plain, np.array(resolved, dtype=np.intp)])))


class _Resolver:
    """Matches contested cells in the order of the frames, knowing the last match of every object."""

    def __init__(self, match: VideoMatch, candidates: _Candidates, plain: Rows, contested: Rows) -> None:
        self.match = match
        self.candidates = candidates
        self.last: dict[tuple[int, int], tuple[int, int]] = {}
        """(joint, object) -> (frame, track) of the last match in a contested cell."""
        self.last_plain = self._last_plain(plain, contested)

    def _last_plain(self, plain: Rows, contested: Rows) -> dict[int, tuple[int, int]]:
        """Contested candidate -> (frame, track) of its object's last match in a cell that is not contested."""
        one = self.candidates
        F = int(one.frame.max()) + 1
        series = one.joint * (int(one.object.max()) + 1) + one.object
        time = series * F + one.frame
        plain = plain[np.argsort(time[plain])]
        place = np.searchsorted(time[plain], time[contested]) - 1
        known = place >= 0
        before = plain[place[known]]
        rows = contested[known]
        same = series[before] == series[rows]
        values = zip(one.frame[before[same]].tolist(), one.track[before[same]].tolist(), strict=True)
        return dict(zip(rows[same].tolist(), values, strict=True))

    def resolve(self, rows: Rows) -> list[int]:
        """Of the candidates of one cell those that are matches."""
        one = self.candidates
        frame, joint = int(one.frame[rows[0]]), int(one.joint[rows[0]])
        people, predictions, objects, tracks = (
            dict(zip(rows.tolist(), column[rows].tolist(), strict=True))
            for column in (one.truth, one.predicted, one.object, one.track)
        )
        # An object keeps its last track; of two objects with the same one, the first has it.
        found: list[int] = []
        person_taken: set[int] = set()
        prediction_taken: set[int] = set()
        never = (-1, -1)
        for row in sorted(people, key=lambda row: people[row]):
            last = max(self.last_plain.get(row, never), self.last.get((joint, objects[row]), never))
            if last[1] == tracks[row] and predictions[row] not in prediction_taken:
                found.append(row)
                person_taken.add(people[row])
                prediction_taken.add(predictions[row])
        free = [row for row in people if people[row] not in person_taken and predictions[row] not in prediction_taken]
        if free:
            found += self._assigned(np.array(free), frame, joint)
        self.last |= {(joint, objects[row]): (frame, tracks[row]) for row in found}
        return found

    def _assigned(self, free: Rows, frame: int, joint: int) -> list[int]:
        """The assignment of greatest size and then of least distance, over everybody in the frame who has the
        joint: which of several equally good ones it is depends on the whole matrix."""
        from scipy.optimize import linear_sum_assignment  # takes longer to import than most videos to score

        one = self.candidates
        people, predictions = (_rows_with(side, frame, joint) for side in (self.match.truth, self.match.predicted))
        place = (np.searchsorted(people, one.truth[free]), np.searchsorted(predictions, one.predicted[free]))
        # Distances are at most half a head size, so a single far pair costs more than all near ones.
        cost = np.full((len(people), len(predictions)), float(len(people) + len(predictions)))
        cost[place] = one.distance[free]
        candidate = np.full(cost.shape, -1)
        candidate[place] = free
        assigned = candidate[linear_sum_assignment(cost)].tolist()
        return [row for row in assigned if row >= 0]


def _rows_with(people: People, frame: int, joint: int) -> Rows:
    start, end = np.searchsorted(people.frame, [frame, frame + 1])
    return np.asarray(start + np.flatnonzero(people.given[start:end, joint]))


def _histories(matches: _Candidates) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """``[M]`` which matches are switches, and ``[M]`` how many more events py-motmetrics lists with their distance.

    A match that is not merely kept can be an ascend (a switch to a track never matched before), a transfer (the
    track's last new match was with another object) and with it a migrate (the object was never matched before).
    """
    earlier_of_object = _previous(matches, matches.object)
    earlier_of_track = _previous(matches, matches.track)
    first_of_object, first_of_track = earlier_of_object < 0, earlier_of_track < 0
    new = first_of_object | (matches.track[earlier_of_object] != matches.track)
    switch = new & ~first_of_object
    again = (switch & first_of_track).astype(np.int64)
    rows = np.flatnonzero(new)
    made = matches.only(rows)
    earlier = _previous(made, made.track)
    transfer = (earlier >= 0) & (made.object[earlier] != made.object)
    again[rows] += transfer
    again[rows] += transfer & first_of_object[rows]
    return switch, again


def _previous(matches: _Candidates, key: Rows) -> Rows:
    """``[M]`` the match before, in time, with the same joint and key; -1 for none."""
    order = np.lexsort((matches.frame, key, matches.joint))
    previous = np.full(len(order), -1, dtype=np.intp)
    same = (key[order[1:]] == key[order[:-1]]) & (matches.joint[order[1:]] == matches.joint[order[:-1]])
    previous[order[1:][same]] = order[:-1][same]
    return previous
