"""``images`` of the PoseTrack18, PoseTrack21 and COCO layouts.

Letters: I images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.columns import column, is_missing, whole_numbers
from posegraph.data.formats.entries import SharedFields, differences, plain_numbers, unread
from posegraph.data.formats.sequences import FRAME_FIELDS
from posegraph.data.formats.tables import ImageTable
from posegraph.data.json_checks import Fault, Found, numbers
from posegraph.data.tracks import ABSENT, Fields, movie_frame

IMAGE_FIELDS = frozenset({"id", "file_name", "width", "height", "is_labeled", "ignore_regions_x", "ignore_regions_y"})
"""What is read of an image; a video's name and a frame's number are looked at, and kept among the other fields."""

MOVIES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


def read_images(entries: list[dict[str, Any]], fault: Fault) -> ImageTable:
    """Check and convert ``images``.

    Raises:
        PoseGraphError: a field that the layout does not allow, or an id used twice.
    """
    extra = unread(entries, IMAGE_FIELDS)
    for key in ("id", "file_name"):
        for row, value in enumerate(column(entries, key)):
            if value is ABSENT:
                fault(f"images[{row}].{key}", Found("nothing"), "a value", "every image needs an id and a file_name")
    ids, given = whole_numbers(column(entries, "id"), lambda row: f"images[{row}].id", fault)
    if not given.all():
        fault(f"images[{int(np.argmin(given))}].id", None, "a whole number", "write the id as a number")
    _unique(ids, fault)
    files = [_file(entry, extra[row], f"images[{row}]", fault) for row, entry in enumerate(entries)]
    image_hw = _sizes(entries, fault)
    labeled = _labeled(entries, fault)
    regions = [_ignore_regions(entry, f"images[{row}]", fault) for row, entry in enumerate(entries)]
    shared = SharedFields()
    written = map(image_fields, files, ids.tolist(), image_hw.tolist(), labeled.tolist(), regions)
    verbatim = [
        shared(differences(entry, fields, IMAGE_FIELDS)) for entry, fields in zip(entries, written, strict=True)
    ]
    return ImageTable(files, ids, image_hw, labeled, regions, extra, verbatim)


def image_fields(
    file: str, image_id: int, image_hw: list[int], labeled: bool, regions: tuple[NDArray[np.float64], ...]
) -> dict[str, Any]:
    """An entry of ``images`` as it is written."""
    movie = movie_frame(file)
    fields: dict[str, Any] = {"id": image_id, "file_name": file if movie is None else movie[0], "is_labeled": labeled}
    height, width = image_hw
    if height and width:
        fields |= {"height": height, "width": width}
    if regions:
        for axis, name in enumerate(("ignore_regions_x", "ignore_regions_y")):
            fields[name] = [plain_numbers(region[:, axis].tolist()) for region in regions]
    return fields


def _unique(ids: NDArray[np.int64], fault: Fault) -> None:
    if len(np.unique(ids)) == len(ids):
        return
    seen: dict[int, int] = {}
    for row, image_id in enumerate(ids.tolist()):
        if image_id in seen:
            fault(f"images[{row}].id", Found(f"{image_id}, the id of images[{seen[image_id]}] too"),
                  "ids that differ", "give every image an id of its own")  # fmt: skip
        seen[image_id] = row


def _file(entry: dict[str, Any], fields: Fields, field: str, fault: Fault) -> str:
    """The image's name; a frame of a movie is named ``movie.mp4#12``."""
    name = entry["file_name"]
    if not isinstance(name, str) or not name:
        fault(f"{field}.file_name", name, "the name of an image file", "write it as a text")
    if not name.lower().endswith(MOVIES):
        return name
    numbers_given = {key: fields[key] for key in FRAME_FIELDS if fields.get(key) is not None}
    for key, number in numbers_given.items():
        if type(number) is not int or not 0 <= number < 10**18:
            fault(f"{field}.{key}", number, "the number of a frame in the movie", "count frames from 0")
        return f"{name}#{number}"
    fault(f"{field}.frame_idx", Found("nothing"), f"the number of the frame in {name}", "count frames from 0")


def _sizes(entries: list[dict[str, Any]], fault: Fault) -> NDArray[np.int64]:
    sides = [
        whole_numbers(column(entries, key), lambda row, key=key: f"images[{row}].{key}", fault)[0]  # type: ignore[misc]
        for key in ("height", "width")
    ]
    return np.maximum(np.stack(sides, axis=1), 0)


def _labeled(entries: list[dict[str, Any]], fault: Fault) -> NDArray[np.bool_]:
    values = column(entries, "is_labeled")
    for row, value in enumerate(values):
        if not isinstance(value, (bool, int)) and value is not ABSENT and value is not None:
            fault(f"images[{row}].is_labeled", value, "true or false", "write true where the frame is annotated")
    return np.array([value is ABSENT or value is None or bool(value) for value in values], dtype=np.bool_)


def _ignore_regions(entry: dict[str, Any], field: str, fault: Fault) -> tuple[NDArray[np.float64], ...]:
    if all(is_missing(entry.get(f"ignore_regions_{axis}")) for axis in "xy"):
        return ()
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
