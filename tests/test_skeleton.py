"""A skeleton file: graph, flips, and every error it can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from posegraph.errors import PoseGraphError
from posegraph.skeleton import PCKReference, Skeleton, shipped_names

CHAIN: dict[str, Any] = {
    "name": "chain",
    "joints": ["head", "neck", "l_wrist", "r_wrist"],
    "bones": [["head", "neck"], ["neck", "l_wrist"], ["l_wrist", "r_wrist"]],
    "flip_pairs": [["l_wrist", "r_wrist"]],
}


def test_one_and_two_hop_edges_of_a_chain() -> None:
    chain = Skeleton.from_dict(CHAIN)
    assert chain.neighbours(0) == []
    assert chain.neighbours(1) == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert chain.neighbours(2) == [
        (0, 1), (0, 2), (1, 0), (1, 2), (1, 3), (2, 0), (2, 1), (2, 3), (3, 1), (3, 2),
    ]  # fmt: skip


def test_joints_without_bones_have_no_neighbours() -> None:
    assert Skeleton(name="dots", joints=("a", "b")).neighbours(2) == []


def test_rows() -> None:
    content = {
        **CHAIN,
        "groups": {"Wri": ["r_wrist", "l_wrist"]},
        "scored": {"wrist": "l_wrist", "top": "head"},
    }
    chain = Skeleton.from_dict(content)
    assert chain.num_joints == 4
    assert chain.index == {"head": 0, "neck": 1, "l_wrist": 2, "r_wrist": 3}
    assert chain.bone_rows == ((0, 1), (1, 2), (2, 3))
    assert chain.flip_rows == (0, 1, 3, 2)
    assert list(chain.scored_rows.items()) == [("wrist", 2), ("top", 0)]
    assert chain.group_rows == {"Wri": (3, 2)}
    assert Skeleton.from_dict(CHAIN).scored_rows == chain.index


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            {"bones": [["head", "l_wrst"]]},
            ["bone ['head', 'l_wrst'] names 'l_wrst'", "did you mean 'l_wrist'?", "'chain'"],
        ),
        (
            {"flip_pairs": [["l_wrist", "x"]]},
            ["flip pair", "names 'x'", "joints are: head, neck, l_wrist, r_wrist"],
        ),
        ({"upper_body": ["hed"]}, ["upper_body names 'hed'", "did you mean 'head'?"]),
        ({"groups": {"Top": ["nek"]}}, ["group 'Top' names 'nek'", "did you mean 'neck'?"]),
        ({"scored": {"top": "nek"}}, ["scored 'top' names 'nek'", "did you mean 'neck'?"]),
        ({"oks_sigmas": {"nek": 0.1}}, ["oks_sigmas names 'nek'"]),
        (
            {"oks_sigmas": {"neck": 0.1}},
            ["oks_sigmas: none for head, l_wrist, r_wrist", "give one for every joint"],
        ),
        ({"oks_sigmas": {"neck": -1}}, ["oks_sigmas.neck", "greater than 0"]),
        ({"pck_reference": {"kind": "joints", "joints": ["head", "nek"]}}, ["pck_reference names 'nek'"]),
        ({"pck_reference": {"kind": "joints"}}, ["pck_reference", "goes with kind 'joints'"]),
        (
            {"pck_reference": {"kind": "box", "joints": ["head", "neck"]}},
            ["pck_reference", "goes with kind 'joints'"],
        ),
        ({"pck_reference": {"kind": "boxes"}}, ["pck_reference.kind", "'head_box', 'box' or 'joints'"]),
        ({"joints": ["a", "b", "a"], "bones": []}, ["joints", "named twice: a", "a name of its own"]),
        ({"joints": []}, ["joints", "at least 1"]),
        ({"joints": ["", "a"]}, ["joints.0", "at least 1 character"]),
        ({"name": ""}, ["name", "at least 1 character"]),
        (
            {"bones": [["head", "head"]]},
            ["bone [head, head] joins a joint to itself", "two different joints"],
        ),
        ({"bones": [["head"]]}, ["bones.0"]),
        ({"flip_pairs": [["l_wrist", "l_wrist"]]}, ["flip pair [l_wrist, l_wrist] joins a joint to itself"]),
        (
            {"flip_pairs": [["l_wrist", "r_wrist"], ["neck", "r_wrist"]]},
            ["r_wrist in more than one pair", "one mirror"],
        ),
        ({"boness": []}, ["unknown key", "boness", "keys are: name, joints, bones", "did you mean 'bones'?"]),
    ],
)
def test_every_validation_error_names_file_field_and_cure(tmp_path: Path, change: Any, parts: list[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**CHAIN, **change}))
    with pytest.raises(PoseGraphError) as caught:
        Skeleton.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(("text", "part"), [("- a", "expected a mapping .* got"), ("a: [", "not valid YAML")])
def test_a_file_that_is_no_skeleton(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    with pytest.raises(PoseGraphError, match=rf"mine\.yml: {part}"):
        Skeleton.load(path)


def test_a_name_that_is_not_shipped_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"'posetrak17' is not shipped; .*did you mean 'posetrack17'\?"):
        Skeleton.load("posetrak17")
    with pytest.raises(PoseGraphError, match=r"none\.yaml: no such file"):
        Skeleton.load(tmp_path / "none.yaml")
    chain = Skeleton.from_dict(CHAIN)
    assert Skeleton.load(chain) is chain


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_skeletons_are_consistent(name: str, tmp_path: Path) -> None:
    skeleton = Skeleton.load(name)
    assert skeleton.name == name
    flip = skeleton.flip_rows
    assert [flip[flip[row]] for row in range(skeleton.num_joints)] == list(range(skeleton.num_joints))
    # Mirroring a person maps bones to bones, sigmas to equal sigmas and the upper body to itself.
    bones = {frozenset(bone) for bone in skeleton.bone_rows}
    assert {frozenset((flip[a], flip[b])) for a, b in skeleton.bone_rows} == bones
    assert len(bones) == len(skeleton.bones)
    for joint, sigma in skeleton.oks_sigmas.items():
        assert skeleton.oks_sigmas[skeleton.joints[flip[skeleton.index[joint]]]] == sigma
    upper = {skeleton.index[joint] for joint in skeleton.upper_body}
    assert {flip[row] for row in upper} == upper
    grouped = [row for rows in skeleton.group_rows.values() for row in rows]
    assert sorted(grouped) == sorted(skeleton.scored_rows.values())
    path = tmp_path / "copy.yaml"
    path.write_text(skeleton.to_yaml())
    assert Skeleton.load(path) == skeleton


def test_to_yaml_keeps_what_is_set(tmp_path: Path) -> None:
    chain = Skeleton.from_dict({**CHAIN, "pck_reference": {"kind": "joints", "joints": ["head", "neck"]}})
    path = tmp_path / "copy.yaml"
    path.write_text(chain.to_yaml())
    assert Skeleton.load(path) == chain
    assert Skeleton.load(path).pck_reference == PCKReference(kind="joints", joints=("head", "neck"))


def test_official_order_of_posetrack() -> None:
    official = [
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "neck",
        "nose",
        "head_top",
    ]
    for name in ("posetrack15", "posetrack17"):
        skeleton = Skeleton.load(name)
        assert list(skeleton.scored_rows) == official
        assert skeleton.joints[skeleton.scored_rows["neck"]] == "head_bottom"
