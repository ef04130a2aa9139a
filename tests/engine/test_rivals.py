"""Rivals through the engine: trained with future frames, scored, and from the same features as NCSTR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data.clips import ClipDataset, ClipMaker, annotated_people
from posegraph.data.formats import read_tracks
from posegraph.data.video import FrameReader
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import evaluate
from posegraph.engine.module import PoseTraining
from posegraph.engine.training import train
from posegraph.graph import ClipData
from posegraph.skeleton import Skeleton

Configure = Callable[..., RunConfig]


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
