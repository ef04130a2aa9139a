"""What a person looks like: solids made of rings of points, and marks painted on them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

import numpy as np

from posegraph.data.synthetic.body import (
    Body,
    Floats,
    Ints,
    load_yaml,
    sides_of,
)

COLUMNS = 10  # points on a ring


@dataclass(frozen=True)
class Solid:
    """One convex part.  rings: (R, 4) axis place, half width, half depth, shift; bone fractions."""

    name: str
    bone: int
    side: int
    along_z: bool
    rings: Floats
    nearer: float
    wear: str

    def surface(self, along: Floats, angle: Floats) -> Floats:
        """Places (..., 3) on the surface; along 0..1 over the rings, angle radians, 0 the front."""
        place = along * (len(self.rings) - 1)
        known = np.arange(len(self.rings))
        axis, width, depth, shift = (np.interp(place, known, self.rings[:, i]) for i in range(4))
        across, ahead = width * np.sin(angle), shift + depth * np.cos(angle)
        order = (across, ahead, axis) if self.along_z else (across, axis, ahead)
        return np.stack(order, axis=-1)


@dataclass(frozen=True)
class Figure:
    """The drawable surface of one individual.

    solids: P parts of R_p rings of COLUMNS points; ring_bone, ring_points: (R, ), (R, COLUMNS, 3)
    metres in the bone's frame for all parts one after the other; first_ring: (P + 1,).
    mark_bone, mark_points, mark_normal, mark_colour, mark_part: M painted polygons of 8 points,
    (M,), (M, 8, 3), (M, 3), (M, 3) BGR, (M,) index of the part, sorted by part.
    colour: (P, 3) BGR 0..255.  nearer: (P,) metres.
    """

    names: tuple[str, ...]
    colour: Floats
    nearer: Floats
    part_bone: Ints
    first_ring: Ints
    ring_bone: Ints
    ring_points: Floats
    mark_part: Ints
    mark_bone: Ints
    mark_points: Floats
    mark_normal: Floats
    mark_colour: Floats


def _limb_rings(limb: list[float]) -> list[list[float]]:
    length, start, middle, end = limb
    return [
        [0.6 * start, 0.65 * start, 0.65 * start, 0.0],
        [0.0, start, start, 0.0],
        [-0.5 * length, middle, middle, 0.0],
        [-length, end, end, 0.0],
        [-length - 0.6 * end, 0.65 * end, 0.65 * end, 0.0],
    ]


def _solids(rng: np.random.Generator, body: Body) -> list[Solid]:
    solids = []
    for kind, entry in load_yaml("body.yaml")["parts"].items():
        if rng.uniform() > entry.get("chance", 1.0):
            continue
        rings = entry["rings"] if "rings" in entry else _limb_rings(entry["limb"])
        for prefix, side in sides_of(entry):
            solids.append(
                Solid(
                    name=prefix + kind,
                    bone=body.skeleton.names.index(prefix + entry["bone"]),
                    side=side,
                    along_z=entry.get("axis") == "z",
                    rings=np.array(rings, dtype=float),
                    nearer=float(entry.get("nearer", 0.0)),
                    wear=entry["wear"],
                )
            )
    return solids


def random_colour(rng: np.random.Generator) -> Floats:
    """A cloth colour (3,) BGR: greys, dark and vivid ones."""
    vivid = rng.uniform() < 0.6
    red, green, blue = colorsys.hsv_to_rgb(
        float(rng.uniform()),
        float(rng.uniform(0.4, 0.95) if vivid else rng.uniform(0.0, 0.35)),
        float(rng.uniform(0.2, 0.95)),
    )
    return 255.0 * np.array([blue, green, red])


def _palette(rng: np.random.Generator) -> dict[str, Floats]:
    data = load_yaml("body.yaml")
    palette = {name: random_colour(rng) for name in ("top", "bottom", "shoe", "bag", "belt")}
    palette["accent"] = _contrasting(rng, palette["top"])
    for name in ("skin", "hair"):
        palette[name] = np.array(data[f"{name}_bgr"], dtype=float)[
            rng.integers(len(data[f"{name}_bgr"]))
        ] * rng.uniform(0.88, 1.08)
    chosen: dict[str, str] = {}
    for name, options in data["wear"].items():
        chosen[name] = str(rng.choice(list(options), p=list(options.values())))
    for lower, upper in data["follows"]:
        if chosen[upper] == "skin":
            chosen[lower] = "skin"
    palette |= {name: palette[colour] for name, colour in chosen.items()}
    return palette


def _contrasting(rng: np.random.Generator, colour: Floats) -> Floats:
    options = [random_colour(rng) for _ in range(6)]
    return max(options, key=lambda option: float(np.abs(option - colour).sum()))


def _polygon(solid: Solid, along: tuple[float, float], angle: tuple[float, float]) -> Floats:
    """The 8 points (8, 3) of a patch, anticlockwise seen from outside."""
    turn = np.linspace(angle[0], angle[1], 4)
    turns = np.concatenate([turn, turn[::-1]])
    places = np.repeat([along[0], along[1]], 4)
    points = solid.surface(places, turns)
    normal = _normal(points)
    middle = solid.surface(np.full(8, np.mean(along)), np.linspace(0.0, 1.75 * np.pi, 8)).mean(0)
    return points if normal @ (points.mean(axis=0) - middle) > 0.0 else points[::-1].copy()


def _normal(points: Floats) -> Floats:
    middle = points - points.mean(axis=0)
    normal = np.cross(middle, np.roll(middle, -1, axis=0)).sum(axis=0)
    return np.asarray(normal / (np.linalg.norm(normal) + 1e-12))


Mark = tuple[int, Floats, Floats]  # part, polygon (8, 3), colour (3,)


def _pattern(rng: np.random.Generator, part: int, solid: Solid, kind: str, base: Floats, second: Floats) -> list[Mark]:
    """Cloth: bands, columns, checks or blotches over the whole part."""
    rows = 3 if len(solid.rings) == 5 and not solid.along_z else 6
    cells = []
    for row in range(rows):
        for column in range(8):
            odd = {"bands": row % 2, "columns": column % 2, "checks": (row + column) % 2}
            if odd[kind] if kind in odd else rng.uniform() < 0.35:
                cells.append((row, column))
    marks = []
    for row, column in cells:
        along = (0.08 + 0.84 * row / rows, 0.08 + 0.84 * (row + 1) / rows)
        angle = (column * np.pi / 4, (column + 1) * np.pi / 4)
        colour = second if kind != "blotches" else base + (second - base) * rng.uniform(0.2, 1.0)
        marks.append((part, _polygon(solid, along, angle), colour))
    return marks


def _yaml_marks(rng: np.random.Generator, solids: list[Solid], palette: dict[str, Floats]) -> list[Mark]:
    index = {solid.name: i for i, solid in enumerate(solids)}
    marks: list[Mark] = []
    for entry in load_yaml("body.yaml")["marks"]:
        if rng.uniform() > entry.get("chance", 1.0):
            continue
        if entry.get("needs", entry["part"]) not in index and not entry.get("sided"):
            continue
        for prefix, _ in sides_of(entry):
            part = index[prefix + entry["part"]]
            along = (entry["along"][0], entry["along"][1])
            for sign in (1.0, -1.0) if entry.get("mirrored") else (1.0,):
                low, high = np.radians(entry["angle"]) * sign
                polygon = _polygon(solids[part], along, (low, high))
                marks.append((part, polygon, _mark_colour(entry, solids[part], palette)))
    return marks


def _mark_colour(entry: dict[str, Any], solid: Solid, palette: dict[str, Floats]) -> Floats:
    if "wear" in entry:
        return palette[entry["wear"]]
    if "tone" in entry:
        return np.asarray(palette[solid.wear] * entry["tone"])
    return np.array(entry["colour"], dtype=float)


def random_figure(rng: np.random.Generator, body: Body) -> Figure:
    """A random outfit for `body`."""
    solids = _solids(rng, body)
    palette = _palette(rng)
    marks: list[Mark] = []
    for cloth, share in load_yaml("body.yaml")["patterned"].items():
        if rng.uniform() > share:
            continue
        kind = str(rng.choice(["bands", "columns", "checks", "blotches"]))
        second = palette[cloth] * 0.6 + _contrasting(rng, palette[cloth]) * 0.4
        for part, solid in enumerate(solids):
            if palette[solid.wear] is palette[cloth]:
                marks += _pattern(rng, part, solid, kind, palette[cloth], second)
    marks += _yaml_marks(rng, solids, palette)
    marks.sort(key=lambda mark: mark[0])
    return _assemble(body, solids, palette, marks)


def _assemble(body: Body, solids: list[Solid], palette: dict[str, Floats], marks: list[Mark]) -> Figure:
    angle = np.arange(COLUMNS) * 2.0 * np.pi / COLUMNS
    rings, ring_bone, first = [], [], [0]
    for solid in solids:
        count = len(solid.rings)
        along = np.repeat(np.linspace(0.0, 1.0, count), COLUMNS)
        points = solid.surface(along, np.tile(angle, count)).reshape(count, COLUMNS, 3)
        rings.append(points * body.scale[solid.bone])
        ring_bone += [solid.bone] * count
        first.append(first[-1] + count)
    part = np.array([mark[0] for mark in marks])
    part_bone = np.array([solid.bone for solid in solids])
    polygons = np.stack([mark[1] for mark in marks]) * body.scale[part_bone[part], None, :]
    return Figure(
        names=tuple(solid.name for solid in solids),
        colour=np.stack([palette[solid.wear] for solid in solids]),
        nearer=np.array([solid.nearer for solid in solids]),
        part_bone=part_bone,
        first_ring=np.array(first),
        ring_bone=np.array(ring_bone),
        ring_points=np.concatenate(rings),
        mark_part=part,
        mark_bone=part_bone[part],
        mark_points=polygons,
        mark_normal=np.stack([_normal(polygon) for polygon in polygons]),
        mark_colour=np.stack([mark[2] for mark in marks]),
    )
