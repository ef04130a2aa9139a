"""Writing tracks in the PoseTrack18 layout, so that the official poseval reads them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from posegraph.data.posetrack_assembly import FILE_ROW
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.errors import PoseGraphError
from posegraph.files import write_text
from posegraph.skeleton import Skeleton

MISSING_SCORE = -9999.0
"""What poseval takes for a joint without a score."""


def write_posetrack18(tracks: TrackSet, out: str | Path) -> list[Path]:
    """Write ``<out>/<video name>.json`` for every video, and return the paths.

    All images are listed, with people or without. ``scores`` has one number for each joint (0 where no position is
    given, poseval's -9999 where a position has no score) and is left out where no joint has one; boxes that are NaN
    are left out. v is 2 for seen joints, 1 for occluded ones and where it is not known, 0 where not annotated.

    Raises:
        PoseGraphError: the folder cannot be written, or a video's name is no file name.
    """
    people: dict[Video, list[PersonTrack]] = {video: [] for video in tracks.videos}
    for track in tracks:
        people.setdefault(track.video, []).append(track)
    paths = []
    for video, video_tracks in people.items():
        if Path(video.name).name != video.name or not video.name:
            raise PoseGraphError(f"{video.source}: video name {video.name!r} is no file name; rename the video")
        content = {
            "images": [_image(video, frame) for frame in range(video.num_frames)],
            "annotations": _annotations(video, video_tracks),
            "categories": [_category(tracks.skeleton)],
        }
        path = Path(out) / f"{video.name}.json"
        write_text(path, _compact_json(content))
        paths.append(path)
    return paths


def _compact_json(content: Any) -> str:
    try:
        return json.dumps(content, allow_nan=False) + "\n"
    except ValueError:  # only fields kept from another file can hold NaN or infinity
        return json.dumps(_finite(content), allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _category(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.joints),
        "skeleton": [[first + 1, second + 1] for first, second in skeleton.bone_rows],
    }


def _image(video: Video, frame: int) -> dict[str, Any]:
    image: dict[str, Any] = dict(video.extra[frame]) if video.extra else {}
    image |= {"id": int(video.image_ids[frame]), "file_name": video.frame_files[frame]}
    image["is_labeled"] = bool(video.labeled[frame])
    height, width = video.image_hw[frame].tolist()
    image |= {"height": height, "width": width} if height and width else {}
    regions = video.ignore_regions[frame]
    if regions:
        image["ignore_regions_x"] = [region[:, 0].tolist() for region in regions]
        image["ignore_regions_y"] = [region[:, 1].tolist() for region in regions]
    return image


def _annotations(video: Video, tracks: list[PersonTrack]) -> list[dict[str, Any]]:
    """In frame order; within a frame in the order of the file they came from, else of the tracks."""
    found = []
    for order, track in enumerate(tracks):
        for row, frame in enumerate(track.frame.tolist()):
            place = track.extra[row].get(FILE_ROW, order) if track.extra else order
            found.append(((frame, place, order), track, row))
    found.sort(key=lambda entry: entry[0])
    kept_ids = [track.extra[row].get("id") for _, track, row in found if track.extra]
    taken = {kept for kept in kept_ids if isinstance(kept, int)}
    annotations = []
    count_in_frame: dict[int, int] = {}
    for (frame, _, _), track, row in found:
        image_id = int(video.image_ids[frame])
        annotation = _annotation(track, row, image_id)
        if "id" not in annotation:
            # PoseTrack18 numbers people 0..99 within image_id * 100
            count = count_in_frame.get(frame, 0)
            while image_id * 100 + count in taken:
                count += 1
            count_in_frame[frame] = count + 1
            annotation["id"] = image_id * 100 + count
            taken.add(annotation["id"])
        annotations.append(annotation)
    return annotations


def _annotation(track: PersonTrack, row: int, image_id: int) -> dict[str, Any]:
    annotated = track.annotated[row]
    v = np.where(annotated, np.where(track.visibility[row] == 1, 2, 1), 0)
    annotation: dict[str, Any] = dict(track.extra[row]) if track.extra else {}
    annotation.pop(FILE_ROW, None)
    annotation.setdefault("category_id", 1)
    annotation |= {"image_id": image_id, "track_id": int(track.track_id)}
    annotation["keypoints"] = [
        number
        for (x, y), given, grade in zip(track.keypoints_px[row].tolist(), annotated, v.tolist(), strict=True)
        for number in ((x, y, grade) if given else (0, 0, 0))
    ]
    scores = track.keypoint_scores[row]
    if np.isfinite(scores).any():
        known = np.where(np.isfinite(scores), scores, MISSING_SCORE)
        annotation["scores"] = np.where(annotated, known, 0.0).tolist()
    if np.isfinite(track.scores[row]):
        annotation["score"] = float(track.scores[row])
    for key, boxes_xywh in (("bbox", track.boxes_xywh), ("bbox_head", track.head_boxes_xywh)):
        if np.isfinite(boxes_xywh[row]).all():
            annotation[key] = boxes_xywh[row].tolist()
    return annotation
