"""From people in frames to poses in image pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.loader import DataLoader

from posegraph.data.clips import ClipDataset, ClipMaker, PersonFrame
from posegraph.data.datamodule import rank_and_size
from posegraph.data.sampling import share
from posegraph.data.tracks import UNKNOWN, PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader
from posegraph.engine.exporting.exported import ExportedModel, StreamModel, device_of
from posegraph.engine.ranks import exchange
from posegraph.geometry import denormalise, transform
from posegraph.models.base import PoseOutput
from posegraph.skeleton import Skeleton

KeypointScore = Literal["visibility", "peak", "both"]


class Poses(NamedTuple):
    """Poses of ``N`` people.

    Fields:
        keypoints_px: ``[N, J, 2]`` float64, image pixels.
        scores: ``[N, J]`` float64 keypoint confidences, the box's score included.
    """

    keypoints_px: NDArray[np.float64]
    scores: NDArray[np.float64]


def predict_shared(
    model: StreamModel,
    people: Sequence[PersonFrame],
    reader: FrameReader,
    *,
    batch_size: int = 32,
    box_scale: float = 1.25,
    keypoint_score: KeypointScore = "visibility",
    on_batch: Callable[[int, int], None] | None = None,
) -> Poses:
    """:func:`predict_people` by all processes that work together; each has the poses of all people in the end.

    A process takes whole batches, one after the other in time order: frames are decoded once, and the poses are those
    of one process to the last bit.

    Args:
        on_batch: Called with (people done, people in all) of this process.
    """
    order = in_time_order(people)
    batches = share(-(-len(people) // batch_size), *rank_and_size())
    mine = order[batches.start * batch_size : batches.stop * batch_size]
    parts = exchange(
        predict_people(
            model,
            [people[number] for number in mine],
            reader,
            batch_size=batch_size,
            box_scale=box_scale,
            keypoint_score=keypoint_score,
            on_batch=on_batch,
        )
    )
    back = np.argsort(order)
    return Poses(*(np.concatenate(pieces)[back] for pieces in zip(*parts, strict=True)))


def in_time_order(people: Sequence[PersonFrame]) -> list[int]:
    """Numbers of the people by video and frame: neighbours share decoded images, as key frames and as pasts."""
    return sorted(range(len(people)), key=lambda number: (people[number].video.name, people[number].frame))


@torch.inference_mode()
def predict_people(
    model: StreamModel,
    people: Sequence[PersonFrame],
    reader: FrameReader,
    *,
    batch_size: int = 32,
    workers: int = 0,
    box_scale: float = 1.25,
    keypoint_score: KeypointScore = "visibility",
    on_batch: Callable[[int, int], None] | None = None,
) -> Poses:
    """Estimate the pose of every person, a clip each, on the model's device.

    Args:
        keypoint_score: What a keypoint's confidence is: the node's visibility, the heatmap's peak, or their product.
        on_batch: Called with (people done, people in all).
    """
    device = device_of(model)
    order = in_time_order(people)
    maker = ClipMaker(model.skeleton, model.config)
    dataset = ClipDataset([people[number] for number in order], reader, maker, box_scale)
    loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers, pin_memory=device.type == "cuda")
    keypoints = np.zeros((len(people), model.skeleton.num_joints, 2))
    scores = np.zeros((len(people), model.skeleton.num_joints))
    done = 0
    with _as_evaluated(model):
        for clip in loader:
            output = model.run(clip.to(device, non_blocking=True))
            points_px = denormalise(output.nodes[..., :2].double().cpu().numpy(), model.config.input_hw)
            confidence = keypoint_confidence(output, keypoint_score)
            for row, matrix in enumerate(clip.crop_to_image.cpu().numpy()):
                place = order[done + row]
                keypoints[place] = transform(points_px[row], matrix)
                scores[place] = confidence[row] * people[place].score
            done += len(points_px)
            if on_batch is not None:
                on_batch(done, len(people))
    return Poses(keypoints, scores)


@contextmanager
def _as_evaluated(model: StreamModel) -> Iterator[None]:
    """A model for torch in evaluation mode, the only one that an export has."""
    if isinstance(model, ExportedModel):
        yield
        return
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def keypoint_confidence(output: PoseOutput, kind: KeypointScore) -> NDArray[np.float64]:
    """``[B, J]`` what ranks keypoints in AP, before the box's score."""
    visibility, peak = output.nodes[..., 2].double(), output.values.double().clamp(0, 1)
    chosen = {"visibility": visibility, "peak": peak, "both": visibility * peak}[kind]
    result: NDArray[np.float64] = chosen.cpu().numpy()
    return result


def predicted_tracks(
    people: Sequence[PersonFrame], poses: Poses, videos: tuple[Video, ...], skeleton: Skeleton
) -> TrackSet:
    """Poses as tracks of ``videos``: under the annotation's track id, or the detection's.

    Detections without an id, or with one that somebody else in the frame has, are numbered in each frame: from 0, or
    behind the video's largest id.
    """
    named = {video.name: video for video in videos}
    first_free: dict[str, int] = {}
    for person in people:
        if person.detected_id is not None:
            name = person.video.name
            first_free[name] = max(first_free.get(name, 0), person.detected_id + 1)
    grouped: dict[tuple[str, int], list[int]] = {}
    in_frame: dict[tuple[str, int], int] = {}
    taken: set[tuple[str, int, int]] = set()
    for number, person in enumerate(people):
        name, frame = person.video.name, person.frame
        if person.track is not None:
            track_id = person.track.track_id
        elif person.detected_id is not None and (name, frame, person.detected_id) not in taken:
            track_id = person.detected_id
            taken.add((name, frame, track_id))
        else:
            track_id = in_frame.get((name, frame), first_free.get(name, 0))
            in_frame[name, frame] = track_id + 1
        grouped.setdefault((name, track_id), []).append(number)
    # A video read a second time is another object, and writers know videos by identity.
    tracks = [_track(named[name], track_id, rows, people, poses) for (name, track_id), rows in sorted(grouped.items())]
    return TrackSet(skeleton, videos, tuple(tracks))


def _track(video: Video, track_id: int, rows: list[int], people: Sequence[PersonFrame], poses: Poses) -> PersonTrack:
    rows = sorted(rows, key=lambda number: people[number].frame)
    scores = poses.scores[rows]
    count, num_joints = scores.shape
    return PersonTrack(
        video=video,
        track_id=track_id,
        frame=np.array([people[row].frame for row in rows], dtype=np.int64),
        keypoints_px=poses.keypoints_px[rows],
        annotated=np.ones((count, num_joints), dtype=np.bool_),
        visibility=np.full((count, num_joints), UNKNOWN, dtype=np.int8),
        boxes_xywh=np.array([people[row].box_xywh for row in rows]),
        head_boxes_xywh=np.full((count, 4), np.nan),
        keypoint_scores=scores,
        scores=scores.mean(axis=1),
    )
