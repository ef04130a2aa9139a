"""Boxes without anybody in them, to train on: what is no person should look like none to a model.

In an annotation file of PoseTrack18's layout an entry here is somebody's joints with a box somewhere else: none of the
joints is in the crop, so that the loss wants empty heatmaps and no visibility. Boxes stand still for a few frames, as
large as those of the people around, clear of every joint and every person's box in them.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.files import read_json, write_json

Floats = NDArray[np.float64]
FRAMES = 12
"""A box stands still for so long."""
TRIES = 40
MARGIN = 1.3
"""A crop is the box times this at most, at the shape of the crop."""
ASPECT = 0.75
FIRST_TRACK = 100_000
MOST_BOXES = 1000
"""In one frame: room in the ids."""


def write_background(annotations: Path, target: Path, boxes: float) -> int:
    """Boxes on the pictures of one annotation file as another, a sequence of its own; how many entries it holds.

    Args:
        annotations: People of one sequence.
        target: The new file.
        boxes: How many in each stretch of :data:`FRAMES` frames; of a fraction, so many on the average.
    """
    content = read_json(annotations)
    random = np.random.default_rng(zlib.crc32(annotations.stem.encode()))
    people: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in content["annotations"]:
        people[one["image_id"]].append(one)
    entries: list[dict[str, Any]] = []
    images = content["images"]
    for start in range(0, len(images), FRAMES):
        stretch = [image for image in images[start : start + FRAMES] if people[image["id"]]]
        wanted = int(boxes) + (random.random() < boxes % 1)
        for place in _free_boxes(stretch, people, wanted, random):
            track = FIRST_TRACK + len({one["track_id"] for one in entries})
            for image in stretch:
                somebody = people[image["id"]][0]
                entry = {key: value for key, value in somebody.items() if key != "bbox_head"}
                number = len(entries)
                entries.append(entry | {"id": number, "track_id": track, "bbox": [round(v, 2) for v in place]})
    name = target.stem
    own = [image | {"vid_id": name} for image in images]
    if entries:
        write_json(target, {"images": own, "annotations": entries, "categories": content["categories"]})
    return len(entries)


def _free_boxes(
    stretch: list[dict[str, Any]],
    people: dict[int, list[dict[str, Any]]],
    wanted: int,
    random: np.random.Generator,
) -> list[list[float]]:
    """At most ``wanted`` boxes ``x, y, w, h`` that nobody is in during these frames; fewer where all is full."""
    if not stretch:
        return []
    everybody = [one for image in stretch for one in people[image["id"]]]
    taken = np.array([_extent(one) for one in everybody])  # [N, 4]: left, top, right, bottom
    width, height = stretch[0]["width"], stretch[0]["height"]
    found: list[list[float]] = []
    for _ in range(TRIES * wanted):
        if len(found) == wanted:
            break
        model = everybody[random.integers(len(everybody))]["bbox"]
        size = np.array(model[2:]) * random.uniform(0.7, 1.4)
        centre = random.uniform(0, 1, 2) * (width, height)
        if not _overlaps(_crop(centre, size), taken):
            found.append([*(centre - size / 2).tolist(), *size.tolist()])
    return found


def _extent(one: dict[str, Any]) -> list[float]:
    """Left, top, right, bottom of somebody's box and joints."""
    x, y, w, h = one["bbox"]
    joints = np.array(one["keypoints"], float).reshape(-1, 3)
    there = joints[joints[:, 2] > 0, :2]
    low = np.minimum((x, y), there.min(axis=0, initial=np.inf))
    high = np.maximum((x + w, y + h), there.max(axis=0, initial=-np.inf))
    return [*low.tolist(), *high.tolist()]


def _crop(centre: Floats, size: Floats) -> Floats:
    """Left, top, right, bottom of what a crop of the box shows."""
    width = max(size[0], size[1] * ASPECT) * MARGIN
    half = np.array([width, width / ASPECT]) / 2
    return np.concatenate([centre - half, centre + half])


def _overlaps(crop: Floats, taken: Floats) -> bool:
    apart = (crop[0] >= taken[:, 2]) | (crop[2] <= taken[:, 0]) | (crop[1] >= taken[:, 3]) | (crop[3] <= taken[:, 1])
    return bool((~apart).any())
