"""What is in a data set, and what in it deserves a second look.

Letters: N frames of a track, J joints.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats import annotation_files, read_tracks
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader, on_disk
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

INSIDE = 0.5
"""A box is off the image where less than this share of it lies inside: people at the edge are boxed generously."""

_MOVED = 0.05
"""A swap is only told from noise where the pairs seem to move by more than this share of the person's size."""


@dataclass(frozen=True)
class SequenceCheck:
    """One video in numbers.

    Fields:
        name: Of the video.
        frames, labeled: In all, and those that carry annotation.
        people, tracks: Person-frames, and people followed through the frames.
        joints: Annotated positions.
        missing_images: Frames whose image is not on disk.
    """

    name: str
    frames: int
    labeled: int
    people: int
    tracks: int
    joints: int
    missing_images: int


@dataclass
class DataCheck:
    """What a data set holds and what looks wrong in it; every finding is one line that names the place.

    Fields:
        sequences: One entry a video.
        never_annotated: Joints of the skeleton without a single position.
        faults: Files that cannot be read, with the reason.
        missing_images: Images that the annotations list and the disk lacks.
        duplicate_ids: The same id used twice.
        boxes_off_image: Boxes of which less than half lies inside their image.
        swaps: Left and right suddenly exchanged from one frame to the next.
        skipped: What reading left out, reason -> count.
    """

    sequences: list[SequenceCheck] = field(default_factory=list)
    never_annotated: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    missing_images: list[str] = field(default_factory=list)
    duplicate_ids: list[str] = field(default_factory=list)
    boxes_off_image: list[str] = field(default_factory=list)
    swaps: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def findings(self) -> dict[str, list[str]]:
        """Kind of finding -> its lines, empty kinds too."""
        return {
            "files that cannot be read": self.faults,
            "missing images": self.missing_images,
            "duplicate ids": self.duplicate_ids,
            "boxes off the image": self.boxes_off_image,
            "left and right swapped, it seems": self.swaps,
            "joints never annotated": self.never_annotated,
        }


def check_data(
    path: str | Path,
    skeleton: str | Path | Skeleton | None = None,
    images: str | Path | None = None,
    format: str | None = None,
) -> DataCheck:
    """Read a data set file by file, so that a faulty one does not hide the others, and look through it.

    Args:
        path: Anything that :func:`posegraph.data.read_tracks` takes.
        skeleton: The rows wanted; None: as each file says.
        images: Folder that image names start from; None: looked up from the annotation file's folder upwards.
        format: Of the files; None: recognised.

    Raises:
        PoseGraphError: nothing there could be read; the first fault.
    """
    read, faults = [], []
    for file in annotation_files(Path(path)):
        try:
            read.append(read_tracks(file, skeleton, format=format))
        except PoseGraphError as error:
            faults.append(error)
    if not read:
        raise faults[0]
    found = check_tracks(read, FrameReader(images))
    found.faults += [str(error) for error in faults]
    return found


def check_tracks(data: list[TrackSet], reader: FrameReader) -> DataCheck:
    """Look through what was read. Images are looked for; one image a video is opened where its size is not given."""
    found = DataCheck()
    never: set[str] | None = None
    for tracks in data:
        found.skipped += tracks.skipped
        annotated = np.zeros(tracks.skeleton.num_joints, dtype=np.bool_)
        for video in tracks.videos:
            people = [track for track in tracks if track.video is video]
            for track in people:
                annotated |= track.annotated.any(axis=0)
            _check_video(video, people, tracks.skeleton, reader, found)
        missing = {joint for joint, seen in zip(tracks.skeleton.joints, annotated, strict=True) if not seen}
        never = missing if never is None else never & missing
        order = tracks.skeleton.joints
        found.never_annotated = [joint for joint in order if joint in never]
    return found


def _check_video(
    video: Video, tracks: list[PersonTrack], skeleton: Skeleton, reader: FrameReader, found: DataCheck
) -> None:
    paths = _images_on_disk(video, reader)
    missing = [name for name, path in zip(video.frame_files, paths, strict=True) if path is None]
    found.missing_images += [f"{video.name}: {name}" for name in missing]
    image_hw = _image_sizes(video, paths, reader)
    for track in tracks:
        found.boxes_off_image += _boxes_off_image(track, image_hw)
        found.swaps += _swaps(track, skeleton)
    found.duplicate_ids += _duplicate_ids(video, tracks)
    found.sequences.append(
        SequenceCheck(
            name=video.name,
            frames=video.num_frames,
            labeled=int(video.labeled.sum()),
            people=sum(len(track) for track in tracks),
            tracks=len(tracks),
            joints=int(sum(track.annotated.sum() for track in tracks)),
            missing_images=len(missing),
        )
    )


def _images_on_disk(video: Video, reader: FrameReader) -> list[Path | None]:
    try:
        root = reader.root(video)
    except PoseGraphError:
        return [None] * video.num_frames
    paths = [root / name for name in video.frame_files]
    return [path if on_disk(path) else None for path in paths]


def _image_sizes(video: Video, paths: list[Path | None], reader: FrameReader) -> NDArray[np.int64]:
    """``[F, 2]``; where the file gives no size, that of the video's first image, 0 where there is none."""
    known: NDArray[np.bool_] = np.all(video.image_hw > 0, axis=1)
    first = next((path for path in paths if path is not None), None)
    if known.all() or first is None:
        return video.image_hw
    try:
        opened = reader.read(first).shape[:2]
    except PoseGraphError:
        return video.image_hw
    return np.where(known[:, None], video.image_hw, np.array(opened, dtype=np.int64))


def _boxes_off_image(track: PersonTrack, image_hw: NDArray[np.int64]) -> list[str]:
    size_wh = image_hw[track.frame][:, ::-1].astype(np.float64)
    low, sides = track.boxes_xywh[:, :2], track.boxes_xywh[:, 2:]
    seen = (np.minimum(low + sides, size_wh) - np.maximum(low, 0)).clip(min=0)
    with np.errstate(invalid="ignore"):
        off = (seen.prod(axis=1) < INSIDE * sides.prod(axis=1)) & (size_wh > 0).all(axis=1)
    return [
        f"{_place(track, row)}: box {np.round(track.boxes_xywh[row], 1).tolist()} (x, y, width, height) in an image of "
        f"{size_wh[row, 0]:g}x{size_wh[row, 1]:g}"
        for row in np.flatnonzero(off).tolist()
    ]


def _swaps(track: PersonTrack, skeleton: Skeleton) -> list[str]:
    """Frames in which exchanging left and right explains the motion since the frame before far better than not.

    Over all flip pairs with four positions, the summed way from left to left and right to right must be more than
    twice that from left to right and right to left, and above a twentieth of the person's size a joint.
    """
    pairs = np.array([[skeleton.index[joint] for joint in pair] for pair in skeleton.flip_pairs]).reshape(-1, 2)
    if not len(pairs):
        return []
    found = []
    for row in range(1, len(track)):
        both: NDArray[np.bool_] = np.all(track.annotated[row - 1 : row + 1], axis=0)
        chosen = pairs[both[pairs].all(axis=1)]
        if track.frame[row] - track.frame[row - 1] != 1 or len(chosen) < 2:
            continue
        before, now = track.keypoints_px[row - 1][chosen], track.keypoints_px[row][chosen]  # [pairs, side, 2]
        kept = np.linalg.norm(now - before, axis=2).sum()
        swapped = np.linalg.norm(now[:, ::-1] - before, axis=2).sum()
        extent = float(np.ptp(track.keypoints_px[row][both], axis=0).max())
        if kept > 2 * swapped and kept > _MOVED * extent * 2 * len(chosen):
            found.append(f"{_place(track, row)}: {len(chosen)} pairs of joints")
    return found


def _duplicate_ids(video: Video, tracks: list[PersonTrack]) -> list[str]:
    """Annotation ids that two people carry. (The same track twice in a frame is a fault that reading refuses.)"""
    owner: dict[int, str] = {}
    found = []
    for track in tracks:
        for row, extra in enumerate(track.extra):
            number = extra.get("id") if extra else None
            if not isinstance(number, int):
                continue
            if number in owner:
                found.append(f"{_place(track, row)}: annotation id {number}, which {owner[number]} has too")
            owner.setdefault(number, _place(track, row))
    return found


def _place(track: PersonTrack, row: int) -> str:
    return f"{track.video.name}: {track.video.frame_files[int(track.frame[row])]}, person {track.track_id}"
