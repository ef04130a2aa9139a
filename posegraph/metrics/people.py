"""Ground truth and predictions side by side, one video at a time.

Letters: N people of one side of a video (one person in one frame is one row), J joints, S scored joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.errors import PoseGraphError


@dataclass(frozen=True, eq=False)
class People:
    """The people of one video: one row for every person in every frame.

    Rows are ordered by frame, and within a frame as the file lists them, which is poseval's tie-break.

    Fields:
        frame: ``[N]`` int64, the frame of the ground truth's video.
        track_id: ``[N]`` int64.
        points_px: ``[N, J, 2]``, 0 where not given.
        given: ``[N, J]`` bool.
        visibility: ``[N, J]`` int8, as in :class:`PersonTrack`.
        joint_scores: ``[N, J]``, NaN where there is none.
        boxes_xywh: ``[N, 4]``, NaN where there is none.
        head_boxes_xywh: ``[N, 4]``, NaN where there is none.
        scores: ``[N]``, NaN where there is none.
    """

    frame: NDArray[np.int64]
    track_id: NDArray[np.int64]
    points_px: NDArray[np.float64]
    given: NDArray[np.bool_]
    visibility: NDArray[np.int8]
    joint_scores: NDArray[np.float64]
    boxes_xywh: NDArray[np.float64]
    head_boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> People:
        """The people in ``rows`` (a mask ``[N]`` or row numbers)."""
        return People(*(getattr(self, item.name)[rows] for item in fields(self)))

    def joints(self, columns: list[int]) -> People:
        """The same people with the joints in ``columns``."""
        names = ("points_px", "given", "visibility", "joint_scores")
        return replace(self, **{name: getattr(self, name)[:, columns] for name in names})

    def with_given(self, given: NDArray[np.bool_]) -> People:
        """The people who have a joint in ``given [N, J]``, with those joints."""
        kept = np.asarray(given.any(axis=1))
        return replace(self.only(kept), given=given[kept])


@dataclass(frozen=True, eq=False)
class VideoPair:
    """One video with the people of both sides, every joint of the skeleton included."""

    video: Video
    truth: People
    predicted: People

    def annotated_frames(self) -> VideoPair:
        """Only the predictions in frames in which the ground truth has at least one person."""
        return replace(self, predicted=self.predicted.only(np.isin(self.predicted.frame, self.truth.frame)))


def video_pairs(ground_truth: TrackSet, predictions: TrackSet) -> Iterator[VideoPair]:
    """Every video of the ground truth, in its order. One video at a time is in memory beside the track sets.

    Raises:
        PoseGraphError: other joints, or a video or frame of the ground truth that the predictions lack
            (poseval refuses such predictions too).
    """
    _same_joints(ground_truth, predictions)
    num_joints = ground_truth.skeleton.num_joints
    predicted_videos = {video.name: video for video in predictions.videos}
    truth_tracks, predicted_tracks = _by_video(ground_truth), _by_video(predictions)
    for video in ground_truth.videos:
        if video.name not in predicted_videos:
            known = ", ".join(list(predicted_videos)[:5]) or "none"
            raise PoseGraphError(
                f"predictions: video {video.name!r} is missing (found: {known}); expected one for every video of "
                f"{video.source}; predict it, or evaluate on the videos that were predicted"
            )
        frame_of_truth = _frame_of_truth(video, predicted_videos[video.name])
        truth = _people(truth_tracks.get(video.name, []), np.arange(video.num_frames), num_joints)
        predicted = _people(predicted_tracks.get(video.name, []), frame_of_truth, num_joints)
        yield VideoPair(video, truth, predicted)


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
    """``[F]`` frame of the ground truth that each frame of the predictions is, by image id, else by image name."""
    advice = "list every image of the video in the predictions, with people or without"
    if truth.num_frames != predicted.num_frames:
        raise PoseGraphError(
            f"{predicted.source}: video {truth.name!r} has {predicted.num_frames} frames, expected "
            f"{truth.num_frames} as in {truth.source}; {advice}"
        )
    place: dict[int | str, int] = {image_id: frame for frame, image_id in enumerate(truth.image_ids.tolist())}
    wanted: list[int | str] = predicted.image_ids.tolist()
    by_name: dict[int | str, int] = {_name(file): frame for frame, file in enumerate(truth.frame_files)}
    names: list[int | str] = [_name(file) for file in predicted.frame_files]
    if not place.keys() >= set(wanted) and len(by_name) == len(set(names)) and by_name.keys() == set(names):
        # Poses of images of which nobody had told the ids.
        place, wanted = by_name, names
    for frame, image in enumerate(wanted):
        if image not in place:
            raise PoseGraphError(
                f"{predicted.source}: image {image} ({predicted.frame_files[frame]}) of video {truth.name!r} is "
                f"not in {truth.source}; expected the same image ids, or the same image names; {advice}"
            )
    return np.array([place[image] for image in wanted], dtype=np.int64)


def _name(file: str) -> str:
    """An image's name without its folder."""
    return file.rpartition("/")[2]


def _people(tracks: list[PersonTrack], frame_of_truth: NDArray[np.int64], num_joints: int) -> People:
    if not tracks:
        J = num_joints
        none = (np.zeros((0, *shape)) for shape in ((J,), (4,), (4,), ()))
        rows = np.zeros(0, dtype=np.int64)
        unseen = np.zeros((0, J), dtype=np.int8)
        return People(rows, rows, np.zeros((0, J, 2)), unseen.astype(np.bool_), unseen, *none)
    frame = frame_of_truth[np.concatenate([track.frame for track in tracks])]
    order_of_track = np.repeat(np.arange(len(tracks)), [len(track) for track in tracks])
    file_row = np.concatenate([_file_rows(track, order) for order, track in enumerate(tracks)])
    order = np.lexsort((order_of_track, file_row, frame))

    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(track, name) for track in tracks])[order]

    return People(
        frame=frame[order],
        track_id=np.array([track.track_id for track in tracks], dtype=np.int64)[order_of_track[order]],
        points_px=joined("keypoints_px"),
        given=joined("annotated").astype(np.bool_, copy=False),
        visibility=joined("visibility").astype(np.int8, copy=False),
        joint_scores=joined("keypoint_scores"),
        boxes_xywh=joined("boxes_xywh"),
        head_boxes_xywh=joined("head_boxes_xywh"),
        scores=joined("scores"),
    )


def _file_rows(track: PersonTrack, order: int) -> NDArray[np.int64]:
    """``[N]`` place of each row in the file's list; without one, ``order`` of the track."""
    return np.full(len(track), order) if track.file_row is None else track.file_row
