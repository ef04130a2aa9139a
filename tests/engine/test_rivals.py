"""Rivals through the engine: trained with future frames, scored, and from the same features as NCSTR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.formats import read_tracks
from posegraph.data.video import FrameReader
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import evaluate
from posegraph.engine.features import compute_features
from posegraph.engine.module import PoseTraining
from posegraph.engine.training import train
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.build import started_model
from posegraph.skeleton import Skeleton

Configure = Callable[..., RunConfig]
STILL = [f"augment.{name}=0" for name in ("half_body", "scale", "rotation_probability", "flip", "shift")]


@pytest.mark.parametrize("method", ["dsta", "dcpose", "posewarper"])
def test_trained_with_the_next_frame_and_scored(
    method: str, configure: Configure, trained: Path, synthetic: Path, tmp_path: Path
) -> None:
    window = [f"model.method={method}", "model.future_frames=1", f"model.weights={trained}", "training.max_steps=2"]
    result = train(configure(*window, f"data.val={synthetic}/annotations/val"), tmp_path / "run", progress=False)
    assert result.steps == 2
    model = load(tmp_path / "run")
    assert (model.config.method, model.config.future_frames) == (method, 1)
    found = evaluate(model, synthetic / "annotations/val")
    assert found.scores.ap is not None
    assert 0 <= found.scores.ap.table["Mean"] <= 100


def test_a_clip_with_future_frames_is_around_its_targets(configure: Configure, synthetic: Path) -> None:
    """Same targets as the causal clip of the same person, and the images one frame later."""
    skeleton = Skeleton.load("posetrack17")
    people = annotated_people(read_tracks(synthetic / "annotations/val", skeleton))
    causal = configure("model.method=dcpose").model
    later = configure("model.method=dcpose", "model.future_frames=1").model
    place = next(number for number, person in enumerate(people) if person.frame == 2)
    one, other = (ClipDataset(people, FrameReader(), ClipMaker(skeleton, config))[place] for config in (causal, later))
    assert torch.equal(one.keypoints_norm, other.keypoints_norm)
    assert torch.equal(one.frames[:, 1:], other.frames[:, :2])
    assert not torch.equal(other.frames[:, 1], other.frames[:, 2])


def test_dsta_trains_from_features_that_ncstr_can_use(configure: Configure, trained: Path, tmp_path: Path) -> None:
    fixed = ["training.backbone_lr_scale=0", "loss.heatmap=0", f"model.weights={trained}", "training.max_steps=2"]
    cached = [*fixed, f"data.features={tmp_path / 'features'}"]
    train(configure(*cached, "model.method=dsta"), tmp_path / "dsta", progress=False)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "features").rglob("*.npy")}
    assert len(files) == 2
    train(configure(*cached, "model.method=posewarper"), tmp_path / "posewarper", progress=False)
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.fixture(scope="module")
def features(configure: Configure, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Number of future frames -> the features of that window; nobody writes into them."""
    folders = {}
    for future in (0, 1):
        folders[future] = tmp_path_factory.mktemp(f"features{future}")
        window = ("model.method=dcpose", f"model.future_frames={future}", f"data.features={folders[future]}")
        compute_features(configure(f"model.weights={trained}", *window))
    return folders


@pytest.mark.parametrize("future", [0, 1])
@pytest.mark.parametrize("method", ["dsta", "dcpose", "posewarper"])
def test_a_step_from_features_is_that_from_images(
    method: str, future: int, configure: Configure, trained: Path, features: dict[int, Path]
) -> None:
    """The same answer, loss and gradients: the cache holds all that a head reads, of the window that it reads it of."""
    fixed = ["training.backbone_lr_scale=0", "loss.heatmap=0", f"model.weights={trained}"]
    window = [f"model.method={method}", f"model.future_frames={future}"]
    steps = []
    for source in (STILL, [f"data.features={features[future]}"]):  # with its augmentation on, which is ignored
        config = configure(*fixed, *window, *source)
        skeleton = Skeleton.load(config.skeleton)
        data = ClipDataModule(config, skeleton)
        torch.manual_seed(1)
        model = started_model(config.model, skeleton)
        for parameter in model.graph_parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        module = PoseTraining(model, config, data.ever_annotated).train()
        clips = next(iter(data.train_dataloader()))
        assert ("frames" in clips) == (source is STILL)
        output = module.run(clips)
        loss = torch.stack(list(module.losses(output, clips).values())).sum()
        loss.backward()
        gradient = torch.cat([one.grad.flatten() for one in model.graph_parameters() if one.grad is not None])
        steps.append((output.nodes, output.values, loss, gradient))
    assert steps[0][3].abs().max() > 0
    for seen, cached in zip(*steps, strict=True):
        torch.testing.assert_close(cached, seen, atol=1e-5, rtol=1e-4)


def test_features_of_another_window_are_refused(
    configure: Configure, trained: Path, features: dict[int, Path], tmp_path: Path
) -> None:
    fixed = ["training.backbone_lr_scale=0", "loss.heatmap=0", f"model.weights={trained}", "model.method=dsta"]
    config = configure(*fixed, "model.future_frames=1", f"data.features={features[0]}")
    with pytest.raises(PoseGraphError, match=r"frames or windows \(.*model.future_frames\)\. Give another folder"):
        train(config, tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    ("method", "weight", "terms"),
    [
        ("ncstr", 0, ["geometry", "visibility"]),
        ("ncstr", 3, ["geometry", "visibility", "heatmap"]),
        ("dsta", 0, ["regression"]),
        ("dsta", 3, ["regression", "heatmap"]),
        ("dcpose", 0, ["refined"]),
        ("posewarper", 3, ["refined", "heatmap"]),
    ],
)
def test_terms_of_the_loss(
    method: str, weight: int, terms: list[str], untrained: Callable[..., PoseTraining], clips: ClipData
) -> None:
    """And every parameter that learns has a gradient: distributed training counts on it."""
    module = untrained(f"model.method={method}", f"loss.heatmap={weight}").train()
    parts = module.losses(module.run(clips), clips)
    assert list(parts) == terms
    torch.stack(list(parts.values())).sum().backward()
    learning = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert [name for name, gradient in learning.items() if gradient is None] == []
