from __future__ import annotations

from pathlib import Path

import yaml
from click.testing import CliRunner

from posegraph.skeleton import Skeleton
from posegraph_cli.skeleton import skeleton

ANT = """\
name: ant
joints: [head, l_leg, r_leg, tail]
bones: [[head, l_leg], [head, r_leg]]
groups: {Legs: [l_leg, r_leg]}
"""


def test_list_shows_every_shipped_skeleton() -> None:
    result = CliRunner().invoke(skeleton, ["list"])
    rows = [line.split()[:3] for line in result.output.splitlines() if "Head" in line]
    assert rows == [
        ["coco17", "17", "19"],
        ["jhmdb15", "15", "14"],
        ["posetrack15", "15", "15"],
        ["posetrack17", "17", "17"],
    ]


def test_show_prints_a_file_that_loads_again() -> None:
    result = CliRunner().invoke(skeleton, ["show", "coco17"])
    assert Skeleton.from_dict(yaml.safe_load(result.output)) == Skeleton.load("coco17")


def test_show_edges_names_each_pair_once(tmp_path: Path) -> None:
    (tmp_path / "ant.yaml").write_text(ANT)
    result = CliRunner().invoke(skeleton, ["show", str(tmp_path / "ant.yaml"), "--edges"])
    assert result.output == "1 hop: head - l_leg\n1 hop: head - r_leg\n2 hops: l_leg - r_leg\n"


def test_check_warns_of_what_looks_forgotten(tmp_path: Path) -> None:
    (tmp_path / "ant.yaml").write_text(ANT)
    result = CliRunner().invoke(skeleton, ["check", str(tmp_path / "ant.yaml")])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "ant: 4 joints, 2 bones, 0 flip pairs, 1 groups, 4 scored joints",
        "warning: tail: not connected to the other joints by bones; no message reaches them",
        "warning: head, tail: scored but in no group; no column of a table shows them",
        "warning: l_leg, r_leg: named left or right but in no flip pair; a flipped picture would swap them wrongly",
        "warning: no oks_sigmas; OKS cannot be computed",
    ]


def test_check_has_no_warning_for_a_shipped_skeleton() -> None:
    result = CliRunner().invoke(skeleton, ["check", "posetrack17"])
    assert result.output == "posetrack17: 17 joints, 17 bones, 7 flip pairs, 7 groups, 15 scored joints\n"
