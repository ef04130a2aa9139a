"""Models to files and back."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import GATConv

import posegraph
from posegraph import People, PoseStream
from posegraph.config import StreamConfig
from posegraph.data.synthetic import render_sequence
from posegraph.engine.exporting import export as exporting
from posegraph.engine.exporting.clips import image_clips, synthetic_clips
from posegraph.engine.exporting.export import export_model
from posegraph.engine.exporting.formats import check_choice, quantise, write_part
from posegraph.engine.exporting.opening import open_model
from posegraph.engine.exporting.parts import model_parts
from posegraph.engine.exporting.runtimes import open_part
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel

from .conftest import Exported


def test_what_is_written(onnx_export: Exported, model: PoseModel) -> None:
    folder, report = onnx_export
    assert sorted(path.name for path in folder.iterdir()) == [
        "clip.onnx",
        "encode.onnx",
        "manifest.json",
        "reason.onnx",
    ]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["run"]["skeleton"]["joints"] == list(model.skeleton.joints)
    assert manifest["parts"]["reason"] == {"inputs": ["features", "heatmaps"], "outputs": ["nodes", "values"]}
    assert manifest["check"]["differences"]["nodes"] == report.differences.nodes <= 1e-4
    assert report.differences.max_px <= 0.01
    assert report.differences.batches == (1, 2, 5)
    assert any(isinstance(module, GATConv) for module in model.modules())  # what the check held it against


def test_a_batch_of_a_size_that_nobody_tried(onnx_export: Exported, model: PoseModel) -> None:
    clips = [*synthetic_clips(model), *synthetic_clips(model)[:2]]
    batch = Batch.from_data_list(clips)
    with torch.no_grad():
        wanted = model.run(batch)
    nodes, values = posegraph.load_exported(onnx_export.folder).clip(batch.frames)
    assert (clips[0].frames != clips[1].frames).any()
    torch.testing.assert_close(nodes, wanted.nodes, rtol=0, atol=1e-4)
    torch.testing.assert_close(values, wanted.values, rtol=0, atol=1e-4)


def test_a_stream_gives_the_models_poses(onnx_export: Exported, model: PoseModel) -> None:
    images = render_sequence(0, 0, frames=4, people=1, size=(96, 72)).images
    ours = PoseStream(posegraph.load_exported(onnx_export.folder))
    theirs = PoseStream(model)
    for image in images:
        people = People(np.array([[20.0, 10, 30, 50], [5, 5, 40, 60]]), np.ones(2), np.array([3, 8]))
        found, wanted = ours.step(image, people), theirs.step(image, people)
        np.testing.assert_allclose(found.keypoints_px, wanted.keypoints_px, atol=0.02)
        np.testing.assert_allclose(found.keypoint_scores, wanted.keypoint_scores, atol=1e-4)
    with pytest.raises(PoseGraphError, match=r"stream.compile: .*exported to onnx.*stream.compile=false"):
        PoseStream(posegraph.load_exported(onnx_export.folder), settings=StreamConfig(compile=True))
    with pytest.raises(PoseGraphError, match=r"stream.dtype: .*is exported, and computes in fp32; set stream.dtype"):
        PoseStream(posegraph.load_exported(onnx_export.folder), settings=StreamConfig(dtype="bfloat16"))


def test_a_wrong_export_is_refused(
    onnx_export: Exported, model: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_file(name: str, part: nn.Module, inputs: tuple[Tensor, ...], to: str, path: Path) -> None:
        shutil.copy(onnx_export.folder / path.name, path)

    monkeypatch.setattr(exporting, "write_part", others_file)
    export_model(model, tmp_path / "right", "onnx")
    other = deepcopy(model)
    with torch.no_grad():
        for module in other.modules():
            if isinstance(module, GATConv):
                module.att_src += 1.0
    with pytest.raises(PoseGraphError, match=r"not the model: nodes differ by \d.*px.*Nothing was written") as error:
        export_model(other, tmp_path / "wrong", "onnx")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


def test_a_torch_program_takes_any_batch(tmp_path: Path) -> None:
    class Doubled(nn.Module):
        def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
            return 2 * crops, crops.flatten(1).sum(dim=1)

    path = tmp_path / "encode.pt2"
    write_part("encode", Doubled().eval(), (torch.randn(2, 3, 4, 4),), "pt2", path)
    run = open_part("pt2", path)
    for size in (1, 7):
        crops = torch.arange(48.0 * size).view(size, 3, 4, 4)
        doubled, sums = run(crops)
        assert torch.equal(doubled, 2 * crops)
        torch.testing.assert_close(sums[0], torch.tensor(47 * 48 / 2))
    path.write_bytes(b"no program")
    with pytest.raises(PoseGraphError, match=r"encode.pt2: cannot be loaded \(.*export the model again"):
        open_part("pt2", path)


def test_a_torch_program_in_bf16_leaves_the_model_as_it_is(model: PoseModel, tmp_path: Path) -> None:
    clip = synthetic_clips(model)[0]
    with torch.no_grad():
        before = model.run(clip).nodes
        crops = clip.frames[0]
        rounded, _ = model_parts(model, torch.bfloat16)["encode"](crops)
        exact, _ = model_parts(model)["encode"](crops)
        assert torch.equal(model.run(clip).nodes, before)
    assert rounded.dtype == torch.float32
    assert 1e-4 < (rounded - exact).abs().max() < 0.2


def test_8_bits_are_near(onnx_export: Exported, model: PoseModel, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "encode.onnx"
    shutil.copy(onnx_export.folder / "encode.onnx", path)
    quantise(path)
    kinds = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert {"MatMulInteger", "DynamicQuantizeLinear"} <= kinds
    assert [file.name for file in tmp_path.iterdir()] == ["encode.onnx"]
    crops = synthetic_clips(model)[0].frames[0]
    exact, _ = open_part("onnx", onnx_export.folder / "encode.onnx")(crops)
    rounded, _ = open_part("onnx", path)(crops)
    assert 1e-4 < (rounded - exact).abs().max() < 0.2


def test_choices_that_do_not_exist() -> None:
    with pytest.raises(PoseGraphError, match="onnx computes in fp32 or int8; export to pt2, aoti for bf16"):
        check_choice("onnx", "bf16")
    with pytest.raises(PoseGraphError, match="pt2 computes in fp32 or bf16; export to onnx for int8"):
        check_choice("pt2", "int8")


def test_nothing_is_overwritten(onnx_export: Exported, model: PoseModel, tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match="holds an export; name a new folder, or give --overwrite"):
        export_model(model, onnx_export.folder, "onnx")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(PoseGraphError, match="posegraph export did not write it"):
        export_model(model, tmp_path, "onnx", overwrite=True)


def test_damaged_folders_are_refused(onnx_export: Exported, tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"holds no manifest.json; give a folder that posegraph export wrote"):
        posegraph.load_exported(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(onnx_export.folder, folder)
    (folder / "clip.onnx").unlink()
    with (folder / "encode.onnx").open("ab") as file:
        file.write(b"!")
    model = posegraph.load_exported(folder)
    with pytest.raises(PoseGraphError, match=r"clip.onnx: is missing; copy the folder again"):
        model.clip(torch.zeros(1, 3, 3, 64, 48))
    with pytest.raises(PoseGraphError, match=r"encode.onnx: is not the file that was exported"):
        model.encode(torch.zeros(1, 3, 64, 48))
    manifest = json.loads((folder / "manifest.json").read_text())
    for change, message in [
        ({"posegraph_export": 99}, "has layout 99, expected 1"),
        ({"format": "tflite"}, "is not as posegraph export wrote it"),
        ({"files": manifest["files"][:1]}, "is not as posegraph export wrote it"),
    ]:
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(PoseGraphError, match=message):
            posegraph.load_exported(folder)


def test_the_runtime_is_told_from_the_folder(onnx_export: Exported, tiny_model: Path) -> None:
    folder, run = str(onnx_export.folder), str(tiny_model)
    assert open_model(folder).files_id == open_model(folder, "onnx").files_id  # type: ignore[union-attr]
    assert isinstance(open_model(run, "torch", "cpu"), PoseModel)
    for spec, choices, message in [
        (run, {"runtime": "onnx"}, f"is not exported; export it: posegraph export {run} --to onnx --out DIR"),
        (folder, {"runtime": "aoti"}, "was exported to onnx; leave --runtime away, or give another export"),
        (folder, {"device": "cuda"}, "is exported for the CPU; give the run itself for a GPU"),
        (folder, {"skeleton": "coco17"}, "says itself which joints it has"),
    ]:
        with pytest.raises(PoseGraphError) as error:
            open_model(spec, **choices)  # type: ignore[arg-type]
        assert message in str(error.value)


def test_clips_of_pictures_are_runs_of_neighbours(model: PoseModel, tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match="has no images"):
        image_clips(model, tmp_path)
    for number in range(9):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 48, 3), 20 * number, np.uint8))
    clips = image_clips(model, tmp_path)
    # Clips end at pictures 0, 2, 4, 6 and 8; before the first, it is repeated. Red is normalised.
    grey = [(clip.frames[0, :, 0, 32, 24] * 0.229 + 0.485) * 255 / 20 for clip in clips]
    np.testing.assert_allclose(torch.stack(grey), [[0, 0, 0], [0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8]], atol=1e-3)
