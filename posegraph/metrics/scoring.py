"""Every score that a data set allows, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posegraph.data.tracks import TrackSet, Video
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.metrics.curves import Marks, curves_of
from posegraph.metrics.matching import Match, by_track_id
from posegraph.metrics.mota import mota_of
from posegraph.metrics.oks import oks
from posegraph.metrics.pck import pck, pck_curve
from posegraph.metrics.posetrack_ap import ap_of
from posegraph.metrics.posetrack_matching import posetrack_matches
from posegraph.metrics.recovery import recovery, says_visibility
from posegraph.metrics.reference import Reference, people_without_head_box, reference_for
from posegraph.metrics.scores import Scores, VideoScores
from posegraph.metrics.stability import jitter
from posegraph.metrics.table import TOTAL
from posegraph.metrics.tracking_events import TrackingCounts, count_video

METRICS = ("ap", "mota", "pck", "stability", "pr", "oks")
CHEAP = ("ap", "mota", "pck", "stability")
"""What is measured by default, where the data allow it."""


def score(
    truth: TrackSet,
    predictions: TrackSet,
    alpha: float | Sequence[float] | None = None,
    match: Match = "auto",
    metrics: Sequence[str] | None = None,
) -> Scores:
    """Score predictions. The headline is PoseTrack AP, or PCK where annotated people lack head boxes.

    Both sides must have been read with ``keep_empty=True``, as poseval counts.

    Args:
        truth: Annotated tracks.
        predictions: Predicted tracks, with all videos and frames of the ground truth.
        alpha: Threshold of PCK, or several, of which the first is the headline's; None: 0.5 of a head size, 0.2 of
            another length.
        match: Which prediction is whose, for PCK and stability (:data:`Match`).
        metrics: Of :data:`METRICS`. None: AP, MOTA, PCK and stability, each if the data allow it;
            ``Scores.left_out`` says why not. MOTA is left out where the track ids are no tracker's.

    Raises:
        PoseGraphError: an unknown metric, or one asked for that the data do not allow; ``alpha`` is not above 0; the
            predictions lack a video or a frame.
    """
    by_id = by_track_id(match, truth, predictions)
    lacking = people_without_head_box(truth)
    if metrics is None:
        wanted, left_out = _allowed(truth, predictions, lacking, by_id)
    else:
        wanted, left_out = _known(metrics), {}
    reason = f"{lacking} of {truth.num_poses} annotated people have no head box, from which AP takes its head size"
    scores = Scores(truth.skeleton, reason if metrics is None and lacking else "", _unannotated(truth))
    if wanted & {"ap", "mota", "pr"}:
        scores = _posetrack(scores, wanted, truth, predictions)
    followed: Match = "track_id" if by_id else "best"
    if "pck" in wanted:
        scores = _pck(scores, truth, predictions, alpha, followed)
    if "oks" in wanted:
        scores = replace(scores, oks=oks(truth, predictions))
    if "stability" in wanted:
        scores = _stability(scores, left_out, truth, predictions, followed)
    return replace(scores, left_out=left_out)


def _known(metrics: Sequence[str]) -> set[str]:
    for metric in metrics:
        if metric not in METRICS:
            raise PoseGraphError(
                f"metrics: found {metric!r}, expected some of {', '.join(METRICS)}{did_you_mean(metric, METRICS)}"
            )
    return set(metrics)


def _allowed(truth: TrackSet, predictions: TrackSet, lacking: int, by_id: bool) -> tuple[set[str], dict[str, str]]:
    """What is measured by default, and why the rest is not."""
    if lacking:
        # Scores.reason says it of AP.
        return set(CHEAP) - {"ap", "mota"}, {"mota": "it needs a head box of every annotated person, as AP does"}
    for name, tracks in (("ground truth", truth), ("predictions", predictions)):
        if not any(track.track_id_given and len(track) > 1 for track in tracks):
            reason = f"nobody is followed in the {name} (no track id is in two frames)"
            return set(CHEAP) - {"mota"}, {"mota": reason}
    if by_id:
        return set(CHEAP) - {"mota"}, {"mota": "the predictions carry the ground truth's own track ids"}
    return set(CHEAP), {}


def _unannotated(truth: TrackSet) -> tuple[str, ...]:
    annotated = np.zeros(truth.skeleton.num_joints, dtype=np.bool_)
    for track in truth:
        annotated |= track.annotated.any(axis=0)
    return tuple(name for name, row in truth.skeleton.scored_rows.items() if not annotated[row])


def _posetrack(scores: Scores, wanted: set[str], truth: TrackSet, predictions: TrackSet) -> Scores:
    """AP (which comes with MOTA and curves for nothing), MOTA and curves; all videos are matched once."""
    skeleton = truth.skeleton
    marks: dict[str, Marks] = {}
    counts: dict[str, TrackingCounts] = {}
    for match in posetrack_matches(truth, predictions):
        marks[match.video.name] = Marks.of(match)
        if "mota" in wanted:
            counts[match.video.name] = count_video(match)
    ap = ap_of(skeleton, marks.values())
    trackers = {name: mota_of(skeleton, [count]) for name, count in counts.items()}
    return replace(
        scores,
        no_ground_truth=ap.no_ground_truth,  # a joint may be annotated in ignore regions only
        ap=ap,
        mota=mota_of(skeleton, counts.values()) if "mota" in wanted else None,
        curves=curves_of(skeleton, marks.values()) if "pr" in wanted else None,
        videos={
            name: VideoScores(ap_of(skeleton, [mark]).table, trackers[name].mota[TOTAL] if trackers else None)
            for name, mark in marks.items()
        },
    )


def _pck(
    scores: Scores,
    truth: TrackSet,
    predictions: TrackSet,
    alpha: float | Sequence[float] | None,
    match: Match,
) -> Scores:
    reference = Reference.of(truth.skeleton)
    if reference.kind == "head_box":
        reference = reference_for(truth)  # the person's box where head boxes are missing
    if alpha is None:
        alpha = reference.usual_alpha
    alphas = [alpha] if isinstance(alpha, (int, float)) else list(alpha)
    found = tuple(pck_curve(truth, predictions, alphas, match, reference))
    videos = scores.videos
    if not scores.ap:
        videos = {
            video.name: VideoScores(pck(_only(truth, video), predictions, alphas[0], match, reference).table)
            for video in truth.videos
        }
    return replace(scores, pck=found, videos=videos)


def _stability(
    scores: Scores, left_out: dict[str, str], truth: TrackSet, predictions: TrackSet, match: Match
) -> Scores:
    trembling = jitter(truth, predictions, match)
    if any(trembling.measured.values()):
        scores = replace(scores, jitter=trembling)
    else:
        left_out["jitter"] = "nobody is annotated and predicted in three consecutive frames"
    if says_visibility(truth):
        return replace(scores, recovery=recovery(truth, predictions, match=match))
    left_out["recovery"] = "the ground truth does not say which joints are occluded"
    return scores


def _only(tracks: TrackSet, video: Video) -> TrackSet:
    return replace(tracks, videos=(video,), tracks=tuple(t for t in tracks if t.video.name == video.name))
