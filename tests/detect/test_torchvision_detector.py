"""torchvision's detectors: weights from disk, people only, and what is said where there are no weights."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from posegraph.detect import open_detector, torchvision_detector
from posegraph.detect.torchvision_detector import (
    DEFAULT_MODEL,
    TorchvisionDetector,
    torchvision_available,
    torchvision_models,
    weights_file,
)
from posegraph.errors import PoseGraphError

PERSON, CAR = 1, 3  # rows of torchvision's COCO categories


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub folder, and no network."""

    def no_network(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    return tmp_path / "hub" / "checkpoints"


def saved_model(favourite: int) -> nn.Module:
    """The default model with random weights that take everything for one class, on disk where torch looks."""
    torch.manual_seed(0)
    model: nn.Module = get_model(DEFAULT_MODEL, weights=None, weights_backbone=None)
    state = model.state_dict()
    state["roi_heads.box_predictor.cls_score.bias"][favourite] = 6.0
    model.load_state_dict(state)
    weights_file().parent.mkdir(parents=True)
    torch.save(state, weights_file())
    return model.eval()


def test_weights_on_disk_are_loaded_and_people_found(hub: Path) -> None:
    model = saved_model(PERSON)
    assert weights_file() == hub / "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth"
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    chosen = open_detector()
    assert chosen.name == f"torchvision:{DEFAULT_MODEL}"
    assert chosen.notice == f"people are found by torchvision:{DEFAULT_MODEL}"
    assert chosen.detector is not None
    people = chosen.detector(image)
    with torch.inference_mode():
        rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1).float() / 255
        expected = model([rgb])[0]
    assert len(people.scores) == len(expected["scores"]) > 10
    assert people.scores == pytest.approx(expected["scores"].numpy())
    corners = expected["boxes"].numpy()
    assert people.boxes_xywh[:, :2] == pytest.approx(corners[:, :2])
    assert people.boxes_xywh[:, 2:] == pytest.approx(corners[:, 2:] - corners[:, :2], abs=1e-4)


def test_cars_are_no_people() -> None:
    saved_model(CAR)
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert len(TorchvisionDetector()(image).scores) == 0


class Fixed(nn.Module):
    """Finds the same in every image, and keeps what it saw."""

    seen: list[Tensor]

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.seen = images
        return [
            {
                "boxes": torch.tensor([[10.0, 20, 40, 90], [0, 0, 9, 9], [1, 2, 3, 4], [5, 5, 10, 20]]),
                "labels": torch.tensor([PERSON, CAR, PERSON, PERSON]),
                "scores": torch.tensor([0.9, 0.8, 0.3, 0.05]),
            }
        ]


def test_boxes_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    weights_file().parent.mkdir(parents=True)
    weights_file().touch()
    model = Fixed()
    monkeypatch.setattr(torchvision_detector, "get_model", lambda *args, **kwargs: model)
    people = TorchvisionDetector()(np.full((100, 60, 3), (0, 51, 255), np.uint8))
    assert people.boxes_xywh.tolist() == [[10, 20, 30, 70], [1, 2, 2, 2]]
    assert people.scores.tolist() == pytest.approx([0.9, 0.3])
    assert people.track_ids.tolist() == [-1, -1]
    assert model.seen[0].shape == (3, 100, 60)
    assert model.seen[0][:, 0, 0].tolist() == pytest.approx([1.0, 0.2, 0.0])


def test_the_models_that_find_people() -> None:
    names = torchvision_models()
    assert DEFAULT_MODEL in names
    assert {"ssdlite320_mobilenet_v3_large", "keypointrcnn_resnet50_fpn", "retinanet_resnet50_fpn"} <= set(names)


def test_without_weights_and_network_there_is_a_cure(hub: Path) -> None:
    assert not torchvision_available()
    with pytest.raises(PoseGraphError) as error:
        open_detector("torchvision")
    assert str(error.value) == (
        f"torchvision:{DEFAULT_MODEL}: its weights are not in {hub} and cannot be downloaded (no network); download "
        "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth elsewhere and copy "
        f"it to {hub / 'fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth'}, or choose another --detector (onnx:FILE, "
        "self) or --boxes FILE"
    )


def test_a_download_that_breaks_off_has_the_same_cure(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        def close(self) -> None:
            pass

    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: Answer())
    with pytest.raises(PoseGraphError, match=r"its weights are not in .* cannot be downloaded \(no network\)"):
        TorchvisionDetector()
    assert not torchvision_available()


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def silent(request: Any, timeout: float) -> None:
        waited.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib.request, "urlopen", silent)
    with pytest.raises(PoseGraphError, match="timed out"):
        TorchvisionDetector()
    assert waited == [5.0]


def test_damaged_weights_are_named() -> None:
    weights_file().parent.mkdir(parents=True)
    for content in (b"", b"<html>not found</html>"):
        weights_file().write_bytes(content)
        assert torchvision_available()
        with pytest.raises(
            PoseGraphError, match=r"907ea3f9\.pth: not the weights of .*; delete it and it is downloaded"
        ):
            TorchvisionDetector()


def test_by_default_the_model_searches_and_it_is_said() -> None:
    chosen = open_detector()
    assert (chosen.name, chosen.detector) == ("self", None)
    assert chosen.notice is not None
    assert chosen.notice.startswith(
        "no detector: people are searched for by the pose model itself (torchvision:fasterrcnn"
    )


def test_a_name_that_is_none() -> None:
    with pytest.raises(PoseGraphError, match=r"no detector 'fasterrcnn_resnet50' of people; it has: .*did you mean"):
        TorchvisionDetector("fasterrcnn_resnet50")
    with pytest.raises(PoseGraphError, match="no detector 'resnet50' of people"):
        TorchvisionDetector("resnet50")
