"""Which images of a file make up a video, and in which order.

Letters: I images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import Fields, movie_frame

VIDEO_FIELDS = ("vid_id", "video_id")
"""Fields of an image that say which video it is from: PoseTrack's and COCO's."""

FRAME_FIELDS = ("frame_idx", "frame_index", "frame_id", "frame")
"""Fields of an image that say which frame of its video it is."""

_NUMBERS = re.compile(r"\d+")


def frame_number(file: str) -> int | None:
    """The last number in an image's name, or its number in a movie; None where there is none."""
    frame = movie_frame(file)
    if frame is not None:
        return frame[1]
    name = file.rpartition("/")[2]
    found = _NUMBERS.findall(name.rpartition(".")[0] or name)
    return int(found[-1][-18:]) if found else None


def in_time_order(rows: list[int], files: Sequence[str], extra: Sequence[Fields]) -> list[int]:
    """``rows`` by the number in the file name, else by the number in a field, else as listed."""
    if _order(numbers := [frame_number(files[row]) for row in rows]):
        return _sorted_by(numbers, rows)
    for key in FRAME_FIELDS:
        if _order(numbers := [extra[row].get(key) for row in rows]):
            return _sorted_by(numbers, rows)
    return rows


def _order(numbers: list[Any]) -> bool:
    """Whether the numbers tell all rows apart."""
    return set(map(type, numbers)) <= {int} and len(set(numbers)) == len(numbers)


def _sorted_by(numbers: list[Any], rows: list[int]) -> list[int]:
    return [row for _, row in sorted(zip(numbers, rows, strict=True))]


def by_video(name: str, files: list[str], extra: list[Fields], known_videos: Any, fault: Fault) -> dict[str, list[int]]:
    """Video name -> rows of its images in time order.

    Images are grouped by the first of ``VIDEO_FIELDS`` that they have, else by the movie that they are frames of. A
    file of one group is one video, ``name``. Several are named after the entry of ``known_videos`` (COCO's
    ``videos``), else after their movie or image folder, else by their id.

    Raises:
        PoseGraphError: some images have a video and others none.
    """
    groups: dict[str | None, list[int]] = {}
    for row, key in enumerate(_video_keys(files, extra, fault)):
        groups.setdefault(key, []).append(row)
    if len(groups) <= 1:
        return {name: in_time_order(list(range(len(files))), files, extra)}
    if None in groups:
        fault(f"images[{groups[None][0]}].vid_id", Found("nothing"), "a video's name as in the other images",
              "give every image a vid_id, or none")  # fmt: skip
    names = _listed_names(groups, known_videos) or _place_names(groups, files) or [str(key) for key in groups]
    return {name: in_time_order(rows, files, extra) for name, rows in zip(names, groups.values(), strict=True)}


def _video_keys(files: list[str], extra: list[Fields], fault: Fault) -> list[str | None]:
    keys: list[str | None] = []
    for row, (file, fields) in enumerate(zip(files, extra, strict=True)):
        field = next((field for field in VIDEO_FIELDS if fields.get(field) is not None), None)
        if field is None:
            movie = movie_frame(file)
            keys.append(None if movie is None else movie[0])
            continue
        value = fields[field]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            fault(f"images[{row}].{field}", value, "a text or a number", "write the video's name")
        keys.append(str(value))
    return keys


def _listed_names(groups: dict[str | None, list[int]], known_videos: Any) -> list[str] | None:
    """Names from ``[{"id": 3, "name": "street"}, ...]``, where each group has one of its own."""
    names: dict[str, str] = {}
    for video in known_videos if isinstance(known_videos, list) else ():
        if isinstance(video, dict):
            name = video.get("name", video.get("file_name"))
            if isinstance(name, str):
                names[str(video.get("id"))] = file_stem(name)
    found = [names.get(str(key), "") for key in groups]
    return found if _tell_apart(found) else None


def _place_names(groups: dict[str | None, list[int]], files: list[str]) -> list[str] | None:
    """Movie or folder names, where each group has one of its own."""
    places = [{_place(files[row]) for row in rows} for rows in groups.values()]
    found = [place.pop() if len(place) == 1 else "" for place in places]
    return found if _tell_apart(found) else None


def _place(file: str) -> str:
    movie = movie_frame(file)
    return PurePosixPath(file).parent.name if movie is None else file_stem(movie[0])


def file_stem(name: str) -> str:
    """A movie's or folder's name without folders, and without what looks like a file's ending."""
    path = PurePosixPath(name)
    return path.stem if path.suffix[1:].isalnum() and not path.suffix[1:].isdigit() else path.name


def _tell_apart(names: list[str]) -> bool:
    return all(names) and len(set(names)) == len(names)
