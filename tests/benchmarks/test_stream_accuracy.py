"""The benchmark gives stream and clip mode the same frames and people, and scores them alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from posegraph.config import StreamConfig
from posegraph.data.synthetic import generate
from posegraph.engine.evaluation import evaluate
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel

FRAMES = 6


@pytest.fixture(scope="module")
def accuracy(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("stream_accuracy")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two people: a whole one; one that says nothing of a frame; one that does not list a frame."""
    out = tmp_path_factory.mktemp("videos")
    generate(out, sequences=3, frames=FRAMES, people=2, size=(160, 120), val_fraction=0.0, workers=1)
    folder = out / "annotations" / "train"
    _, silent, unlisted = sorted(folder.glob("*.json"))
    for path, keep_image in ((silent, True), (unlisted, False)):
        content = json.loads(path.read_text())
        image = sorted(content["images"], key=lambda one: one["file_name"])[3]
        content["annotations"] = [one for one in content["annotations"] if one["image_id"] != image["id"]]
        if not keep_image:
            content["images"].remove(image)
        path.write_text(json.dumps(content))
    return folder


def test_a_crop_of_its_own_for_every_frame_is_clip_mode(
    accuracy: ModuleType, tiny_model: PoseModel, videos: Path
) -> None:
    compared = accuracy.Comparison(tiny_model, videos, None)
    found = compared.stream(StreamConfig(hysteresis=0))
    assert found["person_frames"] == len(compared.scored) == len(compared.everybody)
    assert found["largest_apart_px"] < 1e-3
    assert found["difference"] == 0
    anchored = compared.stream(StreamConfig(hysteresis=1))
    assert anchored["largest_apart_px"] > 0.1
    assert anchored["extra_passes"] < found["extra_passes"]


def test_clip_mode_is_scored_as_eval_does(accuracy: ModuleType, tiny_model: PoseModel, videos: Path) -> None:
    compared = accuracy.Comparison(tiny_model, videos, None, (2, 4))
    known = evaluate(tiny_model, videos, frames=(2, 4)).scores
    assert known.ap is not None
    assert compared.metric == "PoseTrack AP"
    assert compared.clip_mean == known.ap.table_with_ground_truth["Mean"]


def test_the_stream_of_some_frames_runs_from_the_first_to_the_last_of_them(
    accuracy: ModuleType, tiny_model: PoseModel, videos: Path
) -> None:
    compared = accuracy.Comparison(tiny_model, videos, None, (2, 4))
    frames = [compared.everybody[number].frame for number in compared.scored]
    assert (min(frames), max(frames)) == (2, 4)
    settings = StreamConfig(hysteresis=0)
    found = compared.stream(settings)
    assert found["largest_apart_px"] < 1e-3
    until = [person.frame <= 4 for person in compared.everybody]
    assert found["person_frames"] == sum(until) > len(compared.scored)
    poses, _ = accuracy.stream_poses(tiny_model, compared.everybody, compared.reader, settings, (2, 4))
    assert np.isfinite(poses.scores).all(axis=1).tolist() == until


def test_several_models_give_means_and_deviations_of_differences(accuracy: ModuleType) -> None:
    rows = [{"mean": 80.0, "difference": -1.0, "extra_passes": 0.25}, {"mean": 90.0, "difference": -2.0,
             "extra_passes": 0.75}]  # fmt: skip
    assert accuracy.summary(rows) == pytest.approx(
        {"mean": 85.0, "difference": -1.5, "extra_passes": 0.5, "mean_sd": 50**0.5, "difference_sd": 0.5**0.5}
    )
    assert accuracy.summary(rows[:1]) == rows[0]


def test_settings_are_keys_of_the_stream_section(accuracy: ModuleType) -> None:
    assert accuracy.stream_settings("hysteresis=0.5 size_range=[0.9,1.2]") == StreamConfig(
        hysteresis=0.5, size_range=(0.9, 1.2)
    )
    with pytest.raises(PoseGraphError, match=r"hysteresys"):
        accuracy.stream_settings("hysteresys=1")
