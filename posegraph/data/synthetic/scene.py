"""A scene: who is where, what stands in front, the camera, the light."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posegraph.data.synthetic.backdrop import Backdrop, random_backdrop
from posegraph.data.synthetic.body import Body, Floats, Pose, random_body
from posegraph.data.synthetic.camera import Camera, random_camera
from posegraph.data.synthetic.figure import Figure, random_figure
from posegraph.data.synthetic.motion import Motion, random_motion, random_wander
from posegraph.data.synthetic.props import Prop, passing_prop, random_prop
from posegraph.data.synthetic.style import EVERYDAY, SceneStyle

SUBFRAMES = 5  # instants averaged into one exposure
NEAREST = 1.9  # metres that nobody comes closer to the camera than


@dataclass(frozen=True)
class Actor:
    """A person of the scene; offset (3,) metres moves its path to where it belongs."""

    body: Body
    figure: Figure
    motion: Motion
    offset: Floats

    def pose(self, time: Floats) -> Pose:
        """The bones at the times (T,), seconds, in the world."""
        pose = self.motion.pose(time)
        return replace(pose, origin=pose.origin + self.offset)


@dataclass(frozen=True)
class Scene:
    """All of a clip but its pixels.

    times: (F, SUBFRAMES) seconds, the middle column is the instant of the annotation.
    camera: at times.ravel().  light: (3,) unit vector towards the light.  gain: (F,) exposure.
    noise: grey levels.  jpeg_quality: 1..100.
    """

    times: Floats
    size: tuple[int, int]
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...]
    camera: Camera
    backdrop: Backdrop
    light: Floats
    gain: Floats
    noise: float
    jpeg_quality: int


def _ground_place(angle: float, depth: float) -> Floats:
    return np.array([np.tan(angle) * depth, 0.0, -depth])


def _polar(place: Floats) -> tuple[float, float]:
    """Angle to the right of the unturned camera in radians, and depth in metres."""
    return float(np.arctan2(place[0], -place[2])), float(-place[2])


def _put(actor: Actor, seconds: float, when: float, place: Floats) -> Actor:
    """Move the actor's path so that it goes through `place` at `when` and stays in front."""
    path = actor.motion.pose(np.linspace(0.0, seconds, 24)).origin[:, 0]
    offset = place - actor.motion.pose(np.array([when])).origin[0, 0]
    offset[1] = 0.0
    offset[2] -= max(0.0, float((path[:, 2] + offset[2]).max()) + NEAREST)
    return replace(actor, offset=offset)


def _standing_depth(rng: np.random.Generator, actor: Actor, focal: float, tall: int) -> float:
    """The depth at which the actor fills a random share of the image height."""
    share = rng.uniform(0.38, 0.9) if rng.uniform() < 0.8 else rng.uniform(0.22, 0.4)
    return max(NEAREST, focal * actor.body.stature / (float(share) * tall))


def _place_others(
    rng: np.random.Generator, actors: list[Actor], camera: Camera, times: Floats, crossing: float
) -> list[Actor]:
    """Put everyone but the first actor into view; a share `crossing` of them so that two cross."""
    seconds, placed = float(times[-1]), actors[:1]
    half_view = float(np.arctan(camera.size[0] / 2.0 / camera.focal[0]))
    slots = rng.permutation(len(actors))[1:]
    for actor, slot in zip(actors[1:], slots, strict=True):
        when = float(rng.uniform(0.15, 0.85)) * seconds
        yaw = float(np.interp(when, times, camera.yaw))
        depth = _standing_depth(rng, actor, float(camera.focal[0]), camera.size[1])
        across = (float(slot) + float(rng.uniform())) / len(actors)
        angle = yaw + (1.8 * across - 0.9) * half_view
        if rng.uniform() < crossing:
            other = placed[int(rng.integers(len(placed)))]
            angle, near = _polar(other.pose(np.array([when])).origin[0, 0])
            angle += float(rng.normal(0.0, 0.05))
            depth = near * float(rng.choice([rng.uniform(0.65, 0.85), rng.uniform(1.15, 1.6)]))
        placed.append(_put(actor, seconds, when, _ground_place(angle, max(NEAREST, depth))))
    return placed


def _random_props(rng: np.random.Generator, actors: list[Actor], seconds: float, standing: int) -> tuple[Prop, ...]:
    """Objects between the camera and where somebody passes."""
    props = []
    for _ in range(int(rng.integers(0, 1 + standing + len(actors) // 3))):
        actor = actors[int(rng.integers(len(actors)))]
        when = float(rng.uniform(0.0, seconds))
        angle, depth = _polar(actor.pose(np.array([when])).origin[0, 0])
        near = max(1.2, depth * float(rng.uniform(0.6, 0.9)))
        prop = random_prop(rng, _ground_place(angle, near), min(1.0, near / 3.5))
        props.append(replace(prop, place=prop.place - prop.speed * when))
    return tuple(props)


def _passing_props(rng: np.random.Generator, actors: list[Actor], seconds: float, style: SceneStyle) -> list[Prop]:
    """Narrow objects that cross in front of each actor within the clip."""
    props = []
    for actor in actors:
        for _ in range(int(rng.integers(style.passing[0], style.passing[1] + 1))):
            when = float(rng.uniform(0.0, seconds))
            angle, depth = _polar(actor.pose(np.array([when])).origin[0, 0])
            near = max(1.2, depth * float(rng.uniform(0.65, 0.92)))
            speed = float(rng.choice([-1.0, 1.0]) * rng.uniform(*style.passing_speed))
            prop = passing_prop(rng, _ground_place(angle, near), speed)
            props.append(replace(prop, place=prop.place - prop.speed * when))
    return props


def _random_times(rng: np.random.Generator, frames: int, style: SceneStyle) -> Floats:
    """(F, SUBFRAMES) seconds; the shutter is open a part of the time between two frames."""
    step = 1.0 / float(rng.uniform(*style.frame_rate))
    shutter = step * float(rng.uniform(*style.shutter))
    spread = (np.arange(SUBFRAMES) - SUBFRAMES // 2) / SUBFRAMES
    return np.asarray(np.arange(frames)[:, None] * step + spread * shutter)


def random_scene(
    rng: np.random.Generator, frames: int, people: int, size: tuple[int, int], style: SceneStyle = EVERYDAY
) -> Scene:
    """A random clip of `frames` images of `size` (width, height) with `people` persons."""
    times = _random_times(rng, frames, style)
    flat, seconds = times.ravel(), float(times[-1, -1]) + 0.1
    actors = []
    for _ in range(people):
        body = random_body(rng)
        figure = random_figure(rng, body)
        actors.append(Actor(body, figure, random_motion(rng, body, seconds), np.zeros(3)))
    guess = 1.15 * size[1]
    first = _ground_place(float(rng.uniform(-0.25, 0.25)), _standing_depth(rng, actors[0], guess, size[1]))
    actors[0] = _put(actors[0], seconds, seconds / 2.0, first)
    path = actors[0].pose(flat).origin[:, 0]
    eager = float(rng.choice([0.0, 0.8]))
    camera = random_camera(rng, flat, size, eager * np.arctan2(path[:, 0], -path[:, 2]))
    actors = _place_others(rng, actors, camera, flat, style.crossing)
    focal = float(camera.focal[0])
    light = np.array([rng.normal(0.0, 0.7), rng.uniform(0.4, 1.0), rng.normal(0.4, 0.4)])
    dim = float(rng.uniform(0.0, 0.35))
    gain = random_wander(rng, seconds, 1.2, np.array(1.0 - dim), np.array(1.0 + 0.5 * dim))
    return Scene(
        times=times,
        size=size,
        actors=tuple(actors),
        props=(*_random_props(rng, actors, seconds, style.standing), *_passing_props(rng, actors, seconds, style)),
        camera=camera,
        backdrop=random_backdrop(rng, size, focal, float(camera.position[1])),
        light=light / np.linalg.norm(light),
        gain=gain(times[:, SUBFRAMES // 2]) * float(rng.uniform(0.75, 1.1)),
        noise=0.5 + 5.0 * float(rng.uniform()) ** 2,
        jpeg_quality=int(rng.integers(55, 96)),
    )
