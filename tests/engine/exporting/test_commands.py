"""``posegraph export``, and ``posegraph predict`` and ``posegraph eval`` on what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from posegraph.data import read_tracks
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people
from posegraph.data.synthetic import generate, render_sequence
from posegraph.data.video import FrameReader
from posegraph.engine.exporting import export as exporting
from posegraph.engine.exporting.clips import annotated_clips
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph_cli.evaluate import evaluate
from posegraph_cli.export import export
from posegraph_cli.predict import predict

from .conftest import Exported


@pytest.fixture
def at_hand(onnx_export: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch.onnx makes of this model was made before."""
    monkeypatch.setattr(
        exporting, "write_part", lambda name, part, inputs, to, path: shutil.copy(onnx_export.folder / path.name, path)
    )


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in three frames."""
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=1, frames=3, people=2, size=(160, 120), val_fraction=0.0, workers=1)
    return out / "annotations/train"


@pytest.mark.usefixtures("at_hand")
def test_export_tells_its_figures(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = CliRunner().invoke(export, [str(tiny_model), "--to", "onnx", "--out", str(out), "--json", "-"])
    assert said.exit_code == 0, said.exception
    report = json.loads(said.stdout)
    assert (report["format"], report["precision"], report["differences"]["clips"]) == ("onnx", "fp32", 5)
    assert report["size_bytes"] == sum(file.stat().st_size for file in out.glob("*.onnx"))
    assert "checking it against the model" in said.stderr
    again = CliRunner().invoke(export, [str(tiny_model), "--to", "onnx", "--out", str(out), "--overwrite"])
    assert "checked on 5 clips (drawn people) in batches of 1, 2, 5: nodes differ by" in again.stdout


@pytest.mark.usefixtures("at_hand")
def test_export_is_checked_on_annotated_people(tiny_model: Path, annotations: Path, tmp_path: Path) -> None:
    arguments = [str(tiny_model), "--to", "onnx", "--out", str(tmp_path / "out"), "--check-data", str(annotations)]
    said = CliRunner().invoke(export, arguments)
    assert said.exit_code == 0, said.exception
    assert f"checked on 5 clips (people of {annotations}) in batches of 1, 2, 5: nodes differ by" in said.stdout
    check = json.loads((tmp_path / "out/manifest.json").read_text())["check"]
    assert check["checked_on"] == f"people of {annotations}"
    assert check["differences"]["max_px"] <= 0.01
    arguments[-1] = str(tmp_path / "nowhere")
    refused = CliRunner().invoke(export, [*arguments, "--overwrite"])
    assert isinstance(refused.exception, PoseGraphError)
    assert "nowhere" in str(refused.exception)


def test_clips_of_people_are_spread_over_the_data(model: PoseModel, annotations: Path, tmp_path: Path) -> None:
    people = annotated_people(read_tracks(annotations))
    dataset = ClipDataset(people, FrameReader(), ClipMaker(model.skeleton, model.config), 1.25)
    clips = annotated_clips(model, annotations)
    assert len(clips) == 5
    for clip, place in ((clips[0], 0), (clips[-1], len(people) - 1)):
        assert (clip.frames == dataset[place].frames).all()
    empty = json.loads(next(annotations.glob("*.json")).read_text()) | {"annotations": []}
    (tmp_path / "empty.json").write_text(json.dumps(empty))
    with pytest.raises(PoseGraphError, match=r"empty.json: has nobody annotated; give data with people"):
        annotated_clips(model, tmp_path / "empty.json")


def test_eval_scores_an_export_as_the_model(onnx_export: Exported, tiny_model: Path, annotations: Path) -> None:
    def figures(spec: Path) -> dict[str, float]:
        said = CliRunner().invoke(evaluate, [str(spec), "--data", str(annotations), "--json", "-"])
        assert said.exit_code == 0, said.exception
        found = json.loads(said.stdout)
        assert found["checkpoint"] == str(spec)
        table: dict[str, float] = found["table"]
        return table

    assert figures(onnx_export.folder) == pytest.approx(figures(tiny_model), nan_ok=True)
    twice = ["ncstr-tiny", "--weights", str(onnx_export.folder), "--data", str(annotations)]
    refused = CliRunner().invoke(evaluate, twice)
    assert "says itself which joints it has" in str(refused.exception)


def test_predict_runs_an_export(onnx_export: Exported, tiny_model: Path, tmp_path: Path) -> None:
    video = tmp_path / "video"
    video.mkdir()
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": one, "bbox": [10, 5, 60, 60], "score": 1} for one in range(3)]))
    for number, image in enumerate(render_sequence(0, 0, frames=3, people=1, size=(96, 72)).images):
        cv2.imwrite(str(video / f"{number}.png"), image)

    def poses(name: str, *options: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        arguments = [str(video), "--boxes", str(boxes), "--save", "npz", "--out", str(tmp_path / name), *options]
        said = CliRunner().invoke(predict, arguments, standalone_mode=False)
        assert said.return_value == 0, said.output
        found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.load(tmp_path / name / "video.npz")[
            "keypoints_px"
        ]
        return found

    torch_poses = poses("torch", "--model", str(tiny_model), "--device", "cpu")
    onnx_poses = poses("onnx", "--model", str(onnx_export.folder), "--runtime", "onnx")
    assert torch_poses.shape[0] == 3
    np.testing.assert_allclose(onnx_poses, torch_poses, atol=0.05)
