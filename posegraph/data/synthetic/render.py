"""Draw a scene, and note which joints can be seen in what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.synthetic.backdrop import Image
from posegraph.data.synthetic.body import Floats, load_skeleton, load_yaml
from posegraph.data.synthetic.project import (
    LAYERS,
    SHIFT,
    Fixed,
    ProjectedActor,
    ProjectedProp,
    project_actor,
    project_prop,
)
from posegraph.data.synthetic.scene import SUBFRAMES, Scene, random_scene
from posegraph.data.synthetic.style import EVERYDAY, SceneStyle
from posegraph.data.synthetic.visibility import PERSON_STEP, PROP_START, see_joints

HEAD_BOX = "head_box"
SHADOW_GREY = (165, 165, 165)


@dataclass(frozen=True)
class Sequence:
    """A rendered clip of F frames and P persons.

    images: F arrays (height, width, 3) uint8 in BGR.  keypoints: (F, P, J, 3) x, y in pixels and
    v: 2 seen, 1 hidden, 0 outside the image (then x = y = 0); J follows `landmark_names`.
    joints_world: (F, P, J, 3) metres.  head_boxes: (F, P, 4) x, y, w, h in pixels.
    """

    images: list[Image]
    keypoints: Floats
    joints_world: Floats
    head_boxes: Floats
    landmark_names: tuple[str, ...]
    jpeg_quality: int


def _draw_part(
    canvas: Image, ids: NDArray[np.int32] | None, actor: ProjectedActor, instant: int, part: int, name: int
) -> None:
    figure = actor.figure
    rings = slice(figure.first_ring[part], figure.first_ring[part + 1])
    colour = figure.colour[part]
    for layer, (_, _, bright) in zip(actor.layers, LAYERS, strict=True):
        hull = cv2.convexHull(layer[instant, rings].reshape(-1, 2))
        cv2.fillConvexPoly(canvas, hull, (colour * bright).tolist(), cv2.LINE_AA, SHIFT)
        if ids is not None:
            cv2.fillConvexPoly(ids, hull, name, cv2.LINE_8, SHIFT)
    first, last = np.searchsorted(figure.mark_part, [part, part + 1])
    for mark in np.flatnonzero(actor.shown[instant, first:last]) + first:
        shade = actor.mark_colour[instant, mark].tolist()
        cv2.fillPoly(canvas, [actor.marks[instant, mark]], shade, cv2.LINE_AA, SHIFT)


def _draw_shadow(canvas: Image, outline: Fixed) -> None:
    """Darken the ground inside the outline (16, 2), fixed-point pixels, softly at its edge."""
    height, width = canvas.shape[:2]
    margin = 4
    low = np.clip((outline.min(axis=0) >> SHIFT) - margin, 0, [width, height])
    high = np.clip((outline.max(axis=0) >> SHIFT) + margin, 0, [width, height])
    if (high <= low).any():
        return
    mask = np.full((high[1] - low[1], high[0] - low[0], 3), 255, dtype=np.uint8)
    local = np.asarray(outline - (low << SHIFT), dtype=np.int32)
    cv2.fillConvexPoly(mask, local, SHADOW_GREY, cv2.LINE_AA, SHIFT)
    mask = cv2.blur(mask, (2 * margin + 1, 2 * margin + 1))
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    patch[:] = cv2.multiply(patch, mask, scale=1.0 / 255.0)


def _draw(
    canvas: Image,
    ids: NDArray[np.int32] | None,
    actors: list[ProjectedActor],
    props: list[ProjectedProp],
    instant: int,
) -> None:
    """Paint everything far to near; `ids` gets the name of what is on top of each pixel."""
    for actor in actors:
        _draw_shadow(canvas, actor.shadow[instant])
    order = [
        (depth, person, part)
        for person, actor in enumerate(actors)
        for part, depth in enumerate(actor.order[instant].tolist())
    ]
    order += [(float(prop.depth[instant]), -1, index) for index, prop in enumerate(props)]
    for _, person, index in sorted(order, reverse=True):
        if person >= 0:
            name = 1 + person * PERSON_STEP + index
            _draw_part(canvas, ids, actors[person], instant, index, name)
            continue
        prop = props[index]
        for polygon, colour in zip(prop.polygons, prop.colours, strict=True):
            corners = [polygon[instant]]
            cv2.fillPoly(canvas, corners, colour.tolist(), cv2.LINE_AA, SHIFT)
            if ids is not None:
                cv2.fillPoly(ids, corners, PROP_START + index, cv2.LINE_8, SHIFT)


def _head_boxes(actor: ProjectedActor) -> Floats:
    """Upright boxes (T, 4) x, y, w, h around the face part and the landmarks of the head."""
    spec, figure = load_yaml("body.yaml")[HEAD_BOX], actor.figure
    part = figure.names.index(spec["part"])
    rings = slice(figure.first_ring[part], figure.first_ring[part + 1])
    face = actor.layers[0][:, rings].reshape(len(actor.joints), -1, 2) / float(1 << SHIFT)
    names = load_skeleton().landmark_names
    ends = actor.joints[:, [names.index(name) for name in spec["landmarks"]], :2]
    points = np.concatenate([face, ends], axis=1)
    low, high = points.min(axis=1), points.max(axis=1)
    return np.concatenate([low, high - low], axis=1)


def _backdrop(scene: Scene, warp: Floats) -> Image:
    view = cv2.warpPerspective(
        scene.backdrop.pixels, warp, scene.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(view, dtype=np.uint8)


def _expose(total: NDArray[np.float32], gain: float, noise: NDArray[np.float32], level: float) -> Image:
    """The mean of the subframes, brighter by `gain`, with grey noise of `level` grey levels."""
    grain = cv2.merge([noise, noise, noise])
    image = cv2.addWeighted(total, gain / SUBFRAMES, grain, level, 0.0, dtype=cv2.CV_8U)
    return np.asarray(image, dtype=np.uint8)


def render(scene: Scene, rng: np.random.Generator) -> Sequence:
    """Draw all frames of `scene`; `rng` makes the sensor's noise."""
    width, height = scene.size
    flat, frames = scene.times.ravel(), len(scene.times)
    actors = [project_actor(a, scene.camera, flat, scene.light) for a in scene.actors]
    props = [project_prop(prop, scene.camera, flat) for prop in scene.props]
    warps = scene.camera.homography(scene.backdrop.focal, scene.backdrop.size)
    noise = rng.standard_normal((height + 64, width + 64), dtype=np.float32)
    ids = np.empty((height, width), dtype=np.int32)
    images, keypoints = [], []
    for frame in range(frames):
        total = np.zeros((height, width, 3), dtype=np.float32)
        for instant in range(frame * SUBFRAMES, (frame + 1) * SUBFRAMES):
            canvas = _backdrop(scene, warps[instant])
            ids[:] = 0
            middle = instant % SUBFRAMES == SUBFRAMES // 2
            _draw(canvas, ids if middle else None, actors, props, instant)
            cv2.accumulate(canvas, total)
            if middle:
                keypoints.append(see_joints(actors, ids, instant))
        x, y = rng.integers(64, size=2)
        grain = noise[y : y + height, x : x + width]
        images.append(_expose(total, float(scene.gain[frame]), grain, scene.noise))
    annotated = slice(SUBFRAMES // 2, None, SUBFRAMES)
    return Sequence(
        images=images,
        keypoints=np.stack(keypoints),
        joints_world=np.stack([actor.joints_world[annotated] for actor in actors], axis=1),
        head_boxes=np.stack([_head_boxes(actor)[annotated] for actor in actors], axis=1),
        landmark_names=load_skeleton().landmark_names,
        jpeg_quality=scene.jpeg_quality,
    )


def render_sequence(
    seed: int, index: int, frames: int, people: int, size: tuple[int, int], style: SceneStyle = EVERYDAY
) -> Sequence:
    """Sequence number `index` of the set with this `seed`; the same at every call.

    frames, people: how many.  size: width and height in pixels.  style: easy or hard.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, index)))
    return render(random_scene(rng, frames, people, size, style), rng)
