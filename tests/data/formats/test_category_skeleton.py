"""Skeletons made of what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posegraph.data.formats.category_skeleton import mirrored_pairs, skeleton_of
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

ABC = ("a", "b", "c")


def category(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": 2, "name": "box"}, {"id": 1, "name": "fly", "keypoints": list(ABC), **fields}]


def test_the_shipped_skeleton_with_the_same_joints() -> None:
    for name in ("coco17", "posetrack15", "posetrack17", "jhmdb15"):
        shipped = Skeleton.load(name)
        assert skeleton_of(Path("x.json"), shipped.joints, None) == shipped


@pytest.mark.parametrize(
    ("pairs", "bones"),
    [
        ([[1, 2], [2, 3], [3, 2]], (("a", "b"), ("b", "c"))),
        ([[0, 1], [2, 1]], (("a", "b"), ("c", "b"))),
        ([], ()),
        (None, ()),
    ],
)
def test_bones_are_counted_from_1_or_0(pairs: Any, bones: tuple[Any, ...]) -> None:
    skeleton = skeleton_of(Path("x.json"), ABC, category(skeleton=pairs))
    assert (skeleton.name, skeleton.joints, skeleton.bones) == ("fly", ABC, bones)


def test_a_category_without_a_name_goes_by_the_file() -> None:
    assert skeleton_of(Path("a/mice.json"), ABC, [{"keypoints": list(ABC)}]).name == "mice"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (3, "categories.skeleton: found 3, expected a list of pairs"),
        ([[1]], r"categories.skeleton\[0\]: found a list of 1, expected two joint numbers"),
        ([[1, "b"]], r"categories.skeleton\[0\]: found a list of 2, expected two joint numbers"),
        ([[1, 2], [1, 4]], r"categories.skeleton\[1\]: found \[1, 4\], expected two different numbers from 1 to 3"),
        ([[2, 2]], r"categories.skeleton\[0\]: found \[2, 2\]"),
        ([[0, 3]], "from 0 to 2"),
    ],
)
def test_bones_that_are_no_pairs_of_joints(pairs: Any, message: str) -> None:
    with pytest.raises(PoseGraphError, match=rf"^x\.json: .*{message}.*; write pairs of joint numbers"):
        skeleton_of(Path("x.json"), ABC, category(skeleton=pairs))


def test_left_and_right_are_told_from_names() -> None:
    names = ("L_Eye", "R_Eye", "left_ear", "right_ear", "wingL", "wingR", "legL1", "legR1", "legR2", "tail", "L", "R")
    assert mirrored_pairs(names) == [
        ("L_Eye", "R_Eye"),
        ("left_ear", "right_ear"),
        ("wingL", "wingR"),
        ("legL1", "legR1"),
    ]
    assert mirrored_pairs(("leftPaw", "right_paw", "Left_Paw")) == []  # which of the two is it?
    assert mirrored_pairs(("rear", "lear", "left_right_gap")) == []
