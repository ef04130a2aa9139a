"""The benchmark of exports compares poses in pixels of the crop, scores both sides alike, and judges its goal."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from posegraph.data import read_tracks
from posegraph.data.synthetic import generate
from posegraph.engine.evaluation import evaluate
from posegraph.models.base import PoseModel


@pytest.fixture(scope="module")
def export(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("export")


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=1, frames=2, people=2, size=(160, 120), val_fraction=0.0, workers=1)
    return out / "annotations/train"


def test_distances_are_in_pixels_of_the_crop(export: ModuleType, tiny_model: PoseModel, annotations: Path) -> None:
    tracks = read_tracks(annotations)
    # 30 x 40 has the shape of the crop. Enlarged by 1.25 it is 37.5 pixels wide, and the crop 47 from first to last.
    boxed = [replace(track, boxes_xywh=np.tile([10.0, 10, 30, 40], (len(track), 1))) for track in tracks]
    moved = [replace(track, keypoints_px=np.add(track.keypoints_px, [3.0, 4.0])) for track in boxed]
    apart = export.apart_px(tiny_model, replace(tracks, tracks=tuple(boxed)), replace(tracks, tracks=tuple(moved)))
    np.testing.assert_allclose(apart, 5 * 47 / 37.5)


def test_both_sides_are_scored_as_eval_does(export: ModuleType, tiny_model: PoseModel, annotations: Path) -> None:
    truth = export.Truth(tiny_model, str(annotations), "1-1")
    same = truth.accuracy(tiny_model)
    known = evaluate(tiny_model, annotations, frames=(1, 1))
    assert (same["people"], same["metric"]) == (known.figures["people"], known.scores.metric)
    assert same["model"] == same["export"] == known.scores.table["Mean"]
    assert (same["mean_px"], same["max_px"]) == (0, 0)
    other = deepcopy(tiny_model)
    with torch.no_grad():
        other.heatmap_head.final.weight.neg_()
    assert truth.accuracy(other)["mean_px"] > 1


def test_the_goal_is_asked_of_one_model(
    export: ModuleType, tiny_model: PoseModel, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, fast = {"kind": "onnx:fp32", "over_stream": 1.19}, {"kind": "onnx:int8", "over_stream": 1.2}
    assert export.verdict(tiny_model, [slow]) is None
    config = tiny_model.config.model_copy(update={"preset": "ncstr-b"})
    asked = type("Asked", (), {"config": config})()
    assert export.verdict(asked, [slow]) is False
    assert export.verdict(asked, [slow, fast]) is True
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "goal: 1.2x of a stream without export, by any kind: FAIL (onnx:fp32 1.19x)"
    assert lines[2].endswith("pass (onnx:fp32 1.19x, onnx:int8 1.20x)")


def test_kinds_are_a_format_and_a_precision_that_it_has(export: ModuleType) -> None:
    assert export.kind_of("onnx:int8") == ("onnx", "int8")
    for text in ("onnx:bf16", "onnx"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"is none of onnx:fp32, onnx:int8, pt2:fp32"):
            export.kind_of(text)
