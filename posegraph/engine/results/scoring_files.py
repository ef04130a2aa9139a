"""Poses in the layouts that are scored: PoseTrack18 files and COCO keypoint results.

A keypoint's score is its confidence x the score of the person's box, as in the predictions of an evaluation; a
person's score is the mean over the joints. An image's id is the frame's number in the source.

# N person-frames, J joints
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import orjson

from posegraph.data.formats import coco_writer
from posegraph.data.tracks import UNKNOWN, PersonTrack, Video
from posegraph.engine.results.record import FrameRecord
from posegraph.engine.results.rows import PersonRows
from posegraph.skeleton import Skeleton

_NUMPY = orjson.OPT_SERIALIZE_NUMPY


class PoseTrackWriter:
    """A PoseTrack18 file with every frame, with people or without; a context manager."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._skeleton = skeleton
        self._images, self._people = 0, 0
        self._categories = _posetrack_content([], skeleton)["categories"]

    def __enter__(self) -> PoseTrackWriter:
        self._file = self._path.open("wb")
        # The layout lists all images before all people: people wait in a file of their own.
        self._waiting: IO[bytes] = tempfile.TemporaryFile(dir=self._path.parent)
        self._file.write(b'{"images": [')
        return self

    def write(self, frames: Sequence[FrameRecord]) -> None:
        """Append frames."""
        content = _posetrack_content(frames, self._skeleton)
        for image in content["images"]:
            self._file.write((b",\n" if self._images else b"\n") + orjson.dumps(image))
            self._images += 1
        for person in content["annotations"]:
            # Ids made from image ids would repeat beyond 100 people in a frame.
            self._people += 1
            person["id"] = self._people
            self._waiting.write((b",\n" if self._people > 1 else b"\n") + orjson.dumps(person))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file, self._waiting:
            if error is not None:
                return
            self._waiting.seek(0)
            self._file.write(b'\n],\n"annotations": [')
            shutil.copyfileobj(self._waiting, self._file)
            self._file.write(b'\n],\n"categories": ' + orjson.dumps(self._categories) + b"}\n")


class CocoResultsWriter:
    """COCO keypoint results, a list of ``{image_id, category_id, track_id, keypoints, score, bbox}``.

    ``keypoints`` are x, y and the score of each joint. A context manager.
    """

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._num_joints = skeleton.num_joints
        self._people = 0

    def __enter__(self) -> CocoResultsWriter:
        self._file = self._path.open("wb")
        self._file.write(b"[")
        return self

    def write(self, frames: Sequence[FrameRecord]) -> None:
        """Append frames."""
        rows = PersonRows.of(frames, self._num_joints)
        scores = rows.scoring_scores
        points = np.concatenate([rows.keypoints_px, scores[..., None]], axis=2)  # [N, J, 3]
        for row in range(len(rows)):
            entry = {
                "image_id": frames[rows.frame[row]].number,
                "category_id": coco_writer.PERSON_CATEGORY,
                "track_id": int(rows.track_ids[row]),
                "keypoints": points[row].ravel(),
                "score": float(scores[row].mean()),
                "bbox": rows.boxes_xywh[row],
            }
            self._file.write((b",\n" if self._people else b"\n") + orjson.dumps(entry, option=_NUMPY))
            self._people += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.write(b"\n]\n")


def _posetrack_content(frames: Sequence[FrameRecord], skeleton: Skeleton) -> dict[str, Any]:
    """``images``, ``annotations`` and ``categories`` of some frames."""
    video = Video(
        name="",
        source=Path(),
        frame_files=tuple(record.name for record in frames),
        image_ids=np.array([record.number for record in frames], dtype=np.int64),
        image_hw=np.array([record.image_hw for record in frames], dtype=np.int64),
        labeled=np.ones(len(frames), dtype=np.bool_),
        ignore_regions=((),) * len(frames),
    )
    rows = PersonRows.of(frames, skeleton.num_joints)
    tracks = [_track(video, int(track_id), rows) for track_id in np.unique(rows.track_ids)]
    return coco_writer.content_of([video], {video: tracks}, skeleton, None, "posetrack18", Counter())


def _track(video: Video, track_id: int, rows: PersonRows) -> PersonTrack:
    own = np.flatnonzero(rows.track_ids == track_id)
    scores = rows.scoring_scores[own]
    annotated = np.asarray(np.isfinite(rows.keypoints_px[own]).all(axis=2))
    return PersonTrack(
        video=video,
        track_id=track_id,
        frame=rows.frame[own],
        keypoints_px=np.where(annotated[..., None], rows.keypoints_px[own], 0.0),
        annotated=annotated,
        visibility=np.full(annotated.shape, UNKNOWN, dtype=np.int8),
        boxes_xywh=rows.boxes_xywh[own],
        head_boxes_xywh=np.full((len(own), 4), np.nan),
        keypoint_scores=scores,
        scores=scores.mean(axis=1),
        file_row=rows.place[own],
    )
