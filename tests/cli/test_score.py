"""``posegraph score`` as a user types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posegraph.skeleton import Skeleton
from posegraph_cli import main as cli

Run = Callable[..., tuple[Any, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command; the exit status and what went to stdout and stderr."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["posegraph", "score", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        said = capfd.readouterr()
        return exited.value.code, said.out, said.err

    return run


def annotations(folder: Path, shift: float, track_id: int, head: bool = True) -> Path:
    """Three frames with one person, all of whose scored joints but the nose are annotated."""
    folder.mkdir()
    skeleton = Skeleton.load("posetrack17")
    given = set(skeleton.scored_rows.values()) - {skeleton.scored_rows["nose"]}
    images = [{"id": 10 + frame, "file_name": f"images/clip/{frame:06d}.jpg"} for frame in range(3)]
    people = []
    for image in images:
        points: list[float] = []
        for row in range(skeleton.num_joints):
            points += [100 + 10 * row + shift, 200 + 5 * row, 1] if row in given else [0, 0, 0]
        person = {"image_id": image["id"], "id": image["id"] * 100, "track_id": track_id, "keypoints": points,
                  "bbox": [90, 190, 200, 100], "scores": [0.5] * 17}  # fmt: skip
        people.append(person | ({"bbox_head": [100, 200, 30, 40]} if head else {}))
    categories = [{"id": 1, "name": "person", "keypoints": list(skeleton.joints)}]
    content = {"images": images, "annotations": people, "categories": categories}
    (folder / "clip.json").write_text(json.dumps(content))
    return folder


def test_tables_notes_and_figures(run: Run, tmp_path: Path) -> None:
    sides = "--gt", annotations(tmp_path / "gt", 0, 1), "--pred", annotations(tmp_path / "pred", 10, 7)
    status, out, err = run(*sides, "--json", tmp_path / "scores.json")
    assert status == 0
    for title in ("PoseTrack AP", "PCK@0.5 of the head size", "MOTA", "Jitter: acceleration error"):
        assert title in out
    assert "Head*" in out
    assert "* no ground truth: nose; poseval's Mean is over 15 joints; over those with ground truth it is 100.0" in err
    assert "recovery left out: the ground truth does not say which joints are occluded" in err
    figures = json.loads((tmp_path / "scores.json").read_text())
    assert figures["AP"]["left_hip"] == figures["MOTA"]["mota"]["left_hip"] == 100
    assert figures["table"]["Mean"] == pytest.approx(100 * 14 / 15)
    assert figures["jitter"]["table"]["Mean"] == 0


def test_metrics_and_thresholds(run: Run, tmp_path: Path) -> None:
    sides = "--gt", annotations(tmp_path / "gt", 0, 1, head=False), "--pred", annotations(tmp_path / "pred", 10, 7)
    status, out, _ = run(*sides, "--metrics", "PCK, oks", "--alpha", "0.02,0.06", "--json", "-")
    assert status == 0
    figures = json.loads(out)  # with '-' the figures alone go to stdout
    assert figures["metric"] == "PCK@0.02 of the box's longer side"
    assert [one["table"]["Mean"] for one in figures["PCK_curve"]] == [0, 100]
    assert "AP" not in figures
    assert set(figures["OKS"]["values"]) >= {"AP", "AR75"}


def test_coco_results(run: Run, real_data: Path) -> None:
    folder = real_data / "eval_vectors/f_coco_oks"
    status, out, err = run("--gt", folder / "gt.json", "--pred", folder / "pred.json")
    assert (status, err) == (0, "")
    assert "0.719" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metrics", "moto"], "metrics: found 'moto', expected some of ap, mota, pck, stability, pr, oks; did you"),
        (["--alpha", "0.1;0.2"], "found '0.1;0.2', expected numbers with commas between them, as in 0.1,0.2"),
        (["--alpha", "0"], "alpha: found 0.0, expected a number above 0"),
        (["--skeleton", "coco99"], "skeleton 'coco99' is not shipped"),
    ],
)  # fmt: skip
def test_mistakes(run: Run, tmp_path: Path, options: list[str], said: str) -> None:
    sides = "--gt", annotations(tmp_path / "gt", 0, 1), "--pred", annotations(tmp_path / "pred", 10, 7)
    status, out, err = run(*sides, *options)
    assert (status, out) == (2, "")
    assert said in err
