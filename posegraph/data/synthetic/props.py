"""Things in front of the people: flat boards that face the camera, standing or moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posegraph.data.synthetic.body import Floats
from posegraph.data.synthetic.figure import random_colour


@dataclass(frozen=True)
class Prop:
    """polygons: (n, 2) metres, x right and y up from its foot; colours: BGR.

    place: (3,) metres, where the foot stands at time 0; speed: (3,) metres a second.
    """

    polygons: tuple[Floats, ...]
    colours: tuple[Floats, ...]
    place: Floats
    speed: Floats

    def points(self, time: Floats) -> Floats:
        """World places (T, N, 3) of all corners, one polygon after the other."""
        flat = np.concatenate(self.polygons)
        local = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
        return np.asarray(local[None] + self.place + time[:, None, None] * self.speed)


def _rectangle(left: float, low: float, right: float, high: float) -> Floats:
    return np.array([[left, low], [right, low], [right, high], [left, high]])


def _banded(rng: np.random.Generator, wide: float, tall: float, low: float = 0.0) -> tuple[list[Floats], list[Floats]]:
    base = random_colour(rng)
    polygons, colours = [_rectangle(-wide / 2, low, wide / 2, tall)], [base]
    shade = wide * float(rng.uniform(0.1, 0.3))
    polygons.append(_rectangle(wide / 2 - shade, low, wide / 2, tall))
    colours.append(base * 0.7)
    count = int(rng.integers(0, 5))
    for band in range(count):
        start = low + (tall - low) * (band + 0.3) / count
        polygons.append(_rectangle(-wide / 2, start, wide / 2, start + 0.35 * (tall - low) / count))
        colours.append(base * 0.55 + random_colour(rng) * 0.45)
    return polygons, colours


def _plant(rng: np.random.Generator) -> tuple[list[Floats], list[Floats]]:
    tall = float(rng.uniform(0.8, 2.0))
    polygons, colours = [_rectangle(-0.03, 0.0, 0.03, tall * 0.8)], [np.array([40.0, 60.0, 80.0])]
    for _ in range(int(rng.integers(14, 30))):
        angle, length = rng.uniform(0.0, np.pi * 2.0), rng.uniform(0.1, 0.28)
        start = np.array([rng.normal(0.0, 0.14), tall * rng.uniform(0.3, 0.9)])
        ahead = np.array([np.cos(angle), np.sin(angle)]) * length
        side = np.array([-ahead[1], ahead[0]]) * rng.uniform(0.15, 0.3)
        middle = start + 0.5 * ahead
        polygons.append(np.stack([start, middle + side, start + ahead, middle - side]))
        colours.append(np.array([30.0, 110.0, 50.0]) * rng.uniform(0.5, 1.6))
    return polygons, colours


def random_prop(rng: np.random.Generator, place: Floats, size_limit: float = 1.0) -> Prop:
    """A post, box, board, plant or a moving cart at `place` (3,), metres.

    size_limit shrinks the width of what would hide everything close to the camera.
    """
    kind = str(rng.choice(["post", "box", "board", "plant", "cart"]))
    speed = np.zeros(3)
    if kind == "post":
        polygons, colours = _banded(rng, float(rng.uniform(0.06, 0.24)) * size_limit, 3.5)
    elif kind == "box":
        wide, tall = float(rng.uniform(0.4, 1.1)) * size_limit, float(rng.uniform(0.4, 1.05))
        polygons, colours = _banded(rng, wide, tall)
    elif kind == "board":
        low = float(rng.uniform(0.4, 1.2))
        wide = float(rng.uniform(0.3, 0.8)) * size_limit
        polygons, colours = _banded(rng, wide, low + float(rng.uniform(0.25, 0.6)), low)
        polygons.insert(0, _rectangle(-0.025, 0.0, 0.025, low))
        colours.insert(0, np.array([70.0, 70.0, 74.0]))
    elif kind == "plant":
        polygons, colours = _plant(rng)
    else:
        wide, tall = float(rng.uniform(0.5, 1.2)) * size_limit, float(rng.uniform(0.5, 1.3))
        polygons, colours = _banded(rng, wide, tall, 0.12)
        speed[0] = rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 2.2)
    return Prop(tuple(polygons), tuple(colours), place, speed)


def passing_prop(rng: np.random.Generator, place: Floats, speed: float) -> Prop:
    """A post, sign or trolley that moves sideways at `speed` metres a second past `place` (3,), metres."""
    kind = str(rng.choice(["post", "sign", "trolley"]))
    if kind == "post":
        polygons, colours = _banded(rng, float(rng.uniform(0.1, 0.25)), 2.6)
    elif kind == "sign":
        low = float(rng.uniform(0.2, 1.3))
        polygons, colours = _banded(rng, float(rng.uniform(0.2, 0.45)), low + float(rng.uniform(0.3, 0.8)), low)
    else:
        polygons, colours = _banded(rng, float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.5, 1.1)), 0.08)
    return Prop(tuple(polygons), tuple(colours), place, np.array([speed, 0.0, 0.0]))
