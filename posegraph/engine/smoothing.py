"""Causal smoothing of poses, and what it does: how much they tremble, and how far they fall behind.

# n people in the frame, M tracks that are remembered, J joints
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, FramePoses

Array = NDArray[np.float64]

_SHORTEST_STEP_S = 1e-3
"""Frames with the same time stamp, or one that went back, are taken to be this far apart."""
_LEAST_CONFIDENCE = 1e-3


class _States(NamedTuple):
    """What is remembered of each joint of some tracks; NaN where there is nothing.

    Fields:
        points: ``[M, J, 2]`` smoothed position, image pixels.
        speeds: ``[M, J, 2]`` smoothed velocity, person's sizes a second.
        confidence: ``[M, J]`` of the smoothed position.
        times_s: ``[M, J]`` when it was last updated.
    """

    points: Array
    speeds: Array
    confidence: Array
    times_s: Array

    @classmethod
    def nothing(cls, num_tracks: int, num_joints: int) -> _States:
        shape = (num_tracks, num_joints)
        return cls(
            np.full((*shape, 2), np.nan), np.full((*shape, 2), np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
        )

    def rows(self, rows: NDArray[np.intp]) -> _States:
        return _States(*(values[rows] for values in self))


class OneEuro:
    """The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on the joints of followed people.

    A low-pass whose cut-off frequency grows with speed, ``min_cutoff + beta * speed``: a joint at rest does not
    tremble, a fast one does not fall behind. Only the past is used. Speed is measured in the person's own size (the
    longer side of the box) a second, along the path of the joint, so that settings hold for all resolutions and
    directions. Each joint has a time of its own: after frames without the person the filter follows faster.

    Confidence weighs the new position against the smoothed one: with the filter's weight ``a``, and confidence ``c`` of
    the new and ``s`` of the smoothed position, the new one gets the weight ``a c / (a c + (1 - a) s)``; then ``s``
    becomes ``a c + (1 - a) s``. Where confidence stays the same this is the plain filter. A position that is doubtful
    for a moment hardly moves a sure one, one that stays doubtful is followed, and a sure one soon replaces it.

    Args:
        min_cutoff: In Hz; lower is steadier at rest.
        beta: In Hz for each person's size a second; higher follows fast joints sooner. A joint in steady motion is
            shown at most ``1 / (2 pi beta)`` of the person's size behind.
        d_cutoff: Of the speed, in Hz.
        forget_s: A joint that was not seen for longer starts anew, and so does its track.
    """

    def __init__(
        self, min_cutoff: float = 1.0, beta: float = 40.0, d_cutoff: float = 2.0, forget_s: float = 0.5
    ) -> None:
        for name, value in (("min_cutoff", min_cutoff), ("d_cutoff", d_cutoff), ("forget_s", forget_s)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; expected a number above 0")
        if not 0 <= beta < math.inf:
            raise ValueError(f"beta is {beta}; expected a number of at least 0")
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.d_cutoff = d_cutoff
        self.forget_s = forget_s
        self.reset()

    def reset(self) -> None:
        """Forget everybody: a cut, or another video."""
        self._rows: dict[int, int] = {}
        self._states = _States.nothing(0, 0)

    def __call__(self, poses: FramePoses, time_s: float) -> FramePoses:
        """The frame's poses with smoothed positions; joints without a position (NaN) have none afterwards either.

        Args:
            poses: Of the next frame. People of no track are given back as they are.
            time_s: Of the frame.
        """
        before = self._before(poses, time_s)
        after = self._filtered(before, poses, time_s)
        missing = np.asarray(~np.isfinite(poses.keypoints_px).all(axis=2))
        self._remember(poses.track_ids, _where(missing, before, after), time_s)
        return poses._replace(keypoints_px=np.where(missing[..., None], np.nan, after.points))

    def _before(self, poses: FramePoses, time_s: float) -> _States:
        """States of the frame's ``n`` people before it; nothing for joints that are new or were away for too long."""
        J = poses.keypoints_px.shape[1]
        states = _States.nothing(len(poses.track_ids), J)
        known = [(row, self._rows[one]) for row, one in enumerate(poses.track_ids.tolist()) if one in self._rows]
        if known:
            here, there = np.array(known).T
            for mine, remembered in zip(states, self._states, strict=True):
                mine[here] = remembered[there]
        return _where(
            np.asarray(time_s - states.times_s > self.forget_s), _States.nothing(*states.times_s.shape), states
        )

    def _filtered(self, before: _States, poses: FramePoses, time_s: float) -> _States:
        new = np.isnan(before.times_s)
        size = _sizes_px(poses)
        step_s = np.maximum(time_s - np.where(new, time_s, before.times_s), _SHORTEST_STEP_S)
        confidence = np.clip(np.nan_to_num(poses.keypoint_scores), _LEAST_CONFIDENCE, 1.0)

        def weight(cutoff: Array | float) -> Array:
            plain: Array = 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff * step_s))
            return plain

        def share(plain: Array) -> Array:
            drawn: Array = plain * confidence / (plain * confidence + (1 - plain) * trust)
            return drawn

        start = np.where(new[..., None], poses.keypoints_px, before.points)
        trust = np.where(new, confidence, before.confidence)
        moved = (poses.keypoints_px - start) / size[:, None, None] / step_s[..., None]
        pull = share(weight(self.d_cutoff))[..., None]
        speeds = np.where(new[..., None], 0.0, before.speeds) * (1 - pull) + pull * moved
        plain = weight(self.min_cutoff + self.beta * np.linalg.norm(speeds, axis=2))
        points = start + share(plain)[..., None] * (poses.keypoints_px - start)
        return _States(points, speeds, trust + plain * (confidence - trust), np.full(new.shape, time_s))

    def _remember(self, track_ids: NDArray[np.int64], states: _States, time_s: float) -> None:
        """Put the frame's people in the place of what was known of them, and forget who was away for too long."""
        here = set(track_ids.tolist())
        away = [
            (track_id, row)
            for track_id, row in self._rows.items()
            if track_id not in here and time_s - np.nanmax(self._states.times_s[row]) <= self.forget_s
        ]
        followed = np.flatnonzero((track_ids != NO_TRACK) & np.isfinite(states.times_s).any(axis=1))
        kept, added = self._states.rows(np.array([row for _, row in away], dtype=np.intp)), states.rows(followed)
        if kept.times_s.shape[1] != added.times_s.shape[1]:  # before the first frame
            kept = _States.nothing(0, added.times_s.shape[1])
        self._states = _States(*(np.concatenate(pair) for pair in zip(kept, added, strict=True)))
        names = [track_id for track_id, _ in away] + track_ids[followed].tolist()
        self._rows = {track_id: row for row, track_id in enumerate(names)}


def _where(chosen: NDArray[np.bool_], one: _States, other: _States) -> _States:
    """``one`` where ``chosen [n, J]``, else ``other``."""
    return _States(
        *(
            np.where(chosen[..., None] if first.ndim == 3 else chosen, first, second)
            for first, second in zip(one, other, strict=True)
        )
    )


class JitterMeter:
    """How much poses tremble, without a ground truth: the mean acceleration of all joints.

    One measurement is ``|p[t+1] - 2 p[t] + p[t-1]| / size[t]`` for a joint in three consecutive frames of a track, in
    the person's own sizes (the longer side of the box) per frame squared. True accelerations count as well: the figure
    is for comparing poses of the same video, before and after smoothing.
    (:func:`posegraph.metrics.stability.jitter` takes the true motion off.)
    """

    def __init__(self) -> None:
        self._last: list[tuple[int, FramePoses]] = []
        self._total, self._count = 0.0, 0

    def add(self, number: int, poses: FramePoses) -> None:
        """The poses of frame ``number``; a gap in the numbers is a break."""
        if self._last and self._last[-1][0] != number - 1:
            self._last = []
        self._last = [*self._last[-2:], (number, poses)]
        if len(self._last) < 3:
            return
        ids = [set(one.track_ids.tolist()) - {NO_TRACK} for _, one in self._last]
        followed = sorted(ids[0] & ids[1] & ids[2])
        before, middle, after = (_of_tracks(one, followed) for _, one in self._last)
        bend = after.keypoints_px - 2 * middle.keypoints_px + before.keypoints_px
        measured = np.linalg.norm(bend, axis=2) / _sizes_px(middle)[:, None]
        self._total += float(np.nansum(measured))
        self._count += int(np.isfinite(measured).sum())

    def mean(self) -> float | None:
        """The mean over all measurements; None where there are none."""
        return self._total / self._count if self._count else None


class LagMeter:
    """How far smoothed poses fall behind, in frames.

    The sum over joints and frames of (position - smoothed position) . (step of the smoothed position), over that of the
    squared steps: for a joint in steady motion it is the number of frames by which it is shown late, and joints count
    by how fast they are.
    """

    def __init__(self) -> None:
        self._last: tuple[int, FramePoses] | None = None
        self._behind, self._moved = 0.0, 0.0

    def add(self, number: int, poses: FramePoses, smoothed: FramePoses) -> None:
        """The poses of frame ``number`` before and after smoothing; a gap in the numbers is a break."""
        last, self._last = self._last, (number, smoothed)
        if last is None or last[0] != number - 1:
            return
        followed = sorted(set(last[1].track_ids.tolist()) & set(smoothed.track_ids.tolist()) - {NO_TRACK})
        raw, late, before = (_of_tracks(one, followed) for one in (poses, smoothed, last[1]))
        sizes = _sizes_px(late)[:, None, None]
        step = (late.keypoints_px - before.keypoints_px) / sizes
        self._behind += float(np.nansum((raw.keypoints_px - late.keypoints_px) / sizes * step))
        self._moved += float(np.nansum(step * step))

    def mean(self) -> float | None:
        """Frames; None where nothing moved."""
        return self._behind / self._moved if self._moved else None


def _sizes_px(poses: FramePoses) -> Array:
    """``[n]`` the longer side of each box, at least a pixel."""
    sizes: Array = np.maximum(poses.boxes_xywh[:, 2:].max(axis=1), 1.0)
    return sizes


def _of_tracks(poses: FramePoses, track_ids: list[int]) -> FramePoses:
    """The poses of these people, in this order."""
    rows = {track_id: row for row, track_id in enumerate(poses.track_ids.tolist())}
    chosen = np.array([rows[track_id] for track_id in track_ids], dtype=np.intp)
    return poses._replace(**{name: values[chosen] for name, values in poses._asdict().items()})
