"""What SPEC can name, and what is refused: files that are damaged, foreign, or could run code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

import posegraph
from posegraph.errors import PoseGraphError
from posegraph.files import write_json
from posegraph.models.weights import open_source


def said(spec: object) -> str:
    """The one line of a refusal."""
    with pytest.raises(PoseGraphError) as error:
        posegraph.load(spec)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(spec))
    return str(error.value)


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["state_dict", "meta", "optimizer"])
def test_code_in_a_file_does_not_run(place: str, zipped: bool, vitpose, official, tmp_path: Path) -> None:
    content: dict[str, Any] = {"state_dict": official(vitpose("tiny").state_dict()), "meta": {}}
    hostile = Hostile(tmp_path / "owned")
    content[place] = content.get(place, {}) | {"x": hostile}
    torch.save(content, tmp_path / "bad.pth", _use_new_zipfile_serialization=zipped)
    text = said(tmp_path / "bad.pth")
    assert "holds posix.mkdir beside its tensors, which is not opened because it could run code" in text
    assert 'torch.save({"state_dict": torch.load(FILE, weights_only=False)["state_dict"]}, NEW_FILE)' in text
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "bad.pth", weights_only=False)  # it does run where it is let
    assert (tmp_path / "owned").exists()


class HistoryBuffer:
    """Like mmengine's, an object in a training checkpoint."""


def test_a_training_checkpoint_with_objects_is_refused_with_the_cure(vitpose, official, tiny, tmp_path: Path) -> None:
    content = {"state_dict": official(vitpose("tiny").state_dict()), "message_hub": HistoryBuffer()}
    torch.save(content, tmp_path / "epoch_210.pth")
    assert "HistoryBuffer beside its tensors" in said(tmp_path / "epoch_210.pth")
    cured = {"state_dict": torch.load(tmp_path / "epoch_210.pth", weights_only=False)["state_dict"]}
    torch.save(cured, tmp_path / "new.pth")
    assert len(tiny(weights=tmp_path / "new.pth").weights_report.loaded) == 43


def test_nothing_there(tmp_path: Path) -> None:
    assert "no such file or folder, and no id of a model on the Hugging Face hub (owner/name); check the path" in said(
        tmp_path / "none"
    )
    (tmp_path / "empty").mkdir()
    assert "holds neither checkpoints/last.ckpt nor model.safetensors nor pytorch_model.bin; give a folder" in said(
        tmp_path / "empty"
    )


@pytest.mark.parametrize("spec", ["usyd-community/vitpose-base-simple", "nielsr/vitpose-original/vitpose-b.pth"])
def test_a_hub_id_without_a_connection(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    text = said(spec)
    assert "is no file or folder here, and could not be fetched from the Hugging Face hub (" in text
    assert "check the path or the id, or download it where there is a connection and give the folder" in text


def test_a_hub_id_in_the_cache(
    vitpose, tiny, images, coco_labels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was downloaded once is found without a connection; so is one file of several."""
    theirs = vitpose("tiny", labels=coco_labels)
    repository = tmp_path / "models--owner--name"
    theirs.save_pretrained(repository / "snapshots/0123456789abcdef")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0123456789abcdef")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with torch.no_grad():
        wanted = theirs(images).heatmaps
    for spec in ("owner/name", "owner/name/model.safetensors"):
        torch.testing.assert_close(tiny(weights=spec).heatmaps(images), wanted, atol=1e-5, rtol=0)
    assert "model2.safetensors" in said("owner/name/model2.safetensors")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 0.5, -1])
def test_cut_off_files(suffix: str, keep: float, vitpose, official, tmp_path: Path) -> None:
    path = tmp_path / f"whole{suffix}"
    weights = {key: value.clone() for key, value in official(vitpose("tiny").state_dict()).items()}
    torch.save(weights, path) if suffix == ".pth" else save_file(weights, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert "give an undamaged file" in said(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "holds no weights (found a Tensor); expected tensors by name"),
        ([1], "holds no weights (found a list)"),
        ({}, "holds no weights (found nothing)"),
        ({"epoch": 3, "meta": {}}, "holds no weights (found keys epoch, meta); expected tensors by name, or such a"),
        (
            {"state_dict": {"layer1.0.conv1.weight": torch.zeros(3)}},
            "no vision transformer that posegraph knows (its 1 ",
        ),
        (
            {"backbone.conv1.weight": torch.zeros(3), "keypoint_head.final_layer.weight": torch.zeros(17, 3, 1, 1)},
            "has names like ViTPose (mmpose 0.x)'s, but no position table and blocks of a vision transformer; give",
        ),
    ],
)
def test_files_without_a_vision_transformer(content: Any, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "foreign.pth")
    assert message in said(tmp_path / "foreign.pth")


def test_text_is_no_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("not weights")
    assert "is cut off or no PyTorch file (11 bytes); give an undamaged file" in said(tmp_path / "notes.pth")
    (tmp_path / "notes.safetensors").write_text("not weights")
    assert "cut off, or no safetensors file (" in said(tmp_path / "notes.safetensors")


def test_an_index_of_shards_stays_in_its_folder(vitpose, tmp_path: Path) -> None:
    secret = tmp_path / "secret.safetensors"
    save_file({"backbone.embeddings.position_embeddings": torch.zeros(1, 193, 32)}, secret)
    folder = tmp_path / "folder"
    folder.mkdir()
    write_json(folder / "model.safetensors.index.json", {"weight_map": {"a": "../secret.safetensors"}})
    with pytest.raises(PoseGraphError, match=r"folder/secret\.safetensors: no such file; check the path"):
        open_source(folder)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}})
    with pytest.raises(PoseGraphError, match=r"has no weight_map; expected tensor names and their files; fetch it"):
        open_source(folder)


def test_a_size_that_no_preset_has(vitpose, tmp_path: Path) -> None:
    vitpose("tiny").save_pretrained(tmp_path)
    assert "32 channels and 2 blocks are the size of none of vitpose-b, vitpose-h, vitpose-l, vitpose-s; build" in said(
        tmp_path
    )


def test_a_presets_name_is_no_model_yet() -> None:
    assert "vitpose-b: is a preset, and its weights are random; name weights for it: --weights" in said("vitpose-b")
