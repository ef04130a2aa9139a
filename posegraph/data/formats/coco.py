"""Reading the PoseTrack18, PoseTrack21 and COCO keypoint layouts, ground truth and predictions alike.

Letters: M people, K joints of the file.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.category_skeleton import is_name, skeleton_of
from posegraph.data.formats.coco_images import read_images
from posegraph.data.formats.coco_people import PeopleReader
from posegraph.data.formats.sequences import by_video
from posegraph.data.formats.tables import ParsedFile
from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import ABSENT, SourceFile
from posegraph.skeleton import Skeleton, shipped_names

OTHER_CATEGORY = "annotation of a category without keypoints"


def parse(path: Path, content: Any, layout: str, unnamed: Skeleton | None, skipped: Counter[str]) -> ParsedFile:
    """Check and convert the content of one file.

    Args:
        path: The file, for messages and the video's name.
        content: Its parsed content.
        layout: ``posetrack18``, ``posetrack21`` or ``coco``; they are read alike, but in PoseTrack21 joints that are
            not scored (the ears) count as not annotated.
        unnamed: The joints of a file that names none.
        skipped: What is left out is counted here.

    Raises:
        PoseGraphError: the content holds anything that the layout does not allow.
    """
    fault = Fault(path)
    if not isinstance(content, dict):
        fault("top level", content, "an object with images, annotations and categories",
              "give an annotation file (a list is how COCO stores detections)")  # fmt: skip
    images = read_images(_top_list(content, "images", fault), fault)
    categories = content.get("categories", ABSENT)
    names, category = _category(None if categories is ABSENT else categories, fault)
    annotations = _top_list(content, "annotations", fault)
    mine, others = _of_category(annotations, category)
    if others:
        skipped[OTHER_CATEGORY] += len(others)
    joints = names or (_unnamed(fault) if unnamed is None else unnamed.joints)
    place = {image_id: row for row, image_id in enumerate(images.ids.tolist())}
    joints_from = "categories" if names or unnamed is None else f"skeleton {unnamed.name!r}"
    unscored = _unscored(joints) if layout == "posetrack21" else np.zeros(len(joints), dtype=np.bool_)
    reader = PeopleReader(joints_from, unscored, place, fault, skipped)
    people = reader.read([annotations[row] for row in mine], np.array(mine, dtype=np.int64))
    extra = {key: value for key, value in content.items() if key not in ("images", "annotations", "categories")}
    return ParsedFile(
        source=SourceFile(
            path=path,
            layout=layout,
            joints=joints,
            categories=categories,
            others=tuple((row, annotations[row]) for row in others),
            extra=extra,
        ),
        images=images,
        people=people,
        sequences=by_video(path.stem, images.files, images.extra, content.get("videos"), fault),
        own_skeleton=lambda: skeleton_of(path, joints, None if categories is ABSENT else categories),
        person_field=lambda row: f"annotations[{people.file_row[row]}]",
        fault=fault,
    )


def _top_list(content: dict[str, Any], key: str, fault: Fault) -> list[dict[str, Any]]:
    cure = "give a PoseTrack18 or COCO annotation file"
    if key not in content:
        found = ", ".join(sorted(content)[:8]) or "no key at all"
        fault(key, Found(f"no such key (keys: {found})"), "a list", cure)
    entries = content[key]
    if not isinstance(entries, list):
        fault(key, entries, "a list", cure)
    if set(map(type, entries)) <= {dict}:
        return entries
    row = next(row for row, entry in enumerate(entries) if not isinstance(entry, dict))
    fault(f"{key}[{row}]", entries[row], "an object", "remove the entry or export the file again")


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
        if not isinstance(names, list):
            fault(field, names, "a list of joint names", "write one text for each joint")
        for joint, name in enumerate(names):
            if not is_name(name):
                fault(f"{field}[{joint}]", name, "the name of a joint", "write one text for each joint")
        twice = sorted({name for name, count in Counter(names).items() if count > 1})
        if twice:
            fault(field, Found(f"{', '.join(twice)} more than once"), "different names", "name every joint once")
        return tuple(names), entry.get("id")
    return None, None


def _of_category(annotations: list[dict[str, Any]], category: Any) -> tuple[list[int], list[int]]:
    """Rows of the people, and rows of annotations of another category."""
    mine: list[int] = []
    others: list[int] = []
    for row, entry in enumerate(annotations):
        own = entry.get("category_id")
        (mine if own is None or category is None or own == category else others).append(row)
    return mine, others


def _unnamed(fault: Fault) -> tuple[str, ...]:
    fault("categories.keypoints", Found("no joint names"), f"names, such as those of {', '.join(shipped_names())}",
          "pass a skeleton (a .yaml file) that names the joints")  # fmt: skip


def _unscored(joints: tuple[str, ...]) -> NDArray[np.bool_]:
    """``[K]`` the joints of PoseTrack21 that are in its files but neither annotated nor scored."""
    official = Skeleton.load("posetrack17")
    scored = set(official.scored.values())
    return np.array([joint in official.joints and joint not in scored for joint in joints], dtype=np.bool_)
