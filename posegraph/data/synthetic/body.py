"""The articulated body: its tree of bones, its landmarks, and where they are for given angles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AXES = "xyz"


@dataclass(frozen=True)
class Skeleton:
    """The bones of `body.yaml`, left and right written out.

    names: B bone names, parents before children.  kinds: the name without its side.
    parent: (B,) index, -1 for the root.  offset: (B, 3) origin in the parent's frame, fractions
    of the stature.  limits: (B, 3, 2) radians about x, y, z.  side: (B,) 1 left, -1 right, 0 mid.
    contact_bone, contact_at: (C,), (C, 3) points that may stand on the ground.
    landmark_names: J names; landmark_bone, landmark_at, landmark_radius: (J,), (J, 3), (J,).
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    parent: Ints
    offset: Floats
    limits: Floats
    side: Ints
    contact_bone: Ints
    contact_at: Floats
    landmark_names: tuple[str, ...]
    landmark_bone: Ints
    landmark_at: Floats
    landmark_radius: Floats

    @property
    def mirror(self) -> Floats:
        """(B, 3) sign that turns left-side angles into those of each bone: y and z flip."""
        sign = np.ones((len(self.names), 3))
        sign[self.side < 0, 1:] = -1.0
        return sign


@dataclass(frozen=True)
class Body:
    """One individual: `scale` (B, 3) turns stature fractions of each bone's frame into metres."""

    skeleton: Skeleton
    scale: Floats
    stature: float


@dataclass(frozen=True)
class Pose:
    """Bones over T instants: rotation (T, B, 3, 3) and origin (T, B, 3) in metres, world frame."""

    rotation: Floats
    origin: Floats

    def points(self, bone: Ints, at: Floats) -> Floats:
        """World places (T, N, 3) of N points `at` (N, 3), metres, in the frames of `bone` (N,)."""
        moved = np.einsum("tnij,nj->tni", self.rotation[:, bone], at, optimize=True)
        return np.asarray(moved + self.origin[:, bone])


@cache
def load_yaml(name: str) -> dict[str, Any]:
    """The parsed data file `name` of this package; shared, so do not change it."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def sides_of(entry: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """(prefix, sign) of every body side that a `body.yaml` entry stands for."""
    if entry.get("sided"):
        yield from load_yaml("body.yaml")["sides"].items()
    else:
        yield "", 0


def mirrored(at: list[float], side: int) -> list[float]:
    """A left-side point on the side asked for."""
    return [-at[0] if side < 0 else at[0], at[1], at[2]]


def _parent_index(names: list[str], prefix: str, parent: str | None) -> int:
    if parent is None:
        return -1
    return names.index(prefix + parent if prefix + parent in names else parent)


@cache
def load_skeleton() -> Skeleton:
    """The skeleton that `body.yaml` describes."""
    data = load_yaml("body.yaml")
    names: list[str] = []
    rows: list[tuple[str, int, list[float], list[list[float]], int]] = []
    for kind, entry in data["bones"].items():
        for prefix, side in sides_of(entry):
            parent = _parent_index(names, prefix, entry.get("parent"))
            limits = [entry["limits"][axis] for axis in AXES]
            rows.append((kind, parent, mirrored(entry["at"], side), limits, side))
            names.append(prefix + kind)
    contacts = [
        (names.index(prefix + entry["bone"]), mirrored(entry["at"], side))
        for entry in data["contacts"]
        for prefix, side in sides_of(entry)
    ]
    landmarks = [
        (prefix + kind, names.index(prefix + entry["bone"]), mirrored(entry["at"], side), entry["radius"])
        for kind, entry in data["landmarks"].items()
        for prefix, side in sides_of(entry)
    ]
    landmarks.sort(key=lambda row: data["keypoints"].index(row[0]))
    return Skeleton(
        names=tuple(names),
        kinds=tuple(row[0] for row in rows),
        parent=np.array([row[1] for row in rows]),
        offset=np.array([row[2] for row in rows], dtype=float),
        limits=np.radians(np.array([row[3] for row in rows], dtype=float)),
        side=np.array([row[4] for row in rows]),
        contact_bone=np.array([row[0] for row in contacts]),
        contact_at=np.array([row[1] for row in contacts], dtype=float),
        landmark_names=tuple(row[0] for row in landmarks),
        landmark_bone=np.array([row[1] for row in landmarks]),
        landmark_at=np.array([row[2] for row in landmarks], dtype=float),
        landmark_radius=np.array([row[3] for row in landmarks], dtype=float),
    )


def random_body(rng: np.random.Generator) -> Body:
    """An individual: stature, and its own length and girth for every kind of bone."""
    skeleton = load_skeleton()
    stature = float(rng.uniform(*load_yaml("body.yaml")["stature"]))
    kinds = sorted(set(skeleton.kinds))
    length = dict(zip(kinds, np.clip(rng.normal(1.0, 0.04, len(kinds)), 0.9, 1.1), strict=True))
    girth = dict(zip(kinds, np.clip(rng.normal(1.0, 0.05, len(kinds)), 0.88, 1.15), strict=True))
    build = float(rng.uniform(0.88, 1.2))
    scale = np.array([[girth[k] * build, length[k], girth[k] * build] for k in skeleton.kinds])
    return Body(skeleton, scale * stature, stature)


def _axis_rotation(angle: Floats, axis: int) -> Floats:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -matrix[..., second, first]
    return matrix


def rotations(angles: Floats) -> Floats:
    """Rotations (..., 3, 3) of angles (..., 3), radians: twist y first, then z, then x."""
    turn = [_axis_rotation(angles[..., axis], axis) for axis in range(3)]
    return np.asarray(turn[0] @ turn[2] @ turn[1])


def pose_body(body: Body, angles: Floats, root: Floats, heading: Floats) -> Pose:
    """Forward kinematics.

    angles: (T, B, 3) radians, cut to the limits.  root: (T, 3) metres.  heading: (T,) radians
    about the world's y, 0 facing +z.
    """
    skeleton = body.skeleton
    low, high = skeleton.limits[..., 0], skeleton.limits[..., 1]
    mirror = skeleton.mirror
    local = rotations(np.clip(angles * mirror, low, high) * mirror)
    count = len(angles)
    rotation = np.empty((count, len(skeleton.names), 3, 3))
    origin = np.empty((count, len(skeleton.names), 3))
    facing = _axis_rotation(heading, 1)
    for bone, parent in enumerate(skeleton.parent):
        if parent < 0:
            rotation[:, bone], origin[:, bone] = facing @ local[:, bone], root
            continue
        reach = skeleton.offset[bone] * body.scale[parent]
        rotation[:, bone] = rotation[:, parent] @ local[:, bone]
        origin[:, bone] = origin[:, parent] + rotation[:, parent] @ reach
    return Pose(rotation, origin)


def landmark_points(body: Body, pose: Pose) -> Floats:
    """World places (T, J, 3), metres, of the landmarks."""
    skeleton = body.skeleton
    at = skeleton.landmark_at * body.scale[skeleton.landmark_bone]
    return pose.points(skeleton.landmark_bone, at)


def contact_points(body: Body, pose: Pose) -> Floats:
    """World places (T, C, 3), metres, of the points that may stand on the ground."""
    skeleton = body.skeleton
    return pose.points(skeleton.contact_bone, skeleton.contact_at * body.scale[skeleton.contact_bone])
