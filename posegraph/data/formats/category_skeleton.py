"""The skeleton that a file describes: a shipped one where its joints are the file's, else one made of its names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from posegraph.data.json_checks import Fault, Found, describe
from posegraph.skeleton import Skeleton, shipped_names

_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def skeleton_of(path: Path, joints: tuple[str, ...], categories: Any) -> Skeleton:
    """The shipped skeleton with these joints in this order; else one of the file's names and bones.

    Bones are the pairs of COCO's ``skeleton`` (counted from 1; from 0 in a file that uses 0). Joints that differ in one
    word for left and right, and in nothing else, are flip pairs.

    Raises:
        PoseGraphError: bones that are no pairs of joints.
    """
    for shipped in _shipped():
        if shipped.joints == joints:
            return shipped
    same_joints = (entry for entry in categories or () if entry.get("keypoints") == list(joints))
    described: dict[str, Any] = next(same_joints, {})
    name = described.get("name")
    bones = _bones(described.get("skeleton"), len(joints), Fault(path))
    pairs = [(joints[one], joints[other]) for one, other in bones]
    return named_skeleton(name if is_name(name) else path.stem, joints, pairs, mirrored_pairs(joints), path)


def is_name(value: Any) -> TypeGuard[str]:
    """Whether a JSON value is a text that can name something: not empty, and without half characters."""
    return isinstance(value, str) and bool(value) and value == value.encode("utf-8", "ignore").decode()


def named_skeleton(
    name: str,
    joints: tuple[str, ...],
    bones: Sequence[tuple[str, ...]],
    flip_pairs: Sequence[tuple[str, ...]],
    path: Path,
) -> Skeleton:
    """A skeleton of what the file ``path`` gives.

    Raises:
        PoseGraphError: names that cannot be joints.
    """
    content = {"name": name, "joints": joints, "bones": bones, "flip_pairs": flip_pairs}
    return Skeleton.from_dict(content, source=str(path))


def mirrored_pairs(joints: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of names that are the same but for one word that says left or right: ``left_eye``, ``L_Eye``, ``eyeL1``."""
    sides: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for joint in joints:
        words = [word.lower() for word in _SEGMENT.findall(joint)]
        places = [place for place, word in enumerate(words) if word in _SIDES]
        if len(places) == 1 and len(words) > 1:
            side = _SIDES[words[places[0]]]
            rest = (*words[: places[0]], "", *words[places[0] + 1 :])
            sides.setdefault(rest, {}).setdefault(side, []).append(joint)
    found = [(pair.get("left", []), pair.get("right", [])) for pair in sides.values()]
    return [(left[0], right[0]) for left, right in found if len(left) == len(right) == 1]


@cache
def _shipped() -> tuple[Skeleton, ...]:
    return tuple(Skeleton.load(name) for name in shipped_names())


def _bones(pairs: Any, num_joints: int, fault: Fault) -> list[tuple[int, int]]:
    """Rows of the bones; a bone that is listed twice, in either direction, is one."""
    field, cure = (
        "categories.skeleton",
        "write pairs of joint numbers, counted from 1, or pass a skeleton (a .yaml file)",
    )
    if pairs is None:
        return []
    if not isinstance(pairs, list):
        fault(field, pairs, "a list of pairs", cure)
    for row, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(joint) is int for joint in pair):
            fault(f"{field}[{row}]", pair, "two joint numbers", cure)
    first = 0 if any(0 in pair for pair in pairs) else 1
    found: dict[tuple[int, int], None] = {}
    for row, pair in enumerate(pairs):
        one, other = (joint - first for joint in pair)
        if not (0 <= one < num_joints and 0 <= other < num_joints) or one == other:
            fault(
                f"{field}[{row}]",
                Found(f"[{describe(pair[0])}, {describe(pair[1])}]"),
                f"two different numbers from {first} to {num_joints - 1 + first}",
                cure,
            )
        if (other, one) not in found:
            found[one, other] = None
    return list(found)
