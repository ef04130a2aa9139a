"""config -> train -> eval -> score, as a user types them, and the one line of every mistake."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data.synthetic import generate
from posegraph_cli import main as cli

TINY = [
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=1", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.stem=conv", "model.patch_size=8", "model.attention_heads=4",
    "training.batch_size=4", "training.lr=1e-3", "training.log_every=1", "training.accelerator=cpu",
    "training.max_steps=2",
]  # fmt: skip


class Said(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; the exit status and what went to stdout and stderr."""

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["posegraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        said = capfd.readouterr()
        return Said(exited.value.code, said.out, said.err)

    return run


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run the command line and expect a mistake: status 2, nothing on stdout, one line on stderr."""

    def refused(*arguments: object) -> str:
        said = run(*arguments)
        lines = [line for line in said.err.splitlines() if not _from_lightning(line)]
        assert (said.status, said.out) == (2, "")
        assert len(lines) == 1, said.err
        assert lines[0].startswith("error: ")
        return lines[0]

    return refused


def _from_lightning(line: str) -> bool:
    return line.startswith(("GPU available", "TPU available", "💡", "Loading `train_dataloader`")) or "Warning" in line


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=2, frames=4, people=2, size=(160, 120), val_fraction=0.5, workers=1)
    return out


def options(folder: Path, *more: str) -> list[str]:
    """``-o`` for a tiny run on the set in ``folder``."""
    values = [*TINY, f"data.train={folder}/annotations/train", *more]
    return [part for value in values for part in ("-o", value)]


@pytest.fixture(scope="module")
def trained(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from posegraph.engine.training import train

    out = tmp_path_factory.mktemp("runs") / "run"
    train(RunConfig.from_preset("ncstr-tiny", options(synthetic)[1::2]), out, progress=False)
    return out


@pytest.fixture
def copy(synthetic: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be spoilt."""
    return Path(shutil.copytree(synthetic, tmp_path / "data"))


def spoil(folder: Path, change: Callable[[dict[str, Any]], Any], part: str = "train") -> Path:
    path = next((folder / "annotations" / part).glob("*.json"))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def first_image(folder: Path, part: str) -> Path:
    return min((folder / "images" / part).rglob("*.jpg"))


def test_config_train_eval_score(run: Run, synthetic: Path, tmp_path: Path) -> None:
    config, out, predicted = tmp_path / "run.yaml", tmp_path / "run", tmp_path / "predicted"
    printed = run("config", "ncstr-tiny", "-o", "training.batch_size=4")
    assert (printed.status, printed.err) == (0, "")
    config.write_text(printed.out)

    said = run("train", config, *options(synthetic), "--out", out, "--json", "-")
    assert said.status == 0
    result = json.loads(said.out)
    assert (result["out"], result["steps"]) == (str(out), 2)
    assert result["metrics"]["train/loss"] > 0
    assert f"2 steps; the run is in {out}" in said.err
    assert RunConfig.from_file(out / "config.yaml") == RunConfig.from_file(
        config, [*options(synthetic)[1::2], "model.decoder=classic"]
    )

    val = synthetic / "annotations/val"
    said = run("eval", out, "--data", val, "--out", predicted, "--overlays", tmp_path / "pictures", "--json", "-")
    assert said.status == 0
    evaluated = json.loads(said.out)
    assert evaluated["checkpoint"] == str(out / "checkpoints/last.ckpt")
    assert (evaluated["boxes"], evaluated["metric"]) == ("ground truth", "PoseTrack AP")
    assert [path.name for path in predicted.iterdir()] == [path.name for path in val.iterdir()]
    assert len(list((tmp_path / "pictures").rglob("*.png"))) >= 1

    said = run("score", "--gt", val, "--pred", predicted, "--json", tmp_path / "score.json")
    assert said.status == 0
    assert "PoseTrack AP" in said.out
    scored = json.loads((tmp_path / "score.json").read_text())
    for key in ("AP", "precision", "recall", "table"):
        assert scored[key] == pytest.approx(evaluated[key], nan_ok=True), key


def test_eval_prints_a_table_that_names_its_boxes(run: Run, synthetic: Path, trained: Path) -> None:
    said = run("eval", trained, "--data", synthetic / "annotations/val", "--frames", "1-2")
    assert said.status == 0
    assert "PoseTrack AP on ground truth boxes" in said.out
    assert "Mean" in said.out


def test_eval_takes_a_preset_of_scoring(run: Run, synthetic: Path, trained: Path) -> None:
    val = synthetic / "annotations/val"
    found = json.loads(run("eval", trained, "--data", val, "-o", "keypoint_score=peak", "--json", "-").out)
    assert found["keypoint_score"] == "peak"


def test_resume_goes_on(run: Run, synthetic: Path, tmp_path: Path) -> None:
    def steps(count: int, *more: str) -> Said:
        arguments = options(synthetic, f"training.max_steps={count}", "training.epochs=9")
        return run("train", "ncstr-tiny", *arguments, "--out", tmp_path / "run", "--json", "-", *more)

    assert json.loads(steps(1).out)["steps"] == 1
    again = steps(2)
    assert again.status == 2
    assert "already holds a trained run; give --resume to go on with it, or another --out" in again.err
    assert json.loads(steps(2, "--resume").out)["steps"] == 2


def test_a_damaged_checkpoint_is_refused_with_the_command_that_goes_on(
    run: Run, refused: Callable[..., str], synthetic: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = options(synthetic, "training.max_steps=3", "training.checkpoint_every=1", "training.epochs=9")
    assert run("train", "ncstr-tiny", *arguments, "--out", out).status == 0
    cut_off(out / "checkpoints/last.ckpt")
    good = f"{out}/checkpoints/previous.ckpt is whole (step 2)"
    assert refused("eval", out, "--data", synthetic / "annotations/val").endswith(f"give an undamaged file; {good}")
    said = refused("train", f"{out}/config.yaml", "--out", out, "--resume")
    assert said.startswith(f"error: {out}/checkpoints/last.ckpt: is cut off or no PyTorch file")
    offered, _, command = said.partition(", go on from it: posegraph ")
    assert offered.endswith(good)
    done = run(*shlex.split(command), "--json", "-")
    assert (done.status, json.loads(done.out)["steps"]) == (0, 3)


# What is wrong -> what the one line says. Each gets a copy of the data set and, of eval, a run.
TRAIN: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "unknown key": (lambda data: ["training.lrr=1"], "unknown key 'training.lrr'; keys are: epochs"),
    "override without a value": (lambda data: ["training.lr"], "is not of the form key=value"),
    "bad frames": (lambda data: ["data.frames=3-1"], "frames '3-1' is no range; write A-B"),
    "no data": (lambda data: ["data.train=null"], "data.train is empty"),
    "no such folder": (lambda data: [f"data.train={data}/none"], "none: no such file"),
    "missing image": (lambda data: first_image(data, "train").unlink() or [], "000000.jpg: no such image"),
    "malformed JSON": (
        lambda data: next((data / "annotations/train").glob("*.json")).write_text('{"images": [') and [],
        "not valid JSON, line 1 column 13",
    ),
    "wrong joint count": (
        lambda data: spoil(data, lambda c: c["annotations"][0].update(keypoints=[1.0] * 48)) and [],
        "found 48 numbers (annotation id",
    ),
    "bone without joint": (
        lambda data: (data / "s.yaml").write_text("name: s\njoints: [nose, l_wrist]\nbones: [[nose, l_wrst]]\n")
        and [f"skeleton={data}/s.yaml"],
        "names 'l_wrst', no joint of 's'; joints are: nose, l_wrist; did you mean 'l_wrist'?",
    ),
    "no such skeleton": (lambda data: ["skeleton=posetrack71"], "did you mean 'posetrack17'?"),
    "no such weights": (lambda data: ["model.weights=/none.ckpt"], "/none.ckpt: no such file or folder"),
    "text for weights": (
        lambda data: (data / "w.ckpt").write_text("hello") and [f"model.weights={data}/w.ckpt"],
        "is cut off or no PyTorch file (5 bytes)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(TRAIN))
def test_mistakes_of_train(refused: Callable[..., str], copy: Path, tmp_path: Path, mistake: str) -> None:
    spoilt, expected = TRAIN[mistake]
    overrides = spoilt(copy)
    assert expected in refused("train", "ncstr-tiny", *options(copy, *overrides), "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def cut_off(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cut_off_image_stops_the_training_with_its_name(
    refused: Callable[..., str], copy: Path, tmp_path: Path, workers: int
) -> None:
    for path in (copy / "images/train").rglob("*.jpg"):
        cut_off(path)
    arguments = ["train", "ncstr-tiny", *options(copy, f"data.workers={workers}"), "--out", tmp_path / "run"]
    said = refused(*arguments, "--json", "-")
    assert ".jpg: the JPEG is cut off; expected a whole image: copy the file again or remove its entry" in said
    assert len(said) < 400
    assert not list(tmp_path.rglob("*.ckpt"))
    # A run that died before its first checkpoint does not block its folder.
    assert "the JPEG is cut off" in refused(*arguments)


def test_weights_for_other_joints(run: Run, synthetic: Path, trained: Path, tmp_path: Path) -> None:
    arguments = options(synthetic, "skeleton=coco17")
    said = run("train", "ncstr-tiny", *arguments, "--weights", trained, "--out", tmp_path / "run")
    assert said.status == 0
    assert f"weights from {trained}: posegraph, classic decoder" in said.err
    assert "initialised the rows of joints it does not know: left_eye, right_eye" in said.err
    assert "left out the rows of joints the model has not: head_bottom, head_top" in said.err


def test_faulty_config_files(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    assert "no such file" in refused("train", path, "--out", tmp_path / "run")
    path.write_text("model: {preset: ncstr-tiny}\ntrainin: {}\n")
    assert "unknown key 'trainin'" in refused("train", path, "--out", tmp_path / "run")
    path.write_text("model: [")
    assert "not valid YAML" in refused("train", path, "--out", tmp_path / "run")
    assert "no preset 'ncstr-x'" in refused("config", "ncstr-x")
    assert list(tmp_path.iterdir()) == [path]


EVAL: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "bad frames": (lambda data: ["--frames", "3-1"], "--frames: frames '3-1' is no range; write A-B with A <= B"),
    "frames beyond the videos": (lambda data: ["--frames", "90-99"], "nobody to score in these frames"),
    "bad override": (lambda data: ["-o", "keypoint_score=best"], "evaluation.keypoint_score: Input should be "),
    "unknown override": (lambda data: ["-o", "keypoints=best"], "unknown key 'evaluation.keypoints'"),
    "missing image": (lambda data: first_image(data, "val").unlink() or [], "000000.jpg: no such image"),
    "cut off image": (lambda data: cut_off(first_image(data, "val")) or [], "000000.jpg: the JPEG is cut off"),
    "no image": (
        lambda data: first_image(data, "val").write_text("x" * 20) and [], "000000.jpg: 20 bytes that are no image"
    ),
    "images elsewhere": (lambda data: ["--images", "/nowhere"], "no such image"),
    "no such boxes": (lambda data: ["--boxes", "/none.json"], "/none.json: no such file"),
    "boxes of another set": (
        lambda data: (data / "b.json").write_text('[{"image_id": 1, "bbox": [0, 0, 5, 5], "score": 1}]')
        and ["--boxes", f"{data}/b.json"],
        "none of its 1 boxes is for ",
    ),
    "malformed JSON": (
        lambda data: next((data / "annotations/val").glob("*.json")).write_text("[") and [], "not valid JSON"
    ),
    "wrong joint count": (
        lambda data: spoil(data, lambda c: c["annotations"][0].update(keypoints=[1.0] * 48), "val") and [],
        "found 48 numbers (annotation id",
    ),
    "other joints": (
        lambda data: spoil(data, lambda c: c["categories"][0].update(keypoints=[f"j{n}" for n in range(17)]), "val")
        and [],
        "expected joints of skeleton 'posetrack17'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(EVAL))
def test_mistakes_of_eval(refused: Callable[..., str], copy: Path, trained: Path, tmp_path: Path, mistake: str) -> None:
    spoilt, expected = EVAL[mistake]
    extra = spoilt(copy)
    results = [tmp_path / name for name in ("predicted", "pictures", "result.json")]
    said = refused(
        "eval", trained, "--data", copy / "annotations/val", "--out", results[0], "--overlays", results[1],
        "--json", results[2], *extra
    )  # fmt: skip
    assert expected in said
    assert not any(path.exists() for path in results)


def test_eval_without_a_run(refused: Callable[..., str], synthetic: Path, tmp_path: Path) -> None:
    val = synthetic / "annotations/val"
    assert "no such file or folder" in refused("eval", tmp_path / "none", "--data", val)
    assert "holds neither checkpoints/last.ckpt nor model.safetensors" in refused("eval", tmp_path, "--data", val)
    torch.save({"weights": 1}, tmp_path / "foreign.pt")
    assert "holds no weights (found keys weights)" in refused("eval", tmp_path / "foreign.pt", "--data", val)
