"""Evaluation: figures that do not depend on how they were made, and files that others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posegraph.config import AugmentConfig
from posegraph.data import read_tracks, write_tracks
from posegraph.data.clips import PersonFrame, annotated_people
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.video import FrameReader
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import evaluate, frame_range, settings_of
from posegraph.engine.prediction import keypoint_confidence, predict_people, predicted_tracks
from posegraph.errors import PoseGraphError
from posegraph.geometry import normalise, transform
from posegraph.metrics import posetrack_ap, score
from posegraph.models.base import PoseModel, PoseOutput
from posegraph.skeleton import Skeleton


@pytest.fixture(scope="module")
def model(trained: Path) -> PoseModel:
    return load(trained)


@pytest.fixture(scope="module")
def val(synthetic: Path) -> Path:
    return synthetic / "annotations/val"


def detections(val: Path, score: float = 1.0) -> list[dict[str, Any]]:
    """The annotated people as a detector's COCO results."""
    people = [person for path in sorted(val.glob("*.json")) for person in json.loads(path.read_text())["annotations"]]
    return [{"image_id": one["image_id"], "category_id": 1, "bbox": one["bbox"], "score": score} for one in people]


class Oracle(PoseModel):
    """Answers with the joints of the clip that it is shown: what any pipeline error would spoil."""

    def __init__(self, like: PoseModel, answers: list[np.ndarray]) -> None:
        super().__init__(like.config, like.skeleton, like.backbone, like.heatmap_head)
        self.answers = answers

    def run(self, clip: Any) -> PoseOutput:
        rows = []
        for matrix in clip.crop_to_image.numpy():
            linear = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
            rows.append(normalise(transform(self.answers.pop(0), linear), self.config.input_hw))
        nodes = torch.from_numpy(np.stack(rows)).float()
        values = 0.9 - nodes[..., 0].sub(0.5).abs().clamp(max=0.5)
        return PoseOutput(torch.cat([nodes, values[..., None]], dim=-1), torch.zeros(1), values)


def oracle(model: PoseModel, people: list[PersonFrame], error_px: float = 0.0) -> Oracle:
    rng = np.random.default_rng(0)
    in_time = sorted(people, key=lambda person: (person.video.name, person.frame))
    truth = [person.track.keypoints_px[person.row] for person in in_time]
    return Oracle(model, [points + error_px * rng.standard_normal(points.shape) for points in truth])


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_a_perfect_model_scores_100(model: PoseModel, val: Path, batch_size: int) -> None:
    tracks = read_tracks(val, "posetrack17")
    people = annotated_people(tracks)
    poses = predict_people(oracle(model, people), people, FrameReader(), batch_size=batch_size)
    for person, points, scores in zip(people, *poses, strict=True):
        given = person.track.annotated[person.row]
        np.testing.assert_allclose(points[given], person.track.keypoints_px[person.row][given], atol=1e-3)
        assert ((scores >= 0.4 - 1e-6) & (scores <= 0.9 + 1e-6)).all()
    truth = read_tracks(val, "posetrack17", keep_empty=True)
    ap = posetrack_ap(truth, predicted_tracks(people, poses, tracks.videos, tracks.skeleton))
    assert ap.table["Mean"] == pytest.approx(100)


def test_figures_do_not_depend_on_the_batch_size(model: PoseModel, val: Path) -> None:
    one, eight = (evaluate(model, val, settings=settings_of(model, (f"batch_size={size}",))) for size in (1, 8))
    assert one.scores.table == pytest.approx(eight.scores.table)
    for single, batched in zip(one.predictions, eight.predictions, strict=True):
        np.testing.assert_allclose(single.keypoints_px, batched.keypoints_px, atol=1e-3)
        np.testing.assert_allclose(single.keypoint_scores, batched.keypoint_scores, atol=1e-5)


def test_what_it_says(model: PoseModel, val: Path) -> None:
    calls: list[tuple[int, int]] = []
    found = evaluate(model, val, on_batch=lambda *done: calls.append(done))
    people = read_tracks(val, "posetrack17").num_poses
    assert calls[-1] == (people, people)
    assert (found.scores.metric, found.scores.reason, found.boxes) == ("PoseTrack AP", "", "ground truth")
    assert list(found.scores.table) == ["Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Mean"]
    figures = found.figures
    assert (figures["people"], figures["boxes"], figures["frames"]) == (people, "ground truth", None)
    assert (figures["metric"], figures["keypoint_score"]) == ("PoseTrack AP", "peak")
    assert figures["table"] == found.scores.table
    json.dumps(figures)
    assert not model.training


def test_predictions_keep_the_annotations_tracks(model: PoseModel, val: Path) -> None:
    truth, found = read_tracks(val, "posetrack17"), evaluate(model, val).predictions
    assert [(t.video.name, t.track_id, t.frame.tolist()) for t in found] == sorted(
        (t.video.name, t.track_id, t.frame.tolist()) for t in truth
    )


def test_the_model_comes_back_in_the_mode_it_was_in(trained: Path, val: Path) -> None:
    other = load(trained).train()
    evaluate(other, val, frames=(0, 0))
    assert other.training


def test_frames(model: PoseModel, val: Path) -> None:
    found = evaluate(model, val, frames=(2, 3))
    assert {int(frame) for track in found.predictions for frame in track.frame} <= {2, 3}
    assert found.figures["frames"] == "2-3"
    assert found.figures["people"] == sum(
        ((t.frame >= 2) & (t.frame <= 3)).sum() for t in read_tracks(val, "posetrack17")
    )
    with pytest.raises(PoseGraphError, match="nobody to score in these frames; check the files, --frames and --boxes"):
        evaluate(model, val, frames=(80, 99))
    assert frame_range("2-3") == (2, 3)
    assert frame_range(None) is None
    with pytest.raises(PoseGraphError, match="--frames: frames '3-2' is no range; write A-B"):
        frame_range("3-2")


def test_written_predictions_score_the_same(model: PoseModel, val: Path, tmp_path: Path) -> None:
    people = annotated_people(read_tracks(val, "posetrack17"))
    found = evaluate(oracle(model, people, error_px=6.0), val)
    assert 10 < found.scores.table["Mean"] < 90
    write_tracks(found.predictions, tmp_path)
    truth = read_tracks(val, keep_empty=True)
    again = score(truth, read_tracks(tmp_path, truth.skeleton, keep_empty=True))
    assert again.table == pytest.approx(found.scores.table, nan_ok=True)
    assert again.figures["precision"] == pytest.approx(found.figures["precision"], nan_ok=True)


def test_boxes_from_a_file_give_the_poses_of_the_annotated_boxes(model: PoseModel, val: Path, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(detections(val, score=0.5)))
    truth, found = evaluate(model, val), evaluate(model, val, str(path))
    assert found.figures["people"] == truth.figures["people"]
    assert found.boxes == found.figures["boxes"] == str(path)
    assert found.scores.table == pytest.approx(truth.scores.table)  # a common factor does not change the ranking

    def poses(evaluation: Any) -> list[tuple[str, int, list[float]]]:
        rows = [(t, row) for t in evaluation.predictions for row in range(len(t))]
        return sorted((t.video.name, int(t.frame[r]), t.keypoints_px[r].ravel().round(3).tolist()) for t, r in rows)

    for (*place, points), (*same_place, same_points) in zip(poses(found), poses(truth), strict=True):
        assert place == same_place
        np.testing.assert_allclose(points, same_points, atol=0.01)
    scores = [np.sort(np.concatenate([t.keypoint_scores.ravel() for t in e.predictions])) for e in (found, truth)]
    np.testing.assert_allclose(scores[0], 0.5 * scores[1], atol=1e-5)


def test_boxes_below_the_threshold_are_left_out_and_counted(model: PoseModel, val: Path, tmp_path: Path) -> None:
    rows = detections(val)
    rows[0]["score"] = 0.19
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    found = evaluate(model, val, str(tmp_path / "boxes.json"))
    assert found.figures["people"] == len(rows) - 1
    assert dict(found.skipped) == {"score below 0.2": 1}
    kept = evaluate(model, val, str(tmp_path / "boxes.json"), settings=settings_of(model, ("box_score=0.1",)))
    assert kept.figures["people"] == len(rows)


def test_faulty_boxes(model: PoseModel, val: Path, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    for content, said in (
        ([{"image_id": 1, "bbox": [0, 0, 9, 9], "score": 1}], "none of its 1 boxes is for "),
        ([], "nobody to score in these frames"),
        ({}, "expected a list of detections; give a COCO result file"),
        ([{"image_id": 1, "bbox": [0, 0, 9], "score": 1}], "[0].bbox: found 3 numbers, expected 4"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(PoseGraphError) as error:
            evaluate(model, val, str(path))
        assert said in str(error.value)
    with pytest.raises(PoseGraphError, match="no such file"):
        evaluate(model, val, str(tmp_path / "none.json"))


def test_without_head_boxes_it_is_pck_and_says_why(model: PoseModel, edited, synthetic: Path) -> None:
    def headless(content: dict[str, Any]) -> None:
        for person in content["annotations"][1:]:
            del person["bbox_head"]

    path = edited(headless)
    found = evaluate(model, path, images=synthetic)
    count = len(json.loads(path.read_text())["annotations"])
    reason = f"{count - 1} of {count} annotated people have no head box, from which AP takes its head size"
    assert found.scores.metric == "PCK@0.2 of the box's longer side"
    assert found.scores.reason == found.figures["reason"] == reason
    assert 0 <= found.scores.table["Mean"] <= 100
    wide = evaluate(model, path, images=synthetic, settings=settings_of(model, ("pck_alpha=5",)))
    assert wide.scores.metric == "PCK@5 of the box's longer side"
    assert wide.scores.table["Mean"] == 100


def test_settings(model: PoseModel) -> None:
    assert settings_of(model, ()) == model.run_config.evaluation
    assert settings_of(model, ("keypoint_score=peak", "batch_size=3")).batch_size == 3
    for override, said in (("keypoint_scor=peak", "did you mean 'keypoint_score'?"), ("batch_size=0", "got 0")):
        with pytest.raises(PoseGraphError) as error:
            settings_of(model, (override,))
        assert said in str(error.value)


def test_keypoint_scores() -> None:
    nodes = torch.tensor([[[0.0, 0.0, 0.8], [0.0, 0.0, 0.5]]])
    output = PoseOutput(nodes, torch.zeros(1), torch.tensor([[0.5, 1.7]]))
    assert keypoint_confidence(output, "visibility")[0].tolist() == pytest.approx([0.8, 0.5])
    assert keypoint_confidence(output, "peak")[0].tolist() == pytest.approx([0.5, 1.0])
    assert keypoint_confidence(output, "both")[0].tolist() == pytest.approx([0.4, 0.5])


def test_joints_are_matched_by_name(model: PoseModel, edited, synthetic: Path) -> None:
    """The file's order of joints does not matter."""

    def reversed_joints(content: dict[str, Any]) -> None:
        content["categories"][0]["keypoints"].reverse()
        for person in content["annotations"]:
            person["keypoints"] = np.array(person["keypoints"]).reshape(17, 3)[::-1].ravel().tolist()

    plain = edited(lambda content: None)
    expected = evaluate(model, plain, images=synthetic).scores.table
    assert evaluate(model, edited(reversed_joints), images=synthetic).scores.table == pytest.approx(expected)


class Recorder(torch.nn.Module):
    """Keeps the frames that a model is shown."""

    def __init__(self, inside: torch.nn.Module) -> None:
        super().__init__()
        self.inside, self.seen = inside, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return self.inside(images)


def test_training_and_evaluation_see_the_same_pixels(configure, trained: Path, synthetic: Path) -> None:
    config = configure()
    nothing = AugmentConfig(half_body=0, scale=0, rotation_probability=0, flip=0, shift=0)
    config = config.model_copy(update={"augment": nothing})
    data = ClipDataModule(config, Skeleton.load("posetrack17"))
    training = data.dataset(data.train_tracks, train=True)
    clips = [training[3, number] for number in range(len(training))]
    watched = load(trained)
    watched.backbone = Recorder(watched.backbone)
    evaluate(watched, config.data.train, settings=settings_of(watched, ("batch_size=1",)))
    people = training.people
    in_time = sorted(range(len(people)), key=lambda number: (people[number].video.name, people[number].frame))
    assert len(watched.backbone.seen) == len(clips) > 5
    for number, images in zip(in_time, watched.backbone.seen, strict=True):
        assert torch.equal(clips[number].frames[0], images)
