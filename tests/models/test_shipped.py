"""The model that comes with posegraph: found by name, whole, in half the bytes, and able to do something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from setuptools import Distribution

import posegraph
from posegraph.data.people import People
from posegraph.data.synthetic import generate
from posegraph.engine.checkpoint import location
from posegraph.engine.evaluation import evaluate
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.models.pretrained import write_pretrained
from posegraph.models.weights import open_source, shipped

ROOT = Path(posegraph.__file__).parents[1]
NAME = "ncstr-tiny"


def noisy(seed: int = 0, **overrides: object) -> PoseModel:
    """ncstr-tiny with random weights whose poses depend on the image and on the past."""
    torch.manual_seed(seed)
    model = posegraph.build_model(NAME, skeleton="posetrack17", **overrides)
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    for parameter in model.graph_parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PoseModel:
    """A small model in the place of the shipped one; nothing of that name lies in the working folder."""
    model = noisy(input_hw=(64, 48), embed_dim=32, depth=1, num_heads=2, node_channels=32, deconv_channels=(16,))
    write_pretrained(model, tmp_path / "shipped" / NAME, half=True)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return model


# --- half precision ------------------------------------------------------------------------------------------------


def test_half_precision_halves_the_file_and_hardly_moves_a_pose(tmp_path: Path) -> None:
    model = noisy()
    write_pretrained(model, tmp_path / "half", half=True)
    write_pretrained(model, tmp_path / "whole")
    stored = load_file(tmp_path / "half/model.safetensors")
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}
    half, whole = ((tmp_path / kind / "model.safetensors").stat().st_size for kind in ("half", "whole"))
    assert half < 0.51 * whole
    assert next(model.parameters()).dtype == torch.float32  # the model itself is as it was

    again = posegraph.load(tmp_path / "half")
    own = model.state_dict()
    for name, value in again.state_dict().items():
        assert value.dtype == own[name].dtype
        torch.testing.assert_close(value, own[name], rtol=2**-11, atol=1e-7)  # float16 has eleven bits

    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    boxes = np.array([[20.0 + 40 * row, 30.0, 60.0, 150.0] for row in range(6)])
    people = People(boxes, np.ones(6), np.arange(6))
    poses = [PoseStream(one).step(image, people).keypoints_px for one in (model, again)]
    moved = np.linalg.norm(poses[0] - poses[1], axis=-1)  # noise has peaks of the same height: a few may change places
    assert np.median(moved) < 0.05
    assert (moved < 0.05).mean() > 0.9


def test_half_precision_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    model = noisy()
    model.heatmap_head.final.bias.data[3] = 1e6
    with pytest.raises(PoseGraphError, match=r"heatmap_head\.final\.bias: has values that float16 cannot hold"):
        write_pretrained(model, tmp_path / "half", half=True)
    assert not (tmp_path / "half").exists()


# --- the name ------------------------------------------------------------------------------------------------------


def test_the_name_opens_the_folder_in_the_package(stand_in: PoseModel) -> None:
    again = posegraph.load(NAME)
    assert (again.config.embed_dim, again.skeleton.name, location(NAME)) == (32, "posetrack17", NAME)
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    assert torch.equal(again.heatmap_head.final.weight, stand_in.heatmap_head.final.weight.half().float())
    assert open_source(NAME).spec == NAME


def test_training_starts_from_it_by_name(stand_in: PoseModel) -> None:
    """Rows go by the joints' names: coco17 has 15 of posetrack17's."""
    model = posegraph.build_model(
        NAME, skeleton="coco17", weights=NAME, input_hw=(64, 48), embed_dim=32, depth=1, num_heads=2,
        node_channels=32, deconv_channels=(16,),
    )  # fmt: skip
    wrist, theirs = model.skeleton.index["left_wrist"], stand_in.skeleton.index["left_wrist"]
    rows = (model.heatmap_head.final.weight[wrist], stand_in.heatmap_head.final.weight[theirs].half().float())
    assert torch.equal(*rows)
    assert model.weights_report is not None
    assert model.weights_report.initialised_joints == ("left_eye", "right_eye")
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_what_lies_here_goes_before_the_name(stand_in: PoseModel) -> None:
    other = noisy(
        seed=1, input_hw=(64, 48), embed_dim=16, depth=1, num_heads=2, node_channels=32, deconv_channels=(16,)
    )
    other.save_pretrained(Path(NAME))
    assert posegraph.load(NAME).config.embed_dim == 16
    assert posegraph.load(shipped.shipped_folder(NAME)).config.embed_dim == 32


def test_other_presets_have_no_weights(stand_in: PoseModel) -> None:
    with pytest.raises(PoseGraphError, match=r"^ncstr-s: is a preset, and its weights are random; .*comes ncstr-tiny"):
        posegraph.load("ncstr-s")


def _no_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _no_tensors(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _cut_settings(folder: Path) -> None:
    (folder / "config.json").write_text('{"posegraph_version')


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_no_folder, r"its folder .*ncstr-tiny is missing"),
        (_no_tensors, r"holds neither .* nor model\.safetensors"),
        (_cut_tensors, r"model\.safetensors: cut off"),
        (_cut_settings, r"config\.json: not valid JSON"),
    ],
)
def test_a_broken_installation_is_named(damage: Callable[[Path], None], found: str, stand_in: PoseModel) -> None:
    damage(shipped.FOLDER / NAME)
    for spec in (NAME, shipped.FOLDER / NAME):
        with pytest.raises(
            PoseGraphError, match=rf"^ncstr-tiny: .*{found}.* installation is damaged; install posegraph"
        ):
            posegraph.load(spec)


# --- what is really shipped ----------------------------------------------------------------------------------------


def test_the_wheel_holds_the_shipped_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    distribution = Distribution({"packages": ["posegraph"]})
    distribution.parse_config_files(["pyproject.toml"])
    distribution.include_package_data = False  # by the patterns alone, not by what a version control knows
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    packed = {Path(source, name) for _, source, _, names in command.data_files for name in names}
    folder = Path("posegraph/shipped") / NAME
    assert {path.name for path in packed if path.parent == folder} == {"README.md", "config.json", "model.safetensors"}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12e6


def test_the_shipped_model_has_learnt_something(tmp_path: Path) -> None:
    """On people of the generator that nobody trained on; noise finds next to nothing."""
    generate(tmp_path, sequences=2, frames=6, people=2, size=(320, 240), seed=987654, val_fraction=0.0, workers=1)
    model = posegraph.load(shipped.shipped_folder(NAME))
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    ap = evaluate(model, tmp_path / "annotations/train").scores.ap
    assert ap is not None
    assert ap.table["Mean"] > 15
