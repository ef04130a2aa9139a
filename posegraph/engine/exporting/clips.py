"""The clips that an export is checked on.

# T frames
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data import read_tracks
from posegraph.data.augment import plain_crop
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people
from posegraph.data.synthetic import render_sequence
from posegraph.data.video import FrameReader, Image
from posegraph.errors import PoseGraphError
from posegraph.geometry import extent_xywh
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel

COUNT = 5
"""Clips of a check."""

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_SIZE_WH = (384, 288)


def annotated_clips(model: PoseModel, data: str | Path, images: str | Path | None = None) -> list[ClipData]:
    """Clips of annotated people, spread over the data. Raises :class:`PoseGraphError` when there are none."""
    people = annotated_people(read_tracks(data))
    if not len(people):
        raise PoseGraphError(f"{data}: has nobody annotated; give data with people to check the export on")
    rows = np.linspace(0, len(people) - 1, COUNT).round().astype(int)
    dataset = ClipDataset(
        [people[int(row)] for row in rows], FrameReader(images), _maker(model), model.run_config.data.box_scale
    )
    return dataset.__getitems__(list(range(COUNT)))


def image_clips(model: PoseModel, images: str | Path) -> list[ClipData]:
    """Clips of pictures, whole, each of which shows a person: an image, or a folder of them in the order of a video.

    Raises:
        PoseGraphError: no images there, or one that cannot be read.
    """
    path = Path(images)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise PoseGraphError(f"{images}: has no images; expected a folder of {', '.join(sorted(_SUFFIXES))}")
    reader, length = FrameReader(), model.config.clip_frames
    ends = np.linspace(0, len(files) - 1, COUNT).round().astype(int)
    clips = []
    for end in ends:
        pictures = [reader.read(files[max(end - back, 0)]) for back in reversed(range(length))]
        pictures = [_like(picture, pictures[-1]) for picture in pictures]
        height, width = pictures[-1].shape[:2]
        clips.append(_clip(model, pictures, np.array([0.0, 0.0, width, height]), box_scale=1.0))
    return clips


def synthetic_clips(model: PoseModel) -> list[ClipData]:
    """Clips of drawn people, the same at every call."""
    length = model.config.clip_frames
    clips: list[ClipData] = []
    for number in range(COUNT):
        sequence = render_sequence(0, number, frames=max(length, 2), people=1, size=_SIZE_WH)
        points = sequence.keypoints[-1, 0]  # [J, 3]
        box_xywh = extent_xywh(points[points[:, 2] > 0, :2]) if (points[:, 2] > 0).sum() > 1 else _everything()
        clips.append(_clip(model, sequence.images[-length:], box_xywh, model.run_config.data.box_scale))
    return clips


def _everything() -> NDArray[np.float64]:
    return np.array([0.0, 0.0, *_SIZE_WH])


def _like(picture: Image, last: Image) -> Image:
    """A neighbour of another size is no earlier frame of the same video; it is taken as if it were."""
    if picture.shape == last.shape:
        return picture
    resized: Image = cv2.resize(picture, (last.shape[1], last.shape[0])).astype(np.uint8)
    return resized


def _clip(model: PoseModel, images: Sequence[Image], box_xywh: NDArray[np.float64], box_scale: float) -> ClipData:
    return _maker(model)(images, plain_crop(box_xywh, model.config.input_hw, box_scale))


def _maker(model: PoseModel) -> ClipMaker:
    return ClipMaker(model.skeleton, model.config)
