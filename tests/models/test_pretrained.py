"""``save_pretrained`` and ``from_pretrained``, through huggingface_hub."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file

import posegraph
from posegraph.config import RunConfig
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.models.ncstr import NCSTR
from posegraph.models.vitpose import ViTPose


@pytest.mark.parametrize(("preset", "kind"), [("vitpose-s", ViTPose), ("ncstr-s", NCSTR)])
@pytest.mark.parametrize("opened", [PoseModel.from_pretrained, posegraph.load])
def test_a_saved_model_comes_back_as_it_was(preset: str, kind: type, opened, tiny, images, tmp_path: Path) -> None:
    model = tiny(preset, skeleton="jhmdb15", decoder="simple", visible_threshold=0.4)
    model.save_pretrained(tmp_path / "saved")
    again = opened(tmp_path / "saved")
    assert (type(again), again.training) == (kind, False)
    assert (again.skeleton, again.config) == (model.skeleton, model.config)
    own = model.state_dict()
    assert set(again.state_dict()) == set(own)
    assert all(torch.equal(value, own[name]) for name, value in again.state_dict().items())


def test_what_lies_in_the_folder(tiny, tmp_path: Path) -> None:
    model = tiny(skeleton="posetrack17")
    model.run_config = RunConfig.from_preset(
        "vitpose-s", ["data.box_scale=1.5", "evaluation.keypoint_score=both", "data.train=/home/me/secret.json"]
    )
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert set(load_file(tmp_path / "model.safetensors")) == set(model.state_dict())
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["posegraph_version"] == posegraph.__version__
    assert (config["model"]["decoder"], config["model"]["embed_dim"], config["model"]["preset"]) == (
        "classic", 32, "vitpose-s",
    )  # fmt: skip
    assert config["skeleton"]["joints"][1] == "head_bottom"
    assert "secret" not in (tmp_path / "config.json").read_text()
    card = (tmp_path / "README.md").read_text()
    assert "library_name: posegraph" in card
    assert "pipeline_tag: keypoint-detection" in card
    again = PoseModel.from_pretrained(tmp_path)
    assert (again.run_config.data.box_scale, again.run_config.evaluation.keypoint_score) == (1.5, "both")


def test_where_the_weights_came_from_is_not_published(vitpose, tiny, coco_labels, tmp_path: Path) -> None:
    vitpose("tiny", labels=coco_labels).save_pretrained(tmp_path / "theirs")
    model = tiny(weights=tmp_path / "theirs", weights_skeleton="coco17")
    assert model.config.weights == str(tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours")
    assert str(tmp_path) not in (tmp_path / "ours/config.json").read_text()
    again = posegraph.load(tmp_path / "ours")
    assert (again.config.weights, again.config.weights_skeleton, again.weights_report) == (None, None, None)


def test_a_model_of_the_hub(tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Downloaded once, it opens without a connection: from_pretrained and load read the hub's cache."""
    model = tiny()
    repository = tmp_path / "models--owner--name"
    model.save_pretrained(repository / "snapshots/0123456789abcdef")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0123456789abcdef")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.file_download, "HF_HUB_CACHE", str(tmp_path), raising=False)
    for again in (PoseModel.from_pretrained("owner/name", cache_dir=tmp_path), posegraph.load("owner/name")):
        assert torch.equal(again.backbone.vit.pos_embed, model.backbone.vit.pos_embed)
    with pytest.raises(PoseGraphError, match=r"owner/other: is no file or folder here, and could not be fetched"):
        PoseModel.from_pretrained("owner/other")


def test_the_wrong_class(tiny, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    assert isinstance(ViTPose.from_pretrained(tmp_path), ViTPose)
    with pytest.raises(PoseGraphError, match=r"is a ViTPose, not a NCSTR; use PoseModel\.from_pretrained"):
        NCSTR.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"skeleton"', '"bones"', r"config\.json: 'skeleton' is missing; give the folder as save_pretrained wrote it"),
        ('"depth": 2', '"depth": 3', r"does not fit the model \(12 tensors missing, 0 unknown, first: backbone\.vit"),
        ('"depth": 2', '"depth": 1', r"does not fit the model \(0 tensors missing, 12 unknown, first: backbone\.vit"),
        ('"depth": 2', '"depth": "two"', r"config\.json: model\.depth: Input should be a valid integer"),
        (
            '"patch_size": 16',
            '"patch_size": 8',
            r"proj\.weight has shape \(32, 3, 16, 16\), the model's has ",
        ),
        ("posegraph_version", "version", r"was not written by posegraph; posegraph\.load and --weights open other "),
        ('"depth": 2,', "", r"does not fit the model \(120 tensors missing"),
    ],
)
def test_edited_folders(old: str, new: str, message: str, tiny, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    text = (tmp_path / "config.json").read_text()
    assert old in text
    (tmp_path / "config.json").write_text(text.replace(old, new))
    with pytest.raises(PoseGraphError, match=message):
        PoseModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"posegraph_version', r"config\.json: not valid JSON, line 1"),
        ("[1]", r"config\.json: expected an object of settings; give the folder as it was saved"),
    ],
)
def test_damaged_settings(text: str, message: str, tiny, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(PoseGraphError, match=message):
        PoseModel.from_pretrained(tmp_path)


def test_a_folder_without_its_tensors(tiny, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(PoseGraphError, match=r"model\.safetensors: cut off, or no safetensors file .* undamaged file"):
        PoseModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(PoseGraphError, match=r"holds neither checkpoints/last\.ckpt nor model\.safetensors nor "):
        PoseModel.from_pretrained(tmp_path)


def test_posegraphs_own_files_say_their_joints(tiny, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    with pytest.raises(PoseGraphError, match=r"says itself which joints it has, and has no experts; leave both away"):
        posegraph.load(tmp_path, skeleton="coco17")
