"""MoveNet Thunder's joints of the people in a video, for pseudo_labels.py: JSON lines, one a person and frame.

python benchmarks/teacher_poses.py VIDEO BOXES OUT --model movenet-thunder.onnx

BOXES: people with ids, as MOTChallenge text or any other file of boxes (docs/data.md). MODEL: MoveNet SinglePose
Thunder 4 as ONNX, a square int32 RGB image to [1, 1, 17, 3] (y, x, score). The teacher is no part of posegraph; where
its file comes from is said in teacher_to_onnx.py. `pip install 'posegraph[onnx]'` gives onnxruntime.

It looks twice: at a square around the box, then at one around the joints found; the better scored answer counts. Where
two people of a frame got one skeleton, since one hides the other, the one whose box fits it less has the other's id in
`duplicate_of`.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.sources.opening import open_frames
from posegraph.detect.file_boxes import FileBoxes, read_box_file
from posegraph.errors import PoseGraphError
from posegraph.files import write_text

Floats = NDArray[np.float64]
MARGIN = 1.25
"""Side of the square over the longer side of the box: the teacher wants room around the person."""
CONFIDENT, ENOUGH = 0.2, 6
"""So many joints with such a score are needed for a second look."""
BEYOND = 1.15
"""Crown and feet lie beyond the outermost joints."""
SAME_POSE = 0.05
"""Median distance of the joints of two people, in sizes of the smaller box, below which they are one skeleton."""


class MoveNet:
    """``[17, 3]`` x, y, score of the person in a square of an image."""

    def __init__(self, model: Path) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise PoseGraphError("onnxruntime is not installed; pip install 'posegraph[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own kinds
            raise PoseGraphError(f"{model}: cannot be opened ({str(error)[:120]}); give MoveNet's ONNX file") from None
        (self._input,) = self._session.get_inputs()
        self._side = int(self._input.shape[1])

    def __call__(self, image: NDArray[np.uint8], centre: Floats, side: float) -> Floats:
        scale, low = self._side / side, centre - side / 2
        to_square = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]])
        if scale < 0.5:  # so much smaller that bilinear sampling would skip pixels
            image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale).astype(np.uint8)
        square = cv2.warpAffine(image, to_square, (self._side, self._side), flags=cv2.INTER_LINEAR)
        (found,) = self._session.run(None, {self._input.name: square[None, ..., ::-1].astype(np.int32)})
        points = np.asarray(found[0, 0], dtype=np.float64)
        return np.stack([points[:, 1] * side + low[0], points[:, 0] * side + low[1], points[:, 2]], axis=1)


def two_looks(teacher: MoveNet, image: NDArray[np.uint8], box: Floats) -> Floats:
    """The joints ``[17, 3]`` of the person in a box, x, y, width, height."""
    first = teacher(image, box[:2] + box[2:] / 2, MARGIN * box[2:].max())
    confident = first[first[:, 2] >= CONFIDENT, :2]
    if len(confident) < ENOUGH:
        return first
    low, high = confident.min(axis=0), confident.max(axis=0)
    centre, size = (low + high) / 2, (high - low).max()
    inside = bool((np.abs(centre - (box[:2] + box[2:] / 2)) < box[2:] / 2).all())
    if not inside or not 0.4 < size / box[2:].max() < 1.6:
        return first  # joints of somebody else
    second = teacher(image, centre, MARGIN * BEYOND * size)
    return second if second[:, 2].mean() > first[:, 2].mean() else first


def mark_duplicates(entries: list[dict[str, Any]]) -> None:
    """Set ``duplicate_of`` of all people of a frame: an id, or None."""
    for entry in entries:
        entry["duplicate_of"] = None
    for a, b in combinations(entries, 2):
        points = np.array([a["keypoints"], b["keypoints"]])[..., :2]
        size = min(max(entry["box_xywh"][2:]) for entry in (a, b))
        if np.median(np.linalg.norm(points[0] - points[1], axis=1)) < SAME_POSE * size:
            worse, better = sorted((a, b), key=_fit)
            worse["duplicate_of"] = better["id"]


def _fit(entry: dict[str, Any]) -> float:
    """Intersection over union of the box and the extent of the joints."""
    x, y, w, h = entry["box_xywh"]
    points = np.array(entry["keypoints"])[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    shared = np.prod(np.maximum(np.minimum(high, [x + w, y + h]) - np.maximum(low, [x, y]), 0))
    return float(shared / (w * h + np.prod(high - low) - shared))


def teach(video: Path, boxes: Path, model: Path) -> list[dict[str, Any]]:
    """The teacher's answers for every box of the video."""
    teacher, found = MoveNet(model), read_box_file(boxes)
    entries: list[dict[str, Any]] = []
    with open_frames(video) as source:
        given = FileBoxes(found, source)
        for frame in source:
            people = given(frame)
            if (people.track_ids < 0).any():
                raise PoseGraphError(f"{boxes}: has people without ids in frame {frame.number}; give boxes with ids")
            own = []
            for box, track, score in zip(people.boxes_xywh, people.track_ids, people.scores, strict=True):
                points = [[round(x, 2), round(y, 2), round(s, 4)] for x, y, s in two_looks(teacher, frame.image, box)]
                entry = {"frame": frame.number, "id": int(track), "box_xywh": box.tolist(), "box_score": float(score)}
                own.append({**entry, "keypoints": points})
            mark_duplicates(own)
            entries += own
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("video", "boxes", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args()
    try:
        entries = teach(given.video, given.boxes, given.model)
        write_text(given.out, "".join(json.dumps(entry) + "\n" for entry in entries))
    except PoseGraphError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{given.out}: {len(entries)} poses")


if __name__ == "__main__":
    main()
