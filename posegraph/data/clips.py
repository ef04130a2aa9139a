"""From people in videos to clips: the one preprocessing of training, evaluation and prediction (spec sections 1, 11).

# T frames, J joints
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from posegraph.config import AugmentConfig, ModelConfig
from posegraph.data.augment import CropDraw, plain_crop, random_crop
from posegraph.data.batching import batch_frames
from posegraph.data.boxes import Boxes
from posegraph.data.crops import crop_frames
from posegraph.data.index import AnnotationIndex, Tracks
from posegraph.data.people import NO_TRACK
from posegraph.data.sampling import Key
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader, Image
from posegraph.geometry import image_to_crop, inverse, normalise, transform
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class PersonFrame:
    """One person in one frame: what a clip is made of.

    Fields:
        video, frame: The key frame, a row of the video's frame list.
        box_xywh: ``[4]`` image pixels.
        score: Of the box; 1 for ground truth.
        track, row: The annotation, where there is one.
        detected_id: Track id that the detections give, where they do.
    """

    video: Video
    frame: int
    box_xywh: NDArray[np.float64]
    score: float = 1.0
    track: PersonTrack | None = None
    row: int = 0
    detected_id: int | None = None


class IndexedPeople(Sequence[PersonFrame]):
    """Every person of an index, made when it is asked for."""

    def __init__(self, annotations: AnnotationIndex) -> None:
        self.annotations = annotations

    def __len__(self) -> int:
        return self.annotations.num_poses

    @overload
    def __getitem__(self, number: int) -> PersonFrame: ...
    @overload
    def __getitem__(self, number: slice) -> list[PersonFrame]: ...
    def __getitem__(self, number: int | slice) -> PersonFrame | list[PersonFrame]:
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        track = self.annotations.person(number)
        return PersonFrame(track.video, int(track.frame[0]), track.boxes_xywh[0], track=track)


def annotated_people(tracks: Tracks) -> Sequence[PersonFrame]:
    """Every annotated person-frame, in the order of the tracks."""
    if isinstance(tracks, AnnotationIndex):
        return IndexedPeople(tracks)
    return [
        PersonFrame(track.video, int(frame), track.boxes_xywh[row], track=track, row=row)
        for track in tracks
        for row, frame in enumerate(track.frame)
    ]


def annotated_places(tracks: Tracks) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """``[N]`` number of the video, and ``[N]`` row of the frame, of every one of :func:`annotated_people`."""
    if isinstance(tracks, AnnotationIndex):
        return tracks.places()
    number = {video: row for row, video in enumerate(tracks.videos)}
    video = [np.full(len(track), number[track.video], dtype=np.int64) for track in tracks]
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *video]), np.concatenate([none, *(track.frame for track in tracks)])


def detected_people(tracks: TrackSet, boxes: Boxes, frames: tuple[int, int] | None = None) -> list[PersonFrame]:
    """Every detection on a labelled frame of the videos, restricted to ``frames`` (A, B) of each, both included."""
    people = []
    for video in tracks.videos:
        first, last = frames or (0, video.num_frames - 1)
        for frame in range(first, min(last + 1, video.num_frames)):
            if not video.labeled[frame]:
                continue
            for box, score, track_id in zip(*boxes.in_frame(video, frame), strict=True):
                known = None if track_id == NO_TRACK else int(track_id)
                people.append(PersonFrame(video, frame, box, float(score), detected_id=known))
    return people


class ClipMaker:
    """Images and a crop -> :class:`ClipData`.

    Args:
        skeleton: Joints and graph.
        config: Gives ``input_hw`` and the number of frames that the model looks at.
    """

    def __init__(self, skeleton: Skeleton, config: ModelConfig) -> None:
        self.skeleton = skeleton
        self.input_hw, self.num_frames = config.input_hw, config.clip_frames
        self.future_frames = config.future_frames
        self.add_time = AddTemporalChains(config.clip_frames, skeleton.num_joints)
        self.add_hops = AddSkeletonHops(skeleton)
        self._flip_rows = np.array(skeleton.flip_rows)

    def __call__(
        self, images: Sequence[Image], crop: CropDraw, person: PersonFrame | None = None, out: Tensor | None = None
    ) -> ClipData:
        """``T`` BGR images, oldest first; the person's annotation, if any, becomes the targets.

        ``out [1, T, 3, H_in, W_in]`` float32 becomes the clip's frames, where it is given.
        """
        clip = self.without_images(crop, person)
        clip.frames = batch_frames(1, self.num_frames, self.input_hw) if out is None else out
        crop_frames(images, self._matrix(crop), clip.frames[0], crop.tone)
        return clip

    def without_images(self, crop: CropDraw, person: PersonFrame | None = None) -> ClipData:
        """All of a clip but its ``frames``: targets and graph."""
        matrix = self._matrix(crop)
        num_joints = self.skeleton.num_joints
        keypoints = np.zeros((num_joints, 2))
        annotated = np.zeros(num_joints, dtype=bool)
        visibility = np.full(num_joints, -1, dtype=np.int8)
        if person is not None and person.track is not None:
            rows = self._flip_rows if crop.flip else slice(None)
            keypoints = transform(person.track.keypoints_px[person.row], matrix)[rows]
            annotated = person.track.annotated[person.row][rows]
            visibility = person.track.visibility[person.row][rows]
        norm = normalise(keypoints, self.input_hw)
        in_crop = annotated & ((norm >= 0) & (norm <= 1)).all(axis=1)
        # Points that do not exist are zero, not wherever the affine sends (0, 0).
        norm = np.where(annotated[:, None], norm, 0.0)
        clip = ClipData(
            keypoints_norm=torch.from_numpy(norm).float().unsqueeze(0),
            annotated=torch.from_numpy(annotated.copy()).unsqueeze(0),
            visibility=torch.from_numpy(visibility.copy()).unsqueeze(0),
            in_crop=torch.from_numpy(in_crop).unsqueeze(0),
            crop_to_image=torch.from_numpy(inverse(matrix)).unsqueeze(0),
            num_nodes=self.num_frames * num_joints,
        )
        done: ClipData = self.add_hops(self.add_time(clip))
        return done

    def _matrix(self, crop: CropDraw) -> NDArray[np.float64]:
        return image_to_crop(crop.region_xywh, self.input_hw, crop.rotation, crop.flip)


class ClipDataset(Dataset[ClipData]):
    """People -> clips, with the training's random crops where ``augment`` is given.

    An item is asked for by its number, by ``(epoch, number)``, or by a :class:`Key`; the random crop depends on seed,
    epoch and number alone, whichever worker makes it. A clip carries the key's ``counted``.
    """

    def __init__(
        self,
        people: Sequence[PersonFrame],
        reader: FrameReader,
        maker: ClipMaker,
        box_scale: float = 1.25,
        augment: AugmentConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.people, self.reader, self.maker = people, reader, maker
        self.box_scale, self.augment, self.seed = box_scale, augment, seed

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, key: int | tuple[int, int] | Key) -> ClipData:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[int | tuple[int, int] | Key]) -> list[ClipData]:
        """The clips of a batch: loaders call it. Their frames are parts of one tensor, in their order."""
        frames = batch_frames(len(keys), self.maker.num_frames, self.maker.input_hw)
        return [self._clip(key, out) for key, out in zip(keys, frames.unsqueeze(1), strict=True)]

    def _clip(self, key: int | tuple[int, int] | Key, out: Tensor) -> ClipData:
        epoch, number, counted = Key(*key) if isinstance(key, tuple) else Key(0, key)
        person = self.people[number]
        maker = self.maker
        paths = self.reader.clip_paths(person.video, person.frame, maker.num_frames, maker.future_frames)
        images = [self.reader.read(path) for path in paths]
        clip = self.maker(images, self._crop(person, epoch, number), person, out)
        clip.counted = torch.tensor([counted])
        return clip

    def _crop(self, person: PersonFrame, epoch: int, number: int) -> CropDraw:
        if self.augment is None or person.track is None:
            return plain_crop(person.box_xywh, self.maker.input_hw, self.box_scale)
        return random_crop(
            np.random.default_rng((self.seed, epoch, number)),
            person.box_xywh,
            person.track.keypoints_px[person.row],
            person.track.annotated[person.row],
            self.maker.skeleton,
            self.augment,
            self.maker.input_hw,
            self.box_scale,
        )
