"""The shipped model's script, on a set of seconds: data, stages, folder, scores, card; and again without training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

import posegraph
from posegraph.data.synthetic import generate
from posegraph.errors import PoseGraphError

from .conftest import TINY
from .test_pseudo_labels import entry, standing, written


@pytest.fixture(scope="module")
def shipped(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    module = benchmark("shipped")
    model = tuple(one for one in TINY if not one.startswith("model.stem"))
    module.COMMON = (*model, "training.epochs=100", "training.batch_size=4", "training.accelerator=cpu")
    module.STAGES = (
        module.Stage("heatmaps", "vit_alone", ("training.max_steps=2",)),
        module.Stage("full", "full", ("training.max_steps=1",)),
    )
    module.TIMES = {"vtest": 2}
    module.SYNTHETIC = {"sequences": 2, "frames": 3, "people": 1, "size": (128, 96), "seed": 1, "workers": 1}
    return module


@pytest.fixture(scope="module")
def made(shipped: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A finished run, and its command line."""
    out = tmp_path_factory.mktemp("shipped")
    writer = cv2.VideoWriter(str(out / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for _ in range(3):
        writer.write(np.full((120, 160, 3), 90, dtype=np.uint8))
    writer.release()
    poses = written(out / "poses.json", [entry(frame, standing(60 + frame)) for frame in range(3)])
    generate(out / "held", sequences=1, frames=3, people=2, size=(128, 96), seed=5, val_fraction=0.0, workers=1)
    (out / "doc.md").write_text("# Doc\n<!-- shipped scores begin -->\n<!-- shipped scores end -->\nafter\n")
    held = out / "held/annotations/train"
    words = ["--video", f"vtest={out / 'walk.avi'},{poses}", "--out", str(out / "runs"), "--package", str(out / "tiny"),
             "--docs", str(out / "doc.md"), "--json", str(out / "shipped.json"),
             "--evaluate", f"held={held}", "--evaluate", f"first={held}:0-0", "--teacher", f"held={held}"]  # fmt: skip
    shipped.main(words)
    return out, words


def test_the_folder_is_the_last_stage_in_half_precision(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    assert {path.name for path in (out / "tiny").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    packed, run = posegraph.load(out / "tiny"), posegraph.load(out / "runs/runs/full")
    assert packed.config.variant == "full"
    own = run.state_dict()
    for name, value in packed.state_dict().items():
        wanted = own[name].half().float() if own[name].is_floating_point() else own[name]
        assert (value == wanted).all()


def test_what_is_recorded(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    found = json.loads((out / "shipped.json").read_text())
    assert found["command"].startswith("python benchmarks/shipped.py --video vtest=")
    boxes = {name: part["poses"] for name, part in found["data"].items()}
    assert boxes.pop("without people") > 0
    assert boxes == {"synthetic": 6, "vtest": 3}
    drawn_again = sorted((out / "runs/data/annotations/train").glob("*_again*.json"))
    assert [path.stem for path in drawn_again] == ["vtest_again2"]
    assert drawn_again[0].read_bytes() == (out / "runs/data/annotations/train/vtest.json").read_bytes()
    assert {name: stage["training"]["steps"] for name, stage in found["stages"].items()} == {"heatmaps": 2, "full": 1}
    assert "model.embed_dim=32" in found["stages"]["full"]["overrides"]
    assert found["model"]["bytes"] < 12_000_000
    rows = [(row["set"], row["system"], row["boxes"], row["people"]) for row in found["scores"]]
    assert rows == [
        ("held", "tiny", "annotated", 6), ("held", "teacher", "its own", 6), ("first", "tiny", "annotated", 2),
    ]  # fmt: skip
    assert found["scores"][1]["table"]["Mean"] > 90  # the truth as its own prediction
    assert found["float16"]["set"] == "held"
    assert 0 <= found["float16"]["median_px"] <= found["float16"]["largest_px"]


def test_the_card_says_what_it_is_made_of(made: tuple[Path, list[str]], shipped: ModuleType) -> None:
    out, _ = made
    card = (out / "tiny/README.md").read_text()
    assert card.startswith("---\nlibrary_name: posegraph\nlicense: apache-2.0\n")
    for text in (
        "vtest.avi",
        "MoveNet SinglePose Thunder 4",
        "| synthetic | 6 | 6 | 1 |",
        "| vtest | 3 | 3 | 2 |",
        "## Limits",
    ):
        assert text in card
    assert "Pose2Sim" not in card  # it was not trained on
    assert all(f"- {limit}" in card for limit in shipped.limits(["vtest"]))
    document = (out / "doc.md").read_text()
    assert "| held, teacher | its own | 6 |" in document
    assert document.endswith("<!-- shipped scores end -->\nafter\n")


def test_a_second_run_trains_nothing(
    made: tuple[Path, list[str]], shipped: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, words = made
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*") if path.is_file()}
    first = json.loads((out / "shipped.json").read_text())
    shipped.main(words)
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*") if path.is_file()} == before
    again = json.loads((out / "shipped.json").read_text())
    assert (again["scores"], again["stages"], again["data"]) == (first["scores"], first["stages"], first["data"])
    monkeypatch.setattr(shipped, "STAGES", (shipped.Stage("heatmaps", "vit_alone", ("training.max_steps=3",)),))
    with pytest.raises(SystemExit, match=r"error: .*heatmaps\.json: overrides was"):
        shipped.main(words)


def test_the_first_stage_goes_on_from_a_start(
    made: tuple[Path, list[str]], shipped: ModuleType, tmp_path: Path
) -> None:
    out, _ = made
    start, data = out / "runs/runs/heatmaps", out / "runs/data"
    figures = shipped.train_stages(data, tmp_path, "32-true", start)
    assert {name: stage["training"]["steps"] for name, stage in figures.items()} == {
        "start": 2, "heatmaps": 2, "full": 1,
    }  # fmt: skip
    assert figures["start"]["variant"] == "vit_alone"
    assert posegraph.load(tmp_path / "heatmaps").weights_report is None
    assert f"weights: {start}" in (tmp_path / "heatmaps/config.yaml").read_text()
    with pytest.raises(PoseGraphError, match=r"heatmaps\.json: start was"):
        shipped.train_stages(data, tmp_path, "32-true", out / "runs/runs/full")
    with pytest.raises(PoseGraphError, match=r"--start .*: has no finished\.json"):
        shipped.train_stages(data, tmp_path, "32-true", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--video", "handball=a.mp4,b.json"],
            "expected NAME=MOVIE,POSES with NAME one of vtest, multi2, multi4: video whose",
        ),
        (["--video", "vtest=a.mp4"], "expected NAME=MOVIE,POSES"),
        (["--evaluate", "bonn"], "--evaluate bonn: expected NAME=PLACE"),
        (["--boxes", "bonn=b.txt"], "--boxes bonn: no such set; name it with --evaluate bonn=ANNOTATIONS"),
        (["--evaluate", "a=x.json:0-3", "--teacher", "a=y.json"], "--teacher a: files are scored whole"),
        (["--data", "nowhere"], "nowhere: no annotations/train"),
    ],
)
def test_mistakes(words: list[str], message: str, shipped: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=message):
        shipped.main([*words, "--out", str(tmp_path / "out"), "--package", str(tmp_path / "package")])
    assert not (tmp_path / "package").exists()


def test_video_that_was_not_named_is_not_trained_on(shipped: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "annotations/train"
    folder.mkdir(parents=True)
    for name in ("000000_synthetic", "multi2"):
        (folder / f"{name}.json").write_text("{}")
    with pytest.raises(PoseGraphError, match=r"also holds multi2; name it with --video"):
        shipped.prepared_data(tmp_path, True, {})
