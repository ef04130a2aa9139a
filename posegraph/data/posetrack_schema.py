"""The PoseTrack18 / COCO keypoint layout, checked: every fault is one line with file, field, found, expected and cure.

Letters: K keypoints that the file names (or the skeleton's joints where it names none).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.json_checks import Fault, Found, numbers, whole_number
from posegraph.files import read_json

_IMAGE_FIELDS = {"id", "file_name", "width", "height", "is_labeled", "ignore_regions_x", "ignore_regions_y"}
_PERSON_FIELDS = {"image_id", "track_id", "keypoints", "scores", "score", "bbox", "bbox_head"}


@dataclass(frozen=True, eq=False)
class ImageRow:
    """One entry of ``images``; ``image_hw`` is 0 where unknown, ``extra`` holds the fields not read."""

    field: str
    image_id: int
    file_name: str
    image_hw: tuple[int, int]
    labeled: bool
    ignore_regions: tuple[NDArray[np.float64], ...]
    video_id: str | None
    extra: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PersonRow:
    """One entry of ``annotations``: ``keypoints [K, 3]``, ``scores [K]``; NaN where the file has no number."""

    field: str
    image_id: int
    track_id: int | None
    keypoints: NDArray[np.float64] | None
    scores: NDArray[np.float64] | None
    score: float
    box_xywh: NDArray[np.float64] | None
    head_box_xywh: NDArray[np.float64] | None
    extra: dict[str, Any]


@dataclass(frozen=True, eq=False)
class AnnotationFile:
    """The checked content of one file. ``other_category`` counts annotations of things without keypoints."""

    path: Path
    keypoint_names: tuple[str, ...] | None
    images: list[ImageRow]
    people: list[PersonRow]
    other_category: int


def parse_file(path: Path) -> AnnotationFile:
    """Read and check one file.

    Raises:
        PoseGraphError: the file cannot be read, or holds anything that the layout does not allow.
    """
    fault = Fault(path)
    content = read_json(path)
    if isinstance(content, dict) and "annolist" in content:
        fault("annolist", Found("the PoseTrack17 layout"), "images, annotations and categories (PoseTrack18)",
              "convert it with poseval's convert.py")  # fmt: skip
    if not isinstance(content, dict):
        fault("top level", content, "an object with images, annotations and categories",
              "give an annotation file (a list is how COCO stores detections)")  # fmt: skip
    images = [_image(entry, f"images[{row}]", fault) for row, entry in enumerate(_top_list(content, "images", fault))]
    _ids_are_unique(images, fault)
    names, category = _category(content.get("categories"), fault)
    known = {image.image_id for image in images}
    people: list[PersonRow] = []
    other = 0
    for row, entry in enumerate(_top_list(content, "annotations", fault)):
        person_of = entry.get("category_id") if isinstance(entry, dict) else None
        if category is not None and person_of is not None and person_of != category:
            other += 1
            continue
        people.append(_person(entry, f"annotations[{row}]", known, fault))
    return AnnotationFile(path, names, images, people, other)


def _top_list(content: dict[str, Any], key: str, fault: Fault) -> list[Any]:
    if key not in content:
        found = ", ".join(sorted(content)[:8]) or "no key at all"
        fault(key, Found(f"no such key (keys: {found})"), "a list", "give a PoseTrack18 or COCO annotation file")
    if not isinstance(content[key], list):
        fault(key, content[key], "a list", "give a PoseTrack18 or COCO annotation file")
    entries: list[Any] = content[key]
    return entries


def _category(categories: Any, fault: Fault) -> tuple[tuple[str, ...] | None, Any]:
    """Names of the keypoints and id of the category that has them: the first category with keypoints."""
    if categories is None:
        return None, None
    if not isinstance(categories, list) or not all(isinstance(entry, dict) for entry in categories):
        fault("categories", categories, "a list of objects", "copy the categories of the data set's own file")
    for row, entry in enumerate(categories):
        names = entry.get("keypoints")
        if not names:
            continue
        field = f"categories[{row}].keypoints"
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            fault(field, names, "a list of joint names", "write one text for each joint")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            fault(field, Found(f"{', '.join(twice)} more than once"), "different names", "name every joint once")
        return tuple(names), entry.get("id")
    return None, None


def _entry(value: Any, field: str, fault: Fault) -> dict[str, Any]:
    if not isinstance(value, dict):
        fault(field, value, "an object", "remove the entry or export the file again")
    return value


def _image(value: Any, field: str, fault: Fault) -> ImageRow:
    entry = _entry(value, field, fault)
    for key in ("id", "file_name"):
        if key not in entry:
            fault(f"{field}.{key}", Found("nothing"), "a value", "every image needs an id and a file_name")
    if not isinstance(entry["file_name"], str) or not entry["file_name"]:
        fault(f"{field}.file_name", entry["file_name"], "the name of an image file", "write it as a text")
    size = [entry.get(key) for key in ("height", "width")]
    hw = [whole_number(item, f"{field}.height/width", fault) if item is not None else 0 for item in size]
    video = entry.get("vid_id")
    if video is not None and (isinstance(video, bool) or not isinstance(video, (str, int))):
        fault(f"{field}.vid_id", video, "a text or a number", "write the video's name")
    labeled = entry.get("is_labeled")
    if labeled is not None and not isinstance(labeled, (bool, int)):
        fault(f"{field}.is_labeled", labeled, "true or false", "write true where the frame is annotated")
    return ImageRow(
        field=field,
        image_id=whole_number(entry["id"], f"{field}.id", fault),
        file_name=entry["file_name"],
        image_hw=(max(hw[0], 0), max(hw[1], 0)),
        labeled=labeled is None or bool(labeled),
        ignore_regions=_ignore_regions(entry, field, fault),
        video_id=None if video is None else str(video),
        extra={key: item for key, item in entry.items() if key not in _IMAGE_FIELDS},
    )


def _ignore_regions(entry: dict[str, Any], field: str, fault: Fault) -> tuple[NDArray[np.float64], ...]:
    sides = []
    for axis in ("x", "y"):
        name = f"{field}.ignore_regions_{axis}"
        polygons = entry.get(f"ignore_regions_{axis}")
        polygons = [] if polygons is None else polygons
        cure = "write one list of numbers for each polygon"
        if not isinstance(polygons, list):
            fault(name, polygons, "a list of polygons", cure)
        sides.append([numbers(side, None, f"{name}[{row}]", fault, cure) for row, side in enumerate(polygons)])
    xs, ys = sides
    lengths_x, lengths_y = [len(side) for side in xs], [len(side) for side in ys]
    if lengths_x != lengths_y:
        fault(f"{field}.ignore_regions_y", Found(f"polygons of {lengths_y} points"),
              f"{lengths_x} as in ignore_regions_x", "give every corner both an x and a y")  # fmt: skip
    for row, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            fault(f"{field}.ignore_regions_x[{row}]", Found("NaN or infinity (in x or y)"), "finite numbers",
                  "remove the polygon or the corner")  # fmt: skip
    return tuple(np.stack([x, y], axis=1) for x, y in zip(xs, ys, strict=True))


def _ids_are_unique(images: list[ImageRow], fault: Fault) -> None:
    seen: dict[int, str] = {}
    for image in images:
        if image.image_id in seen:
            fault(f"{image.field}.id", Found(f"{image.image_id}, the id of {seen[image.image_id]} too"),
                  "ids that differ", "give every image an id of its own")  # fmt: skip
        seen[image.image_id] = image.field


def _person(value: Any, field: str, known: set[int], fault: Fault) -> PersonRow:
    entry = _entry(value, field, fault)
    if "image_id" not in entry:
        fault(f"{field}.image_id", Found("nothing"), "the id of an image", "say in which image the person is")
    image_id = whole_number(entry["image_id"], f"{field}.image_id", fault)
    if image_id not in known:
        fault(f"{field}.image_id", image_id, "an id listed in images", "add the image or remove the annotation")

    def optional(key: str, count: int | None, cure: str) -> NDArray[np.float64] | None:
        given = entry.get(key)
        return None if given is None or given == [] else numbers(given, count, f"{field}.{key}", fault, cure)

    score = entry.get("score")
    track_id = entry.get("track_id")
    return PersonRow(
        field=field,
        image_id=image_id,
        track_id=None if track_id is None else whole_number(track_id, f"{field}.track_id", fault),
        keypoints=optional("keypoints", None, "write x, y, v for every joint"),
        scores=optional("scores", None, "write one score for every joint"),
        score=float(numbers([score], 1, f"{field}.score", fault, "write one number")[0]),
        box_xywh=optional("bbox", 4, "write x, y, width, height"),
        head_box_xywh=optional("bbox_head", 4, "write x, y, width, height"),
        extra={key: item for key, item in entry.items() if key not in _PERSON_FIELDS},
    )
