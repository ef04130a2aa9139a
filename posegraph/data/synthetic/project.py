"""Figures and props as polygons in the image, for all instants of a clip at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.synthetic.body import Floats, Pose, contact_points, landmark_points
from posegraph.data.synthetic.camera import Camera
from posegraph.data.synthetic.figure import Figure
from posegraph.data.synthetic.props import Prop
from posegraph.data.synthetic.scene import Actor

SHIFT = 4  # fractional bits of the integer coordinates that OpenCV draws with
# A solid is drawn as nested shapes: share of its size, move towards the light in radii, brightness.
LAYERS = ((1.0, 0.0, 0.60), (0.80, 0.20, 0.82), (0.48, 0.46, 1.0))
SHADOW_RADIUS = 0.17  # statures

Fixed = NDArray[np.int32]


@dataclass(frozen=True)
class ProjectedActor:
    """One person in the image at T instants; pixel places as fixed-point numbers.

    layers: per entry of LAYERS (T, R, COLUMNS, 2) rings.  shadow: (T, 16, 2) outline of the dark patch on the ground.
    ring_depth: (T, R, COLUMNS) metres.  order: (T, P) depth that parts are sorted by.  marks: (T, M, 8, 2).
    shown: (T, M) faces the camera.  mark_colour: (T, M, 3) BGR.  joints: (T, J, 3) pixels and metres of depth.
    joints_world: (T, J, 3) metres.  stature: metres; pixels_tall: (T,) the same in the image.
    """

    figure: Figure
    layers: tuple[Fixed, ...]
    shadow: Fixed
    ring_depth: Floats
    order: Floats
    marks: Fixed
    shown: NDArray[np.bool_]
    mark_colour: Floats
    joints: Floats
    joints_world: Floats
    stature: float
    pixels_tall: Floats


@dataclass(frozen=True)
class ProjectedProp:
    """polygons: per polygon (T, n, 2) fixed-point pixels; depth: (T,) metres."""

    polygons: tuple[Fixed, ...]
    colours: tuple[Floats, ...]
    depth: Floats


def to_fixed(pixels: Floats) -> Fixed:
    """Pixels to OpenCV's fixed-point integers; far outside is cut, or they would overflow."""
    return np.asarray(np.rint(np.clip(pixels, -8000.0, 8000.0) * (1 << SHIFT)), dtype=np.int32)


def _layers(outer: Floats, light: Floats) -> tuple[Fixed, ...]:
    """The nested shapes of rings (T, R, COLUMNS, 2), pixels."""
    middle = outer.mean(axis=2, keepdims=True)
    reach = np.linalg.norm(outer - middle, axis=-1).max(axis=2)[..., None, None]
    # Light from above reaches less of an upright limb than light from the side.
    toward = np.array([light[0], -light[1] * 0.5]) * reach
    return tuple(to_fixed(middle + size * (outer - middle) + move * toward) for size, move, _ in LAYERS)


def _facing(marks: Floats) -> NDArray[np.bool_]:
    """(T, M) whether polygons (T, M, 8, 2) in pixels show their outside and cover some area."""
    following = np.roll(marks, -1, axis=2)
    area = (marks[..., 0] * following[..., 1] - marks[..., 1] * following[..., 0]).sum(axis=2)
    # y points down in the image, so what faces the camera has a negative area.
    return np.asarray(area < -2.0)


def _mark_colours(figure: Figure, pose: Pose, light: Floats) -> Floats:
    normal = np.einsum("tmij,mj->tmi", pose.rotation[:, figure.mark_bone], figure.mark_normal)
    dark, lit = LAYERS[0][2], LAYERS[-1][2]
    bright = dark + (lit - dark) * np.clip(0.5 + 0.7 * (normal @ light), 0.0, 1.1)
    return np.asarray(np.clip(figure.mark_colour * bright[..., None], 0.0, 255.0))


def _shadow(actor: Actor, pose: Pose, light: Floats) -> Floats:
    """World points (T, 16, 3) around the feet, moved away from the light."""
    middle = contact_points(actor.body, pose).mean(axis=1, keepdims=True)
    angle = np.arange(16) * np.pi / 8.0
    circle = np.stack([np.cos(angle), np.zeros(16), np.sin(angle)], axis=1)
    away = -light * np.array([1.0, 0.0, 1.0]) * 0.8
    # Lengthened only on the side away from the light, so that the feet stand inside.
    stretch = np.maximum(circle @ away, 0.0)[:, None] * away
    points = middle + SHADOW_RADIUS * actor.body.stature * (circle + 2.0 * stretch)
    points[..., 1] = 0.0
    return np.asarray(points)


def project_actor(actor: Actor, camera: Camera, time: Floats, light: Floats) -> ProjectedActor:
    """Pose, place and project one person at the times (T,)."""
    figure, pose, count = actor.figure, actor.pose(time), len(time)
    columns = figure.ring_points.shape[1]
    bone = np.repeat(figure.ring_bone, columns)
    seen = camera.project(pose.points(bone, figure.ring_points.reshape(-1, 3)))
    rings = seen.reshape(count, -1, columns, 3)
    ends = zip(figure.first_ring[:-1], figure.first_ring[1:], strict=True)
    depth = np.stack([rings[:, a:b, :, 2].mean(axis=(1, 2)) for a, b in ends], axis=1)
    corners = pose.points(np.repeat(figure.mark_bone, 8), figure.mark_points.reshape(-1, 3))
    marks = camera.project(corners)[..., :2].reshape(count, -1, 8, 2)
    world = landmark_points(actor.body, pose)
    return ProjectedActor(
        figure=figure,
        layers=_layers(rings[..., :2], light),
        shadow=to_fixed(camera.project(_shadow(actor, pose, light))[..., :2]),
        ring_depth=rings[..., 2],
        order=depth - figure.nearer,
        marks=to_fixed(marks),
        shown=_facing(marks),
        mark_colour=_mark_colours(figure, pose, light),
        joints=camera.project(world),
        joints_world=world,
        stature=actor.body.stature,
        pixels_tall=camera.focal * actor.body.stature / depth.mean(axis=1),
    )


def project_prop(prop: Prop, camera: Camera, time: Floats) -> ProjectedProp:
    """Place and project one object at the times (T,)."""
    seen = camera.project(prop.points(time))
    ends = np.cumsum([len(polygon) for polygon in prop.polygons])[:-1]
    polygons = np.split(to_fixed(seen[..., :2]), ends, axis=1)
    return ProjectedProp(tuple(polygons), prop.colours, -(prop.place[2] + time * prop.speed[2]))
