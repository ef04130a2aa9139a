"""What is known of one frame when it is done, and the same as a line of JSON.

# n people in the frame, J joints
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from posegraph.data.people import FramePoses, People


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame of a source and what was found in it.

    Fields:
        number: In the source, from 0; a frame that could not be read has no record.
        time_s: When it is shown, in seconds.
        name: The image's file name, or ``movie.mp4#12``.
        image_hw: Its size in pixels.
        detected: What the detector said; None where it rested.
        people: The people that were followed into the frame.
        poses: Their poses.
    """

    number: int
    time_s: float
    name: str
    image_hw: tuple[int, int]
    detected: People | None
    people: People
    poses: FramePoses


def line_of(record: FrameRecord) -> bytes:
    """One line of JSON, its end included; NaN is null. ValueError for an infinite number."""
    content = {
        "number": record.number,
        "time_s": float(record.time_s),
        # A file name that is no UTF-8 would be no JSON.
        "name": record.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        "image_hw": [int(side) for side in record.image_hw],
        "detected": None if record.detected is None else _arrays(record.detected),
        "people": _arrays(record.people),
        "poses": _arrays(record.poses),
    }
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def record_of(line: bytes, num_joints: int) -> FrameRecord:
    """The frame of a line, to the last bit. KeyError, TypeError or ValueError for a line of another kind."""
    content = orjson.loads(line)
    height, width = content["image_hw"]
    detected = content["detected"]
    return FrameRecord(
        number=int(content["number"]),
        time_s=float(content["time_s"]),
        name=str(content["name"]),
        image_hw=(int(height), int(width)),
        detected=None if detected is None else _people(detected),
        people=_people(content["people"]),
        poses=_poses(content["poses"], num_joints),
    )


def _arrays(fields: People | FramePoses) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, values in fields._asdict().items():
        kind = np.int64 if name == "track_ids" else np.float64
        arrays[name] = np.ascontiguousarray(values, dtype=kind)
        if np.isinf(arrays[name]).any():
            raise ValueError(f"{name} has an infinite number, which JSON cannot hold")
    return arrays


def _people(content: dict[str, Any]) -> People:
    track_ids = np.array(content["track_ids"], dtype=np.int64)
    n = len(track_ids)
    return People(_floats(content["boxes_xywh"], n, 4), _floats(content["scores"], n), track_ids)


def _poses(content: dict[str, Any], num_joints: int) -> FramePoses:
    track_ids = np.array(content["track_ids"], dtype=np.int64)
    n = len(track_ids)
    return FramePoses(
        track_ids,
        _floats(content["boxes_xywh"], n, 4),
        _floats(content["box_scores"], n),
        _floats(content["keypoints_px"], n, num_joints, 2),
        _floats(content["keypoint_scores"], n, num_joints),
    )


def _floats(values: Any, *shape: int) -> NDArray[np.float64]:
    """``values`` with null as NaN; ValueError for another number of them than ``shape`` holds."""
    return np.array(values, dtype=np.float64).reshape(shape)
