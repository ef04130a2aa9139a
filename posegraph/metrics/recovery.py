"""How soon a prediction is right again after an occlusion. A definition of posegraph's own.

Letters: N frames of one track from its first to its last, S scored joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import UNKNOWN, TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.following import Followed, follow
from posegraph.metrics.matching import Match
from posegraph.metrics.reference import Reference, reference_for

UNSEEN, SEEN, NOT_KNOWN = 0, 1, 2
"""States of a joint in a frame."""


@dataclass(frozen=True)
class Occlusions:
    """What became of some joints' occlusions.

    Fields:
        frames: For every recovery, the frames that it took: 0 is right in the first frame in which the joint is seen.
        never: Occlusions after which the prediction was wrong up to the end of the stretch in which the joint is seen.
        undecided: Occlusions after which that stretch ended too early to tell (censored).
    """

    frames: tuple[int, ...] = ()
    never: int = 0
    undecided: int = 0

    def __add__(self, other: Occlusions) -> Occlusions:
        return Occlusions(self.frames + other.frames, self.never + other.never, self.undecided + other.undecided)

    @property
    def figures(self) -> dict[str, float]:
        """Counts, mean and median frames to recover (NaN without a recovery), and the share of the decided occlusions
        that never recovered (NaN without one)."""
        decided = len(self.frames) + self.never
        return {
            "occlusions": decided + self.undecided,
            "recovered": len(self.frames),
            "never_recovered": self.never,
            "undecided": self.undecided,
            "mean_frames": float(np.mean(self.frames)) if self.frames else float("nan"),
            "median_frames": float(np.median(self.frames)) if self.frames else float("nan"),
            "share_never_recovered": self.never / decided if decided else float("nan"),
        }


@dataclass(frozen=True)
class Recovery:
    """Time to recover after occlusions.

    Fields:
        reference: What the length is: ``head_box`` (0.6 x the diagonal), ``box`` or ``joints``.
        alpha: A joint is right within this fraction of it.
        min_hidden: Frames that an occlusion lasts at least.
        stay: Frames that a prediction must stay right.
        in_all: All joints together.
        per_joint: Official joint name -> its occlusions.
    """

    reference: str
    alpha: float
    min_hidden: int
    stay: int
    in_all: Occlusions
    per_joint: dict[str, Occlusions]

    @property
    def figures(self) -> dict[str, Any]:
        """Plain values."""
        settings = {name: getattr(self, name) for name in ("reference", "alpha", "min_hidden", "stay")}
        per_joint = {name: one.figures for name, one in self.per_joint.items()}
        return settings | {"in_all": self.in_all.figures, "per_joint": per_joint}


def says_visibility(ground_truth: TrackSet) -> bool:
    """Whether the files say of any joint if it was seen or occluded."""
    return any(bool((track.visibility != UNKNOWN).any()) for track in ground_truth)


def recovery(
    ground_truth: TrackSet,
    predictions: TrackSet,
    alpha: float | None = None,
    min_hidden: int = 3,
    stay: int = 3,
    match: Match = "auto",
    reference: Reference | None = None,
) -> Recovery:
    """Frames from the end of an occlusion until the prediction is right, and stays right.

    In each frame of a track, from its first to its last, a joint is

    - *seen*: annotated with visibility 1, or annotated where the file does not say;
    - *unseen*: annotated with visibility 0, or not annotated, or the person is not annotated in this frame;
    - *not known*: the frame is not labelled, or the person is annotated without a reference length.

    An occlusion is an unbroken run of at least ``min_hidden`` unseen frames of a joint that was seen earlier in the
    track, directly after which it is seen. The stretch of seen frames that follows is what counts; let r be its first
    frame. The prediction has *recovered* at the first
    frame t of the stretch from which it is right (within ``alpha`` reference lengths) in ``stay`` frames in a row;
    that took t - r frames. Otherwise, if the stretch has fewer than ``stay`` frames or the prediction is right in its
    last frame, more frames might have shown a recovery: the occlusion is *undecided*. Else it *never* recovered.

    Args:
        ground_truth: Annotated tracks that say what was visible.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        alpha: Fraction of the reference length; None: 0.5 of a head size, 0.2 of anything else.
        min_hidden: Frames an occlusion has at least.
        stay: Frames the prediction must stay right.
        match: Which prediction is whose (:data:`Match`), in each frame on its own.
        reference: The length; None: the head size where every annotated person has a head box, else the skeleton's
            ``pck_reference``.

    Raises:
        PoseGraphError: the ground truth says nowhere whether a joint was seen, a number is out of range, or the
            predictions lack a video or a frame.
    """
    _check(ground_truth, alpha, min_hidden, stay)
    reference = reference or reference_for(ground_truth)
    alpha = reference.usual_alpha if alpha is None else alpha
    names = list(ground_truth.skeleton.scored_rows)
    per_joint = dict.fromkeys(names, Occlusions())
    for one in follow(ground_truth, predictions, reference, match):
        for state, right in _tracks(one, alpha):
            for joint, name in enumerate(names):
                per_joint[name] += occlusions(state[:, joint], right[:, joint], min_hidden, stay)
    in_all = sum(per_joint.values(), Occlusions())
    return Recovery(reference.kind, alpha, min_hidden, stay, in_all, per_joint)


def _check(ground_truth: TrackSet, alpha: float | None, min_hidden: int, stay: int) -> None:
    if alpha is not None and not alpha > 0:
        raise PoseGraphError(f"alpha: found {alpha}, expected a number above 0; 0.5 of a head size is usual")
    for name, value in (("min_hidden", min_hidden), ("stay", stay)):
        if value < 1:
            raise PoseGraphError(f"{name}: found {value}, expected a number of frames of at least 1; 3 is the default")
    if not says_visibility(ground_truth):
        raise PoseGraphError(
            "ground truth: found no joint that is said to be seen or occluded, expected visibilities; give annotations "
            "that have them (is_visible, or v = 2 and v = 1), or leave this metric out"
        )


def _tracks(one: Followed, alpha: float) -> Iterator[tuple[NDArray[np.int8], NDArray[np.bool_]]]:
    """Of every track the states ``[N, S]`` and where the prediction is right ``[N, S]``."""
    truth = one.truth
    with np.errstate(invalid="ignore"):
        near = one.distance <= alpha
    state = np.where(truth.given & (truth.visibility != 0), SEEN, UNSEEN).astype(np.int8)
    state[~np.isfinite(one.length_px)] = NOT_KNOWN
    starts = np.flatnonzero(np.diff(truth.track_id, prepend=truth.track_id[:1] - 1))
    for rows in np.split(np.arange(len(truth)), starts[1:]):
        if not len(rows):
            continue
        first, last = int(truth.frame[rows[0]]), int(truth.frame[rows[-1]])
        labeled = one.video.labeled[first : last + 1]
        states = np.where(labeled, UNSEEN, NOT_KNOWN).astype(np.int8)[:, None].repeat(state.shape[1], axis=1)
        right = np.zeros(states.shape, dtype=np.bool_)
        place = truth.frame[rows] - first
        states[place], right[place] = state[rows], near[rows]
        yield states, right


def occlusions(state: NDArray[np.int8], right: NDArray[np.bool_], min_hidden: int, stay: int) -> Occlusions:
    """The occlusions of one joint of one track.

    Args:
        state: ``[N]`` ``UNSEEN``, ``SEEN`` or ``NOT_KNOWN``.
        right: ``[N]`` the prediction is right.
        min_hidden: As for :func:`recovery`.
        stay: As for :func:`recovery`.
    """
    starts = np.flatnonzero(np.diff(state, prepend=-1))
    runs = list(zip(state[starts].tolist(), starts.tolist(), [*starts[1:].tolist(), len(state)], strict=True))
    found, seen_before, hidden = Occlusions(), False, 0
    for kind, first, end in runs:
        if kind == SEEN:
            if seen_before and hidden >= min_hidden:
                found += _outcome(right[first:end], stay)
            seen_before = True
        hidden = end - first if kind == UNSEEN else 0
    return found


def _outcome(right: NDArray[np.bool_], stay: int) -> Occlusions:
    """Of the stretch of seen frames after an occlusion."""
    right_in_row = np.convolve(right, np.ones(stay), mode="valid") if len(right) >= stay else np.zeros(0)
    recovered = np.flatnonzero(right_in_row == stay)
    if len(recovered):
        return Occlusions(frames=(int(recovered[0]),))
    if len(right) < stay or right[-1]:
        return Occlusions(undecided=1)
    return Occlusions(never=1)
