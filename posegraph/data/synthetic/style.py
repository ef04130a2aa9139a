"""What kind of clips are drawn: the numbers of a scene that make video easy or hard."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneStyle:
    """Pairs are the lowest and the highest of a random number.

    frame_rate: images a second.  shutter: part of the time between two images that the shutter is open.
    crossing: share of the people who are made to pass in front of or behind another one.
    standing: objects that stand or roll between people and camera, at most, beside one for every third person.
    passing: narrow objects that cross in front of each person, on top of the few that stand anywhere.
    passing_speed: theirs, metres a second.
    """

    frame_rate: tuple[float, float] = (11.0, 15.0)
    shutter: tuple[float, float] = (0.2, 0.6)
    crossing: float = 0.1
    standing: int = 1
    passing: tuple[int, int] = (0, 0)
    passing_speed: tuple[float, float] = (0.0, 0.0)


EVERYDAY = SceneStyle()
OCCLUSION = SceneStyle(
    frame_rate=(12.0, 18.0), shutter=(0.3, 0.8), crossing=0.4, standing=0, passing=(3, 6), passing_speed=(3.0, 7.0)
)
"""Most people are half hidden for a frame or two, again and again; limbs and whatever passes are smeared."""
