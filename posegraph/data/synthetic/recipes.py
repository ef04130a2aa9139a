"""Benchmark sets that are drawn, not downloaded: fixed, versioned, seeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from posegraph.data.synthetic.style import OCCLUSION, SceneStyle


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a set.

    name: with its version: another set has another name.  splits: name -> clips, in this order.
    frames, people: images per clip, persons per clip.  size: width and height in pixels.
    """

    name: str
    seed: int
    frames: int
    people: int
    size: tuple[int, int]
    style: SceneStyle
    splits: Mapping[str, int] = field(default_factory=dict)


SYNTH_OCCLUSION = Recipe(
    name="synth-occlusion-v1",
    seed=20261122,
    frames=12,
    people=2,
    size=(320, 240),
    style=OCCLUSION,
    splits={"train": 900, "val": 60, "test": 120},
)
