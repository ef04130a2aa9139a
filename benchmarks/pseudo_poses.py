"""A teacher's poses, read and cleaned: which joints of which poses are worth training on.

# K joints of the teacher
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.validation import read_yaml

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
RULES: dict[str, Any] = read_yaml(Path(__file__).with_name("pseudo_labels.yaml"), "the teacher's joints")
SIDES_MOVED = 0.03
"""Mean way of the joints, as a share of the box's longer side, below which left and right did not change places."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A person in a frame: ``points [K, 3]`` x, y, score of the teacher's joints, ``box_xywh [4]``, in pixels."""

    frame: int
    track: int
    points: Floats
    box_xywh: Floats


@dataclass(frozen=True)
class Limits:
    """What a pose and its joints must reach; see pseudo_labels.py."""

    joint_score: float = 0.3
    pose_score: float = 0.35
    joints: int = 8
    jump: float = 0.15
    run: int = 20


def read_poses(path: Path, skipped: Counter[str]) -> list[Pose]:
    """The teacher's poses without duplicates, which ``skipped`` counts. Raises :class:`PoseGraphError` for a fault."""
    joints = Skeleton.load(RULES["skeleton"]).num_joints
    poses, seen = [], set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PoseGraphError(f"{path}: cannot be read ({error}); give the JSON lines of a teacher's poses") from error
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            pose = Pose(int(entry["frame"]), int(entry["id"]), _array(entry["keypoints"]), _array(entry["box_xywh"]))
            duplicate = entry.get("duplicate_of") is not None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PoseGraphError(
                f"{path}: line {number}: {error!r}; expected an object with frame, id, keypoints and box_xywh; make "
                "the file again"
            ) from None
        if pose.points.shape != (joints, 3) or pose.box_xywh.shape != (4,):
            raise PoseGraphError(
                f"{path}: line {number}: keypoints {pose.points.shape} and box {pose.box_xywh.shape}; expected "
                f"{joints} of x, y, score, and x, y, width, height; give poses of {RULES['skeleton']!r}"
            )
        if (pose.frame, pose.track) in seen:
            raise PoseGraphError(f"{path}: line {number}: person {pose.track} is in frame {pose.frame} twice; keep one")
        seen.add((pose.frame, pose.track))
        if duplicate:
            skipped["pose of somebody else (duplicate_of)"] += 1
        else:
            poses.append(pose)
    return poses


def _array(values: Any) -> Floats:
    array = np.array(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("NaN or infinity")
    return array


def usable_joints(poses: list[Pose], limits: Limits, skipped: Counter[str]) -> dict[tuple[int, int], Mask]:
    """``(frame, track)`` -> ``[K]`` joints to annotate, of the poses that are kept."""
    tracks: dict[int, dict[int, Pose]] = defaultdict(dict)
    for pose in poses:
        tracks[pose.track][pose.frame] = pose
    kept = {}
    for track in tracks.values():
        doubtful = _doubtful_sides(track, limits.run)
        for pose in track.values():
            scored = pose.points[:, 2] >= limits.joint_score
            steady = ~_jumps(pose, track, limits.jump)
            if pose.points[:, 2].mean() < limits.pose_score:
                skipped["pose with a low score"] += 1
            elif (scored & steady).sum() < limits.joints:
                skipped["pose of few joints"] += 1
            elif pose.frame in doubtful:
                skipped["pose whose left and right are in doubt"] += 1
            else:
                kept[pose.frame, pose.track] = scored & steady
                skipped["joint with a low score"] += int((~scored).sum())
                skipped["joint that jumps"] += int((scored & ~steady).sum())
    return kept


def _jumps(pose: Pose, track: dict[int, Pose], most: float) -> Mask:
    """``[K]`` joints far from the middle of their places before and after; none where one of these is not known."""
    before, after = track.get(pose.frame - 1), track.get(pose.frame + 1)
    if before is None or after is None:
        return np.zeros(len(pose.points), dtype=np.bool_)
    middle = (before.points[:, :2] + after.points[:, :2]) / 2
    far: Mask = np.linalg.norm(pose.points[:, :2] - middle, axis=1) > most * pose.box_xywh[2:].max()
    return far


def _doubtful_sides(track: dict[int, Pose], shortest: int) -> set[int]:
    """Frames in stretches of under ``shortest`` between two changes of left and right, or a change and an end."""
    frames = sorted(track)
    starts = [0] + [row for row in range(1, len(frames)) if _sides_change(track[frames[row - 1]], track[frames[row]])]
    stretches = zip(starts, [*starts[1:], len(frames)], strict=True)
    return {
        frame for start, end in stretches if end - start < min(shortest, len(frames)) for frame in frames[start:end]
    }


def _sides_change(before: Pose, now: Pose) -> bool:
    """Whether exchanging left and right explains the motion far better than not, and the joints are not all close."""
    flipped = list(Skeleton.load(RULES["skeleton"]).flip_rows)
    kept = np.linalg.norm(now.points[:, :2] - before.points[:, :2], axis=1).sum()
    exchanged = np.linalg.norm(now.points[flipped, :2] - before.points[:, :2], axis=1).sum()
    return bool(kept > 2 * exchanged and kept > SIDES_MOVED * len(flipped) * now.box_xywh[2:].max())
