"""Damaged files of every layout: read correctly, with everything that is left out counted, or refused in one line."""

from __future__ import annotations

import copy
import json
import math
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegraph.data import TrackSet, read_tracks, write_tracks
from posegraph.data.formats.posetrack17 import skeleton as official
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

DEEP = "DEEP"
ODD = (
    None, True, False, 0, -1, 1.5, 7, "", "x", [], {}, [1], [[]], [[1, 2], [3]], {"a": [1]}, math.nan, math.inf, 1e300,
    2**62, 2**63, -(2**63), 2**64, 10**30, "\ud800", "a\nb", DEEP,
)  # fmt: skip


def posetrack18() -> dict[str, Any]:
    joints = Skeleton.load("posetrack17").joints
    images = [
        {"id": 10**10 + frame, "file_name": f"images/0001_mpii/{frame:06d}.jpg", "is_labeled": True, "vid_id": "0001",
         "frame_id": 10**10 + frame, "nframes": 2, "ignore_regions_x": [[0, 5.5, 9]], "ignore_regions_y": [[0, 4, 9]]}
        for frame in range(2)
    ]  # fmt: skip
    people = [
        {"image_id": 10**10 + frame, "id": frame * 100 + number, "track_id": number, "category_id": 1,
         "keypoints": [n for joint in range(17) for n in ((joint + 1.5, 2 * joint, 1) if joint % 4 else (0, 0, 0))],
         "bbox": [1, 2, 30.5, 40], "bbox_head": [1, 2, 3, 4], "scores": []}
        for frame in range(2) for number in range(2)
    ]  # fmt: skip
    return {
        "images": images,
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints)}],
    }


def posetrack21() -> dict[str, Any]:
    content = posetrack18()
    for image in content["images"]:
        image["has_labeled_person"] = True
    for person in content["annotations"]:
        person["person_id"] = person.pop("track_id") + 50
        person["track_id"] = person["person_id"]
    return content


def coco() -> dict[str, Any]:
    images = [{"id": row, "file_name": f"{row:012d}.jpg", "height": 48, "width": 64} for row in (3, 4)]
    people = [
        {"image_id": 3 + row % 2, "id": row, "category_id": 1 + row // 3, "keypoints": [5, 6, 2, 7.25, 8, 1, 0, 0, 0],
         "bbox": [1, 2, 3, 4], "scores": [0.5, 0.25, 0], "score": 0.75, "area": 12, "segmentation": [[1, 2]]}
        for row in range(4)
    ]  # fmt: skip
    fly = {"id": 1, "name": "fly", "keypoints": ["head", "wingL", "wingR"], "skeleton": [[1, 2], [1, 3]]}
    return {
        "info": {"year": 2020},
        "images": images,
        "annotations": people,
        "categories": [fly, {"id": 2, "name": "box"}],
    }


def posetrack17() -> dict[str, Any]:
    def person(track_id: int) -> dict[str, Any]:
        points = [
            {"id": [joint], "x": [joint + 0.5], "y": [3], "is_visible": [joint % 2], "score": [0.5]}
            for joint in (2, 5, 13)
        ]
        corners = {"x1": [1.5], "y1": [2], "x2": [30], "y2": [4.25]}
        return {"track_id": [track_id], "annopoints": [{"point": points}], "score": [0.5], **corners}

    return {
        "annolist": [
            {"image": [{"name": f"images/0001_mpii/{frame:08d}.jpg"}], "imgnum": [frame], "is_labeled": [1],
             "ignore_regions": [{"point": [{"x": [x], "y": [0]} for x in (0, 4, 8)]}],
             "annorect": [person(0), person(1)]}
            for frame in (1, 2)
        ]
    }  # fmt: skip


LAYOUTS = {"posetrack17": posetrack17, "posetrack18": posetrack18, "posetrack21": posetrack21, "coco": coco}


def places(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) of a JSON value."""
    found: list[tuple[Any, Any]] = []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found.append((value, key))
        found += places(child)
    return found


def mutate(content: dict[str, Any], rng: random.Random) -> str:
    """The content's JSON with up to three faults, sometimes cut off."""
    for _ in range(rng.randrange(1, 4)):
        if not content:
            break
        container, key = rng.choice(places(content))
        kind = rng.randrange(5)
        if kind == 0:
            container.pop(key)
        elif kind == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif kind == 2 and isinstance(container, dict):
            container["unknown"] = rng.choice(ODD)
        else:
            container[key] = copy.deepcopy(rng.choice(ODD))
    text = json.dumps(content).replace(f'"{DEEP}"', "[" * (depth := rng.choice((60, 250, 3000))) + "]" * depth)
    return text[: rng.randrange(len(text))] if rng.random() < 0.1 else text


def difference(one: Any, other: Any, place: str = "") -> str:
    """Where two JSON values differ and how; NaN and infinity are null."""
    if isinstance(one, float) and not math.isfinite(one):
        one = None
    kinds = [dict if isinstance(value, dict) else list if isinstance(value, list) else None for value in (one, other)]
    if kinds[0] != kinds[1] or (kinds[0] and len(one) != len(other)):
        return f"{place}: {kinds[0]} and {kinds[1]}"
    if isinstance(one, dict):
        found = [
            difference(one[key], other[key], f"{place}.{key}") if key in other else f"{place}.{key}" for key in one
        ]
        return next(filter(None, found), "")
    if isinstance(one, list):
        return next(filter(None, [difference(one[row], other[row], f"{place}[{row}]") for row in range(len(one))]), "")
    if isinstance(one, int) and abs(one) >= 2**64:
        one, other = float(one), float(other)  # beyond what the fast reader holds exactly
    return (
        "" if one == other and isinstance(one, bool) == isinstance(other, bool) else f"{place}: {one!r} and {other!r}"
    )


def one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def expected_joints(content: dict[str, Any], layout: str) -> dict[int, dict[int, tuple[float, float]]]:
    """Place of each person in the file -> joint -> position, read without any of the package's code."""
    people: dict[int, dict[int, tuple[float, float]]] = {}
    if layout == "posetrack17":
        rects = [rect for frame in content["annolist"] for rect in frame.get("annorect") or []]
        for row, rect in enumerate(rects):
            holder = one(rect.get("annopoints") or {})
            points = (holder.get("point") or []) if holder else []
            people[row] = {}
            for point in [points] if isinstance(points, dict) else points:
                joint, x, y = (one(point.get(key)) for key in ("id", "x", "y"))
                if all(
                    isinstance(number, (int, float)) and math.isfinite(number) for number in (joint, x, y)
                ) and joint in range(15):
                    people[row].setdefault(int(joint), (float(x), float(y)))
        return people
    keyed = [entry for entry in content.get("categories") or [] if entry.get("keypoints")]
    category = keyed[0].get("id") if keyed else None
    named = keyed[0]["keypoints"] if keyed else []
    ears = {joint for joint, name in enumerate(named) if layout == "posetrack21" and name in ("left_ear", "right_ear")}
    for row, entry in enumerate(content["annotations"]):
        if None not in (category, entry.get("category_id")) and entry["category_id"] != category:
            continue
        people[row] = {}
        flat, scored = entry.get("keypoints") or [], bool(entry.get("scores"))
        for joint, (x, y, v) in enumerate(zip(flat[::3], flat[1::3], flat[2::3], strict=True)):
            positioned = None not in (x, y) and math.isfinite(x) and math.isfinite(y)
            if positioned and ((v is not None and v > 0) or (scored and (x, y) != (0, 0))) and joint not in ears:
                people[row][joint] = (float(x), float(y))
    return people


def found_joints(tracks: TrackSet) -> dict[int, dict[int, tuple[float, float]]]:
    people = {}
    for track in tracks:
        assert track.file_row is not None
        for row, place in enumerate(track.file_row.tolist()):
            joints = np.flatnonzero(track.annotated[row]).tolist()
            people[place] = {joint: tuple(track.keypoints_px[row, joint].tolist()) for joint in joints}
    return people


def check(text: str, layout: str, folder: Path) -> bool:
    """Whether the file was read; fails if it was read wrongly, or refused otherwise than in one clear line."""
    path = folder / "clip.json"
    path.write_text(text)
    skeleton = official() if layout == "posetrack17" else None
    try:
        tracks = read_tracks(path, skeleton, keep_empty=True, format=layout)
        fewer = read_tracks(path, skeleton, format=layout)
    except PoseGraphError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert "; " in message
        assert len(message) < 1000
        message.encode()
        return False
    content = json.loads(text)
    assert found_joints(tracks) == expected_joints(content, layout)
    left_out = [fewer.skipped[reason] for reason in ("no annotated joint", "box of zero area or NaN")]
    assert fewer.num_poses + sum(left_out) == tracks.num_poses
    try:
        (copied,) = write_tracks(tracks, folder / "out", layout.replace("21", "18")).paths
    except PoseGraphError as error:
        return "nested too deep" in str(error)
    assert difference(content, json.loads(copied.read_text())) == ""
    return True


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_whole_files_are_read_and_written_as_they_were(layout: str, tmp_path: Path) -> None:
    assert check(json.dumps(LAYOUTS[layout]()), layout, tmp_path)


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_mutated_files(layout: str) -> None:
    read = []

    @settings(max_examples=75, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def one_file(seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            read.append(check(mutate(LAYOUTS[layout](), random.Random(seed)), layout, Path(folder)))

    one_file()
    assert len(read) >= 75
    assert 5 < sum(read) < len(read) - 5  # both outcomes are met
