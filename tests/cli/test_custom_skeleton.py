"""docs/custom_skeleton.md, made short: 24 keypoints of two flies, from a COCO file and a movie to a score."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from posegraph_cli.main import posegraph as commands

SKELETON = str(Path(__file__).parents[2] / "docs/fly24.yaml")
SMALL = [
    "model.input_hw=[64,64]", "model.patch_size=8", "model.embed_dim=32", "model.depth=1", "model.num_heads=2",
    "model.node_channels=32", "model.deconv_channels=[16]", "data.frames=0-9", "augment.half_body=0",
    "augment.rotation_max=180", "training.batch_size=4", "training.warmup_steps=0", "training.max_steps=3",
    "training.accelerator=cpu",
]  # fmt: skip


def run(*arguments: object) -> str:
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def flies(real_data: Path) -> Path:
    return real_data / "custom_fly24"


def test_the_skeleton_is_sound() -> None:
    assert "24 joints, 23 bones, 10 flip pairs" in run("skeleton", "check", SKELETON)


def test_what_the_document_says_of_the_data(flies: Path, tmp_path: Path) -> None:
    out = tmp_path / "check.json"
    run("data", "check", flies / "fly24_tracks.json", "--skeleton", SKELETON, "--json", out)
    found = json.loads(out.read_text())
    (sequence,) = found["sequences"]
    assert (sequence["frames"], sequence["people"], sequence["tracks"]) == (1100, 2268, 26)
    assert found["skipped"] == {"box of zero area or NaN": 6}
    assert (found["missing_images"], found["faults"], found["never_annotated"]) == ([], [], [])


def test_a_contact_sheet_out_of_the_movie(flies: Path, tmp_path: Path) -> None:
    run("data", "show", flies / "fly24_tracks.json", "--count", 2, "--out", tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] > 2 * 480
    # bones are drawn in colour over a grey movie
    assert (sheet.max(axis=2).astype(int) - sheet.min(axis=2)).max() > 100


def test_convert_train_score_draw(flies: Path, tmp_path: Path) -> None:
    run(
        "data",
        "convert",
        flies / "fly24_tracks.json",
        tmp_path / "flies",
        "--to",
        "posetrack18",
        "--skeleton",
        SKELETON,
    )
    data, trained = tmp_path / "flies/fly24_tracks.json", tmp_path / "run"
    options = [f"skeleton={SKELETON}", f"data.train={data}", f"data.images={flies}", *SMALL]
    overrides = [part for option in options for part in ("-o", option)]
    run("train", "ncstr-tiny", "--out", trained, *overrides)
    out, pictures = tmp_path / "scores.json", tmp_path / "pictures"
    where = ["--data", data, "--images", flies, "--frames", "20-21"]
    run("eval", trained, *where, "--overlays", pictures, "--report", tmp_path / "fly.html", "--json", out)
    scores = json.loads(out.read_text())
    assert scores["metric"].startswith("PCK@0.2")
    assert set(scores["table"]) == {"Body", "Wing", "Fore", "Mid", "Hind", "Mean"}
    assert 0 <= scores["table"]["Mean"] <= 100
    assert scores["boxes"] == "ground truth"
    assert sorted(path.name for path in pictures.rglob("*.png")) == ["000020.png", "000021.png"]
    assert "fly24, 24 joints" in (tmp_path / "fly.html").read_text()
