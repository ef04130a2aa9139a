"""The comparison with rivals: its table on literal rows, and a miniature of all of it, gone on with."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from posegraph.config import RunConfig
from posegraph.config.text import commented_yaml
from posegraph.data.synthetic import generate
from posegraph.engine.training import train

TINY = (
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.patch_size=8", "training.batch_size=2", "training.max_steps=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def rivals(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("rivals")


def test_table_of_literal_rows(rivals: ModuleType) -> None:
    rows = [
        {"row": name, "seed": seed, "mAP": mean}
        for name, means in {"vit_alone": (60.0, 62.0), "dcpose_future": (63.0, 64.0)}.items()
        for seed, mean in enumerate(means)
    ]
    alone = {"frames": 1, "future_frames": 0, "parameters": 2_430_000, "gmacs_clip": 0.1757, "gmacs_stream": 0.1757,
             "ms_clip": 7.0, "ms_stream": 6.5}  # fmt: skip
    other = alone | {"frames": 3, "future_frames": 1, "gmacs_stream": None}
    del other["ms_stream"]
    lines = rivals.table(rows, {"vit_alone": alone, "dcpose_future": other}).splitlines()
    assert lines[2] == "| ViT alone | 1 | 0 | 61.0 ± 1.4 |  | 2 | 2.43 | 0.176 | 0.176 | 7.0 | 6.5 |"
    assert lines[3] == "| DCPose | 3 | 1 | 63.5 ± 0.7 | +2.5 ± 0.7 | 2 | 2.43 | 0.176 | - | 7.0 | - |"


@pytest.fixture
def start(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Path]:
    """``start(size, seed)`` is a folder with the configuration of the ablation's pretrained run, and nothing more."""
    ablation = benchmark("ablation")

    def start(size: str, seed: int) -> Path:
        folder = tmp_path / "runs" / f"{size}-s{seed}-pretrained"
        args = argparse.Namespace(data=Path("DATA"), precision="bf16-mixed")
        run = ablation.config(args, size, seed, "vit_alone", None)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(commented_yaml(run, model_values=True))
        return folder

    return start


@pytest.mark.parametrize("size", ["nano", "tiny"])
@pytest.mark.parametrize(("row", "variant"), [("ncstr", "full"), ("vit_alone", "vit_alone")])
def test_a_row_that_both_have_is_the_ablations(
    rivals: ModuleType, benchmark: Callable[[str], ModuleType], start: Callable[..., Path], tmp_path: Path,
    size: str, row: str, variant: str,
) -> None:  # fmt: skip
    starts = [start(size, 0), start(size, 1)]
    words = ["--data", "DATA", "--pretrained", *map(str, starts), "--features", str(tmp_path / "features")]
    found = rivals.config(rivals.arguments(words), 1, row)
    args = argparse.Namespace(data=Path("DATA"), pretrained=tmp_path, precision="bf16-mixed", override=[])
    assert found == benchmark("ablation").config(args, size, 1, variant, starts[1])


@pytest.mark.parametrize(
    ("row", "override", "folder", "ranks"),
    [
        ("ncstr", "seed=0", "tiny-s0-pretrained", "visibility"),
        ("dcpose", "seed=0", "tiny-s0-pretrained", "peak"),
        ("dsta_future", "seed=0", "tiny-s0-pretrained-3frames-1future", "peak"),
        ("posewarper_future", "model.num_frames=5", "tiny-s0-pretrained-5frames-1future", "peak"),
        ("dcpose", "model.num_frames=5", "tiny-s0-pretrained-5frames-0future", "peak"),
    ],
)
def test_a_window_has_its_own_features(
    rivals: ModuleType, start: Callable[..., Path], row: str, override: str, folder: str, ranks: str
) -> None:
    words = ["--data", "DATA", "--pretrained", str(start("tiny", 0)), "--out", "OUT", "-o", override]
    run = rivals.config(rivals.arguments(words), 0, row)
    assert run.data.features == f"OUT/features/{folder}"
    assert (run.training.backbone_lr_scale, run.loss.heatmap, run.evaluation.keypoint_score) == (0, 0, ranks)


def test_starts_of_two_sizes_or_of_one_name_are_refused(
    rivals: ModuleType, start: Callable[..., Path], tmp_path: Path
) -> None:
    tiny, nano = start("tiny", 0), start("nano", 1)
    with pytest.raises(SystemExit, match=r"nano-s1-pretrained: has another backbone.*give runs of one size"):
        rivals.main(["--data", "DATA", "--pretrained", str(tiny), str(nano)])
    shutil.copytree(tiny, tmp_path / "copy" / tiny.name)
    with pytest.raises(SystemExit, match="another start has this name, by which features are kept; rename one"):
        rivals.main(["--data", "DATA", "--pretrained", str(tiny), str(tmp_path / "copy" / tiny.name)])


@pytest.fixture
def miniature(tmp_path: Path) -> list[str]:
    """Arguments for two further steps from a run of one step, on a handful of frames."""
    generate(tmp_path / "set", sequences=2, frames=3, people=1, size=(96, 72), val_fraction=0.5, workers=1)
    annotations = tmp_path / "set/annotations"
    shutil.copytree(annotations / "val", annotations / "test")
    settings = (*TINY, "model.variant=vit_alone", f"data.train={annotations}/train")
    train(RunConfig.from_preset("ncstr-tiny", settings), tmp_path / "start", progress=False)
    (tmp_path / "rivals.md").write_text("<!-- rivals begin -->\n<!-- rivals end -->\n")
    return [
        "--data", str(tmp_path / "set"), "--pretrained", str(tmp_path / "start"), "--out", str(tmp_path / "out"),
        "--steps", "2", "--rounds", "1", "--json", str(tmp_path / "rivals.json"), "--docs", str(tmp_path / "rivals.md"),
        "-o", "data.frames=null", "--rows", "vit_alone", "dsta", "posewarper_future",
    ]  # fmt: skip


def test_miniature_gone_on_with(rivals: ModuleType, miniature: list[str], tmp_path: Path) -> None:
    rivals.main([*miniature[:-2]])
    (first,) = json.loads((tmp_path / "rivals.json").read_text())["rows"]
    rivals.main(miniature)
    content = json.loads((tmp_path / "rivals.json").read_text())
    found = {row["row"]: row for row in content["rows"]}
    assert list(found) == ["dsta", "posewarper_future", "vit_alone"]
    assert found["vit_alone"] == first  # not trained again
    assert [row["training"]["steps"] for row in found.values()] == [6, 2, 2]  # dsta: three times as many
    window = RunConfig.from_file(tmp_path / "out/runs/s0-posewarper_future/config.yaml").model
    assert (window.method, window.num_frames, window.future_frames) == ("posewarper", 3, 1)
    assert window.weights == str(tmp_path / "start")
    found_in = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("features.npy")}
    assert found_in == {"out/features/start/train", "out/features/start-3frames-1future/train"}
    costs = content["costs"]
    assert costs["posewarper_future"]["gmacs_stream"] is None
    assert costs["vit_alone"]["gmacs_stream"] == costs["vit_alone"]["gmacs_clip"] < costs["dsta"]["gmacs_clip"]
    # An answer of dsta needs neither decoder nor flow.
    assert costs["dsta"]["parameters"] < found["dsta"]["parameters"]
    assert costs["vit_alone"]["parameters"] == found["vit_alone"]["parameters"]
    assert content["command"].endswith("--steps 2 --rows vit_alone dsta posewarper_future -o data.frames=null")
    assert "| PoseWarper | 3 | 1 |" in (tmp_path / "rivals.md").read_text()
    with pytest.raises(SystemExit, match=r"steps was 2 .* give a new --out"):
        rivals.main([*miniature, "--steps", "3"])
    # Another --out with the features of this one: nothing is computed again.
    features = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    there = ["--out", str(tmp_path / "other"), "--features", str(tmp_path / "out/features"), "--split", "val"]
    rivals.main([*miniature, *there, "--rows", "dsta"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == features
    (row,) = (json.loads(path.read_text()) for path in (tmp_path / "other/val").glob("*.json"))
    assert (row["pretrained"], row["training"]["steps"]) == ("start", 6)


def test_a_start_that_is_no_vit_alone_is_refused(rivals: ModuleType, miniature: list[str], tmp_path: Path) -> None:
    config = tmp_path / "start/config.yaml"
    config.write_text(config.read_text().replace("variant: vit_alone", "variant: full"))
    with pytest.raises(SystemExit, match="is a run of variant full; all rows start from one of vit_alone"):
        rivals.main(miniature)
    config.unlink()
    with pytest.raises(SystemExit, match=r"is no run \(it has no config.yaml\)"):
        rivals.main(miniature)
