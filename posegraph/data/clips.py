"""From people in videos to clips: the one preprocessing of training, evaluation and prediction (spec sections 1, 11).

# T frames, J joints
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from posegraph.config import AugmentConfig, ModelConfig
from posegraph.data.augment import CropDraw, plain_crop, random_crop
from posegraph.data.boxes import Boxes
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader, Image
from posegraph.geometry import image_to_crop, inverse, normalise, transform
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.skeleton import Skeleton

MEAN_RGB = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD_RGB = np.array([0.229, 0.224, 0.225], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class PersonFrame:
    """One person in one frame: what a clip is made of.

    Fields:
        video, frame: The key frame, a row of the video's frame list.
        box_xywh: ``[4]`` image pixels.
        score: Of the box; 1 for ground truth.
        track, row: The annotation, where there is one.
    """

    video: Video
    frame: int
    box_xywh: NDArray[np.float64]
    score: float = 1.0
    track: PersonTrack | None = None
    row: int = 0


def annotated_people(tracks: TrackSet) -> list[PersonFrame]:
    """Every annotated person-frame, in the order of the tracks."""
    return [
        PersonFrame(track.video, int(frame), track.boxes_xywh[row], track=track, row=row)
        for track in tracks
        for row, frame in enumerate(track.frame)
    ]


def detected_people(tracks: TrackSet, boxes: Boxes, frames: tuple[int, int] | None = None) -> list[PersonFrame]:
    """Every detection on a labelled frame of the videos, restricted to ``frames`` (A, B) of each, both included."""
    people = []
    for video in tracks.videos:
        first, last = frames or (0, video.num_frames - 1)
        for frame in range(first, min(last + 1, video.num_frames)):
            if not video.labeled[frame]:
                continue
            found, scores = boxes.for_image(int(video.image_ids[frame]))
            people += [PersonFrame(video, frame, box, float(score)) for box, score in zip(found, scores, strict=True)]
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
        self.add_time = AddTemporalChains(config.clip_frames, skeleton.num_joints)
        self.add_hops = AddSkeletonHops(skeleton)
        self._flip_rows = np.array(skeleton.flip_rows)

    def __call__(self, images: Sequence[Image], crop: CropDraw, person: PersonFrame | None = None) -> ClipData:
        """``T`` BGR images, oldest first; the person's annotation, if any, becomes the targets."""
        matrix = image_to_crop(crop.region_xywh, self.input_hw, crop.rotation, crop.flip)
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
            frames=crop_frames(images, matrix, self.input_hw).unsqueeze(0),
            keypoints_norm=torch.from_numpy(norm).float().unsqueeze(0),
            annotated=torch.from_numpy(annotated.copy()).unsqueeze(0),
            visibility=torch.from_numpy(visibility.copy()).unsqueeze(0),
            in_crop=torch.from_numpy(in_crop).unsqueeze(0),
            crop_to_image=torch.from_numpy(inverse(matrix)).unsqueeze(0),
            num_nodes=self.num_frames * num_joints,
        )
        done: ClipData = self.add_hops(self.add_time(clip))
        return done


def crop_frames(images: Sequence[Image], matrix: NDArray[np.float64], input_hw: tuple[int, int]) -> Tensor:
    """Warp BGR images by one affine, to ImageNet-normalised RGB ``[T, 3, H_in, W_in]``; zero outside the image."""
    height, width = input_hw
    border = tuple(float(value) for value in np.round(MEAN_RGB[::-1] * 255))
    crops = np.empty((len(images), height, width, 3), dtype=np.float32)
    for crop, image in zip(crops, images, strict=True):
        warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=border)
        crop[:] = (warped[..., ::-1].astype(np.float32) / 255 - MEAN_RGB) / STD_RGB
        crop[_outside(matrix, input_hw, (image.shape[0], image.shape[1]))] = 0
    return torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()


def _outside(matrix: NDArray[np.float64], input_hw: tuple[int, int], image_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Crop pixels ``[H_in, W_in]`` that see nothing of the image: there even the border colour's rounding must go."""
    height, width = input_hw
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=np.float64)
    back = inverse(matrix)
    limit = np.array([image_hw[1], image_hw[0]])
    seen = transform(corners, back)
    if (seen > -1).all() and (seen < limit).all():
        return np.zeros(input_hw, dtype=bool)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    points = transform(grid, back)
    return np.asarray(((points <= -1) | (points >= limit)).any(axis=-1))


class ClipDataset(Dataset[ClipData]):
    """People -> clips, with the training's random crops where ``augment`` is given.

    An item is asked for by its number, or by ``(epoch, number)``; the random crop depends on seed, epoch and number
    alone, whichever worker makes it.
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

    def __getitem__(self, key: int | tuple[int, int]) -> ClipData:
        epoch, number = key if isinstance(key, tuple) else (0, key)
        person = self.people[number]
        paths = self.reader.clip_paths(person.video, person.frame, self.maker.num_frames)
        images = [self.reader.read(path) for path in paths]
        return self.maker(images, self._crop(person, epoch, number), person)

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
