"""Crowds whose boxes and joints are known in every frame: the synthetic generator's people, not drawn.

# F frames, P people, J joints
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.data.synthetic.body import landmark_points
from posegraph.data.synthetic.scene import SUBFRAMES, random_scene
from posegraph.detect.usable import inside
from posegraph.geometry import extent_xywh, fit_aspect, scale_box

IMAGE_HW = (180, 320)


class Crowd(NamedTuple):
    """People who walk, turn and cross under a moving camera, about 13 frames a second.

    Fields:
        joints_px: ``[F, P, J, 2]``.
        boxes_xywh: ``[F, P, 4]`` around the joints, enlarged, cut at the image's border.
        there: ``[F, P]`` at least a third of the box is in the image.
    """

    joints_px: NDArray[np.float64]
    boxes_xywh: NDArray[np.float64]
    there: NDArray[np.bool_]

    def people(self, frame: int, without: int | None = None) -> People:
        """Everybody whom a perfect detector finds, but one."""
        rows = self.rows(frame, without)
        return People(self.boxes_xywh[frame, rows], np.full(len(rows), 0.9), np.full(len(rows), NO_TRACK))

    def rows(self, frame: int, without: int | None = None) -> NDArray[np.intp]:
        """Numbers of the people of :meth:`people`."""
        return np.array([row for row in np.flatnonzero(self.there[frame]) if row != without], dtype=np.intp)

    def poses(self, frame: int, people: People) -> tuple[FramePoses, list[int]]:
        """What a good model sees in the crops, and whom: the person whose box is most like the crop's."""
        points, scores = [], []
        there = np.flatnonzero(self.there[frame])
        seen = [int(there[np.argmax(row)]) for row in overlaps(cut(people.boxes_xywh), self.boxes_xywh[frame, there])]
        for box, person in zip(people.boxes_xywh, seen, strict=True):
            x, y, w, h = scale_box(fit_aspect(box, (256, 192)), 1.25)
            joints = self.joints_px[frame, person]
            points.append(joints)
            scores.append(np.where(((joints >= (x, y)) & (joints <= (x + w, y + h))).all(axis=1), 0.9, 0.05))
        shape = (len(seen), *self.joints_px.shape[2:])
        keypoints = np.array(points).reshape(shape)
        poses = FramePoses(
            people.track_ids, people.boxes_xywh, people.scores, keypoints, np.array(scores).reshape(shape[:2])
        )
        return poses, seen


def cut(boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes cut at the image's border."""
    size = np.array(IMAGE_HW[::-1])
    low, high = (
        np.clip(corner, 0, size) for corner in (boxes_xywh[..., :2], boxes_xywh[..., :2] + boxes_xywh[..., 2:])
    )
    return np.concatenate([low, high - low], axis=-1)


def overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union ``[n, m]`` of every pair of boxes."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    return np.asarray(shared / (first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - shared))


@cache
def make_crowd(seed: int, frames: int = 60, people: int = 6) -> Crowd:
    scene = random_scene(np.random.default_rng(seed), frames, people, IMAGE_HW[::-1])
    times = scene.times.ravel()
    joints = np.stack(
        [
            scene.camera.project(landmark_points(actor.body, actor.pose(times)))[SUBFRAMES // 2 :: SUBFRAMES, :, :2]
            for actor in scene.actors
        ],
        axis=1,
    )
    whole = np.array([[scale_box(extent_xywh(person), 1.3) for person in frame] for frame in joints])
    boxes = cut(whole)
    seen = boxes[..., 2:].prod(axis=2) / whole[..., 2:].prod(axis=2)
    in_image = np.array([inside(frame, IMAGE_HW) for frame in whole])
    return Crowd(joints, boxes, in_image & (seen > 1 / 3))


@pytest.fixture(scope="session")
def crowd() -> Callable[..., Crowd]:
    """``crowd(seed, frames=60, people=6)``."""
    return make_crowd
