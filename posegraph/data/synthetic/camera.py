"""A perspective camera that stands still, turns, zooms and shakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegraph.data.synthetic.body import Floats
from posegraph.data.synthetic.motion import random_wander


@dataclass(frozen=True)
class Camera:
    """The camera at T instants.

    position: (3,) metres, world frame (y up, the ground at 0); it looks along -z.
    yaw (right), pitch (down), roll: (T,) radians.  focal: (T,) pixels.  size: width, height.
    """

    position: Floats
    yaw: Floats
    pitch: Floats
    roll: Floats
    focal: Floats
    size: tuple[int, int]

    @property
    def rotation(self) -> Floats:
        """(T, 3, 3) from the unturned camera frame (x right, y down, z ahead) to the turned one."""
        cos, sin = np.cos, np.sin
        zero, one = np.zeros_like(self.yaw), np.ones_like(self.yaw)
        yaw = [cos(self.yaw), zero, -sin(self.yaw), zero, one, zero]
        yaw += [sin(self.yaw), zero, cos(self.yaw)]
        pitch = [one, zero, zero, zero, cos(self.pitch), -sin(self.pitch)]
        pitch += [zero, sin(self.pitch), cos(self.pitch)]
        roll = [cos(self.roll), -sin(self.roll), zero, sin(self.roll), cos(self.roll), zero]
        roll += [zero, zero, one]
        first, second, third = (np.stack(rows, axis=-1).reshape(-1, 3, 3) for rows in (yaw, pitch, roll))
        return np.asarray(third @ second @ first)

    def project(self, points: Floats) -> Floats:
        """World points (T, N, 3) to (T, N, 3): x, y in pixels and the depth in metres."""
        ahead = (points - self.position) * np.array([1.0, -1.0, -1.0])
        turned = np.einsum("tij,tnj->tni", self.rotation, ahead, optimize=True)
        depth = np.maximum(turned[..., 2:], 0.05)
        centre = np.array(self.size) / 2.0
        return np.concatenate([turned[..., :2] / depth * self.focal[:, None, None] + centre, depth], axis=-1)

    def homography(self, canvas_focal: float, canvas_size: tuple[int, int]) -> Floats:
        """(T, 3, 3) from the pixels of a backdrop painted for the unturned camera to the image."""
        unproject = np.linalg.inv(_matrix(np.array([canvas_focal]), canvas_size)[0])
        return np.asarray(_matrix(self.focal, self.size) @ self.rotation @ unproject)


def _matrix(focal: Floats, size: tuple[int, int]) -> Floats:
    matrix = np.zeros((len(focal), 3, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = focal
    matrix[:, :2, 2] = np.array(size) / 2.0
    matrix[:, 2, 2] = 1.0
    return matrix


def random_camera(rng: np.random.Generator, time: Floats, size: tuple[int, int], follow: Floats) -> Camera:
    """A hand-held camera at the times (T,); follow: (T,) angle in radians that it turns after."""
    seconds = float(time[-1])
    one = np.ones(())
    wide = float(rng.uniform(36.0, 52.0))
    focal = size[1] / 2.0 / np.tan(np.radians(wide) / 2.0)
    zoom = random_wander(rng, seconds, 1.6, 1.0 * one, float(rng.choice([1.02, 1.25])) * one)
    drift = np.radians(float(rng.choice([0.5, 4.0])))
    shake = np.radians(rng.choice([0.02, 0.12, 0.3]))
    height = float(rng.uniform(0.9, 1.9))
    moves = [random_wander(rng, seconds, 1.4, -drift * one, drift * one) for _ in range(3)]
    shakes = [random_wander(rng, seconds, 0.11, -shake * one, shake * one) for _ in range(3)]
    yaw, pitch, roll = (move(time) + fast(time) for move, fast in zip(moves, shakes, strict=True))
    # Pitch so that people of about 1.7 m a few metres away fall inside the image.
    base = np.arctan2(height - rng.uniform(0.8, 1.0), 4.5)
    return Camera(
        position=np.array([0.0, height, 0.0]),
        yaw=yaw + np.clip(follow, -0.5, 0.5),
        pitch=base + 0.5 * pitch,
        roll=0.3 * roll,
        focal=focal * zoom(time),
        size=size,
    )
