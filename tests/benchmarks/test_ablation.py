"""The ablation: its arithmetic on literal rows, and a miniature of all of it, stopped and gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import pytest

from posegraph.data.synthetic import generate

TINY = (
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.patch_size=8", "training.batch_size=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def ablation(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("ablation")


@pytest.fixture(scope="module")
def summary(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("ablation_summary")


def row(size: str, variant: str, seed: int, mean: float) -> dict[str, Any]:
    """As the benchmark writes one; the scores beside mAP are derived from it."""
    part = {"num_joints": 10, "ap": {"Head": mean - 10, "Mean": mean - 10}, "pck": {"Head": 50.0, "Mean": 50.0}}
    machine = {"processor": "abacus", "threads": "1"}
    training = {"steps": 7, "train_s": 120.0 + 60 * seed, "resumed": seed == 2, "commit": "abc", "machine": machine}
    return {
        "size": size, "variant": variant, "seed": seed, "split": "test", "mAP": mean, "fast_from": 0.25, "people": 5,
        "AP": {"Head": mean + 1, "Mean": mean}, "parameters": 1_234_567, "training": training,
        "splits": dict.fromkeys(("visible", "occluded", "fast"), part),
    }  # fmt: skip


ROWS = [
    *(row("tiny", "full", seed, mean) for seed, mean in enumerate((70.0, 72.0, 77.0))),
    *(row("tiny", "local_only", seed, mean) for seed, mean in enumerate((71.0, 72.0, 76.5))),
    *(row("tiny", "vit_alone", seed, mean) for seed, mean in enumerate((66.0, 68.0))),
]
VARIANTS = ("full", "local_only", "global_only", "vit_alone")


def test_summary_of_literal_rows(summary: ModuleType) -> None:
    found = summary.summarise(ROWS, ["tiny", "small"], VARIANTS)
    assert list(found.figures["sizes"]) == ["tiny"]
    of = found.figures["sizes"]["tiny"]
    assert list(of) == ["full", "local_only", "vit_alone"]
    assert of["full"]["mAP"] == pytest.approx({"mean": 73.0, "sd": 13**0.5, "n": 3})
    assert of["full"]["AP occluded"]["mean"] == pytest.approx(63.0)
    assert of["full"]["seeds"] == [0, 1, 2]
    # Paired by seed: -1, 0, 0.5; and 4, 4 of the seeds that both have.
    assert of["local_only"]["full leads by"] == pytest.approx({"mean": -1 / 6, "sd": (7 / 12) ** 0.5, "n": 3})
    assert of["vit_alone"]["full leads by"] == {"mean": 4.0, "sd": 0.0, "n": 2}
    assert found.figures["goals"]["tiny"] == [
        "full beats local branch only: -0.2 ± 0.8, FAIL",
        "full beats ViT alone by at least 3.8 mAP: +4.0 ± 0.0, pass",
    ]
    assert found.points == {"tiny": {"full": [70, 72, 77], "local_only": [71, 72, 76.5], "vit_alone": [66, 68]}}


def test_tables_of_literal_rows(summary: ModuleType) -> None:
    (text,) = summary.summarise(ROWS, ["tiny"], VARIANTS).tables
    assert (
        "**tiny**: seeds 0, 1, 2; 7 further steps, 2 to 3 minutes each; abacus, OMP_NUM_THREADS 1; commit abc" in text
    )
    assert "joints: 10 visible, 10 occluded, 10 fast (above 0.25 head sizes a frame)" in text
    assert "| ViT alone | 67.0 ± 1.4 | +4.0 ± 0.0 | 68.0 ± 1.4 | 1.23 M |" in text
    assert "| ViT alone | 57.0 ± 1.4 | 57.0 ± 1.4 | 57.0 ± 1.4 | 50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0 |" in text


def test_a_lead_below_the_goal_fails(summary: ModuleType) -> None:
    rows = [row("tiny", "full", 0, 70.0), row("tiny", "vit_alone", 0, 66.3)]
    assert summary.summarise(rows, ["tiny"], VARIANTS).figures["goals"]["tiny"] == [
        "full beats ViT alone by at least 3.8 mAP: +3.7, FAIL"
    ]


def test_docs_get_tables_and_a_figure(summary: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "ablation.md").write_text("# A\n<!-- ablation begin -->\n<!-- ablation end -->\nZ\n")
    summary.write_docs(tmp_path, summary.summarise(ROWS, ["tiny"], VARIANTS))
    text = (tmp_path / "ablation.md").read_text()
    assert text.startswith("# A\n<!-- ablation begin -->\n![")
    assert text.endswith("<!-- ablation end -->\nZ\n")
    assert cv2.imread(str(tmp_path / "ablation.png")).shape[1] > 300
    assert (tmp_path / "ablation.png").stat().st_size < 100_000


@pytest.fixture
def miniature(ablation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments for two steps of pretraining and two further ones, on a handful of frames."""
    generate(tmp_path / "set", sequences=2, frames=3, people=1, size=(96, 72), val_fraction=0.5, workers=1)
    annotations = tmp_path / "set/annotations"
    shutil.copytree(annotations / "val", annotations / "test")
    monkeypatch.setattr(ablation, "SIZES", {"tiny": TINY})
    monkeypatch.setattr(ablation, "PRETRAIN", ("training.max_steps=2",))
    monkeypatch.setattr(ablation, "FURTHER", ("training.max_steps=2",))
    (tmp_path / "ablation.md").write_text("<!-- ablation begin -->\n<!-- ablation end -->\n")
    return [
        "--data", str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--docs", str(tmp_path), "--results",
        str(tmp_path / "ablation.json"), "--sizes", "tiny", "--seeds", "3", "--variants", "full", "vit_alone",
    ]  # fmt: skip


def test_miniature_stopped_and_gone_on_with(
    ablation: ModuleType, miniature: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    scored, out = ablation.scored, tmp_path / "out"

    def interrupted(run: Path, data: Path) -> Any:
        if run.name.endswith("vit_alone"):
            raise KeyboardInterrupt
        return scored(run, data)

    monkeypatch.setattr(ablation, "scored", interrupted)
    with pytest.raises(SystemExit, match="goes on with what is left"):
        ablation.main(miniature)
    assert [path.name for path in (out / "test").glob("*.json")] == ["tiny-s3-full.json"]
    assert not (tmp_path / "ablation.json").exists()
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".ckpt", ".json")}

    monkeypatch.setattr(ablation, "scored", scored)
    ablation.main(miniature)
    assert {path: path.stat().st_mtime_ns for path in files} == files  # nothing was trained or scored again
    content = json.loads((tmp_path / "ablation.json").read_text())
    first, second = content["rows"]
    assert [(one["variant"], one["seed"], one["training"]["steps"]) for one in (first, second)] == [
        ("full", 3, 2), ("vit_alone", 3, 2)
    ]  # fmt: skip
    assert first["parameters"] > second["parameters"]
    assert content["command"].endswith("--sizes tiny --seeds 3 --variants full vit_alone")
    assert "full beats ViT alone" in (tmp_path / "ablation.md").read_text()

    for lost in ("runs/tiny-s3-full/finished.json", "test/tiny-s3-full.json"):  # killed after its last step
        (out / lost).unlink()
    ablation.main(miniature)
    gone_on = json.loads((tmp_path / "ablation.json").read_text())["rows"][0]
    assert (gone_on["mAP"], gone_on["training"]["steps"], gone_on["training"]["resumed"]) == (first["mAP"], 2, True)
    content = json.loads((tmp_path / "ablation.json").read_text())

    capsys.readouterr()
    (tmp_path / "ablation.json").unlink()
    ablation.main(["--summarise", *miniature[2:]])
    assert json.loads((tmp_path / "ablation.json").read_text()) == content
    assert "| ViT alone |" in capsys.readouterr().out


def test_tuning_scores_on_val_and_leaves_the_docs(
    ablation: ModuleType, miniature: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only_alone = [*miniature[:-2], "vit_alone", "--tune", "-o", "training.lr=1e-4"]
    ablation.main(only_alone)
    assert "Scored on val" in capsys.readouterr().out
    assert (tmp_path / "out/val/tiny-s3-vit_alone.json").is_file()
    assert not (tmp_path / "ablation.json").exists()
    with pytest.raises(SystemExit, match=r"error: .*further was .* give a new --out"):
        ablation.main([*only_alone[:-1], "training.lr=2e-4"])
    # From the same pretrained run, into another folder.
    pretrained = tmp_path / "out"
    shutil.rmtree(pretrained / "val")
    again = [*only_alone[:-1], "training.lr=2e-4", "--pretrained", str(pretrained), "--out", str(tmp_path / "other")]
    ablation.main(again)
    assert [path.name for path in (tmp_path / "other/runs").iterdir() if path.is_dir()] == ["tiny-s3-vit_alone"]


def test_a_set_without_a_test_split_is_refused(ablation: ModuleType, miniature: list[str], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "set/annotations/test")
    with pytest.raises(SystemExit, match=r"no annotations/test/\*\.json; .* --benchmark synth-occlusion"):
        ablation.main(miniature)
