"""``posegraph export``, and ``posegraph predict`` on what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from posegraph.data.synthetic import render_sequence
from posegraph.engine.exporting import export as exporting
from posegraph_cli.export import export
from posegraph_cli.predict import predict

from .conftest import Exported


def test_export_tells_its_figures(
    onnx_export: Exported, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What torch.onnx makes of this model is at hand.
    monkeypatch.setattr(
        exporting, "write_part", lambda name, part, inputs, to, path: shutil.copy(onnx_export.folder / path.name, path)
    )
    out = tmp_path / "out"
    said = CliRunner().invoke(export, [str(tiny_model), "--to", "onnx", "--out", str(out), "--json", "-"])
    assert said.exit_code == 0, said.exception
    report = json.loads(said.stdout)
    assert (report["format"], report["precision"], report["differences"]["clips"]) == ("onnx", "fp32", 5)
    assert report["size_bytes"] == sum(file.stat().st_size for file in out.glob("*.onnx"))
    assert "checking it against the model" in said.stderr
    again = CliRunner().invoke(export, [str(tiny_model), "--to", "onnx", "--out", str(out), "--overwrite"])
    assert "checked on 5 clips (drawn people) in batches of 1, 2, 5: nodes differ by" in again.stdout


def test_predict_runs_an_export(onnx_export: Exported, tiny_model: Path, tmp_path: Path) -> None:
    video = tmp_path / "video"
    video.mkdir()
    for number, image in enumerate(render_sequence(0, 0, frames=3, people=1, size=(96, 72)).images):
        cv2.imwrite(str(video / f"{number}.png"), image)

    def poses(name: str, *options: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        arguments = [str(video), "--detector", "self", "--save", "npz", "--out", str(tmp_path / name), *options]
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
