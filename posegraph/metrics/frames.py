"""Ground truth and predictions side by side, frame by frame.

Letters: G people of the ground truth and P predicted people in one frame, S scored joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.posetrack_assembly import FILE_ROW
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.errors import PoseGraphError


@dataclass(frozen=True, eq=False)
class People:
    """The people of one frame: ``points_px [n, S, 2]``, ``given [n, S]``, ``scores [n, S]`` (NaN: none).

    ``members`` says which row of which track each person is.
    """

    points_px: NDArray[np.float64]
    given: NDArray[np.bool_]
    scores: NDArray[np.float64]
    members: list[tuple[PersonTrack, int]]

    def __len__(self) -> int:
        return len(self.members)

    def only(self, keep: NDArray[np.bool_], given: NDArray[np.bool_]) -> People:
        """The people in ``keep [n]``, with the joints in ``given [n, S]``."""
        members = [self.members[row] for row in np.flatnonzero(keep)]
        return People(self.points_px[keep], given[keep], self.scores[keep], members)

    def boxes(self, field: str) -> NDArray[np.float64]:
        """``[n, 4]`` of the track field ``boxes_xywh`` or ``head_boxes_xywh``."""
        found = [getattr(track, field)[row] for track, row in self.members]
        return np.array(found, dtype=np.float64).reshape(-1, 4)

    def joints(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """``[n, 2]`` positions and ``[n]`` annotated of one joint of the skeleton, scored or not."""
        points = [track.keypoints_px[member, row] for track, member in self.members]
        given = [track.annotated[member, row] for track, member in self.members]
        return np.array(points).reshape(-1, 2), np.array(given, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class FramePair:
    """One frame that has ground truth."""

    video: Video
    frame: int
    truth: People
    predicted: People


def frame_pairs(ground_truth: TrackSet, predictions: TrackSet) -> Iterator[FramePair]:
    """Every frame with at least one person in the ground truth, in the order of the videos.

    Raises:
        PoseGraphError: other joints, or a video or frame of the ground truth that the predictions lack
            (poseval refuses such predictions too).
    """
    _same_joints(ground_truth, predictions)
    scored = list(ground_truth.skeleton.scored_rows.values())
    predicted_videos = {video.name: video for video in predictions.videos}
    truth_tracks, predicted_tracks = _by_video(ground_truth), _by_video(predictions)
    for video in ground_truth.videos:
        if video.name not in predicted_videos:
            known = ", ".join(list(predicted_videos)[:5]) or "none"
            raise PoseGraphError(
                f"predictions: video {video.name!r} is missing (found: {known}); expected one for every video of "
                f"{video.source}; predict it, or evaluate on the videos that were predicted"
            )
        other = predicted_videos[video.name]
        frame_of_truth = _frame_of_truth(video, other)
        truth = _by_frame(truth_tracks.get(video.name, []), np.arange(video.num_frames))
        predicted = _by_frame(predicted_tracks.get(video.name, []), frame_of_truth)
        for frame in sorted(truth):
            yield FramePair(video, frame, _people(truth[frame], scored), _people(predicted.get(frame, []), scored))


def _same_joints(ground_truth: TrackSet, predictions: TrackSet) -> None:
    if ground_truth.skeleton.joints != predictions.skeleton.joints:
        expected, found = ground_truth.skeleton, predictions.skeleton
        raise PoseGraphError(
            f"predictions: found the joints of {found.name!r}, expected those of the ground truth ({expected.name!r}); "
            f"read the predictions with skeleton {expected.name!r} and they are matched by name"
        )


def _by_video(tracks: TrackSet) -> dict[str, list[PersonTrack]]:
    found: dict[str, list[PersonTrack]] = {}
    for track in tracks:
        found.setdefault(track.video.name, []).append(track)
    return found


def _frame_of_truth(truth: Video, predicted: Video) -> NDArray[np.int64]:
    """``[F]`` frame of the ground truth that each frame of the predictions is."""
    advice = "list every image of the video in the predictions, with people or without"
    if truth.num_frames != predicted.num_frames:
        raise PoseGraphError(
            f"{predicted.source}: video {truth.name!r} has {predicted.num_frames} frames, expected "
            f"{truth.num_frames} as in {truth.source}; {advice}"
        )
    place = {image_id: frame for frame, image_id in enumerate(truth.image_ids.tolist())}
    for frame, image_id in enumerate(predicted.image_ids.tolist()):
        if image_id not in place:
            raise PoseGraphError(
                f"{predicted.source}: image {image_id} ({predicted.frame_files[frame]}) of video {truth.name!r} is "
                f"not in {truth.source}; expected the same image ids; {advice}"
            )
    return np.array([place[image_id] for image_id in predicted.image_ids.tolist()], dtype=np.int64)


def _by_frame(tracks: list[PersonTrack], frame_of_truth: NDArray[np.int64]) -> dict[int, list[tuple[PersonTrack, int]]]:
    """Members of every frame, in the order of the file they came from, else of the tracks: poseval's tie-break."""
    found: dict[int, list[tuple[int, int, PersonTrack, int]]] = {}
    for order, track in enumerate(tracks):
        for row, frame in enumerate(frame_of_truth[track.frame].tolist()):
            place = track.extra[row].get(FILE_ROW, order) if track.extra else order
            found.setdefault(frame, []).append((place, order, track, row))
    return {
        frame: [(track, row) for _, _, track, row in sorted(members, key=lambda member: member[:2])]
        for frame, members in found.items()
    }


def _people(members: list[tuple[PersonTrack, int]], scored: list[int]) -> People:
    n, S = len(members), len(scored)
    points_px, scores = np.zeros((n, S, 2)), np.full((n, S), np.nan)
    given = np.zeros((n, S), dtype=np.bool_)
    for place, (track, row) in enumerate(members):
        points_px[place] = track.keypoints_px[row, scored]
        given[place] = track.annotated[row, scored]
        scores[place] = track.keypoint_scores[row, scored]
    return People(points_px, given, scores, members)


def best_matches(fraction_correct: NDArray[np.float64]) -> NDArray[np.int64]:
    """``[P]`` the person of the ground truth that each prediction belongs to, -1 for none.

    poseval's rule: every prediction goes to the person that it fits best, and every person keeps the prediction
    that fits it best; a fit of 0 is none; the first wins a tie.

    Args:
        fraction_correct: ``[P, G]`` share of the person's joints that the prediction has right.
    """
    P, G = fraction_correct.shape
    matched = np.full(P, -1, dtype=np.int64)
    if not P or not G:
        return matched
    best = fraction_correct.argmax(axis=1)
    kept = np.zeros_like(fraction_correct)
    kept[np.arange(P), best] = fraction_correct[np.arange(P), best]
    winner = kept.argmax(axis=0)
    people = np.flatnonzero(kept.max(axis=0) > 0)
    matched[winner[people]] = people
    return matched
