"""Scoring a model on annotated video (protocol of spec section 11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph.config import EvaluationConfig, RunConfig, parse_frames
from posegraph.data import read_boxes, read_tracks
from posegraph.data.clips import PersonFrame, annotated_people, detected_people
from posegraph.data.tracks import TrackSet, within_frames
from posegraph.data.video import FrameReader
from posegraph.engine.prediction import predict_people, predicted_tracks
from posegraph.errors import PoseGraphError
from posegraph.metrics import Scores, score
from posegraph.models.base import PoseModel

GROUND_TRUTH = "gt"


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model on one data set.

    Fields:
        scores: What was measured.
        boxes: ``ground truth``, or the detection file.
        predictions: The poses.
        skipped: What was left out, reason -> count.
        figures: Everything that ``--json`` writes.
    """

    scores: Scores
    boxes: str
    predictions: TrackSet
    skipped: Counter[str]
    figures: dict[str, Any]


def evaluate(
    model: PoseModel,
    data: str | Path,
    boxes: str = GROUND_TRUTH,
    frames: tuple[int, int] | None = None,
    images: str | Path | None = None,
    settings: EvaluationConfig | None = None,
    on_batch: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Predict everybody in ``data`` and score it: PoseTrack AP, or PCK where people lack head boxes.

    Args:
        model: The model; its skeleton's joints are looked for in the data by name.
        data: PoseTrack18-layout JSON, or a folder of them.
        boxes: ``gt``, or a COCO result file of detections.
        frames: (A, B), both included, counted from 0 in every video; None: all frames.
        images: Folder that image names start from; None: looked up from the JSON's folder upwards.
        settings: Box threshold, ranking, batch size; None: those of the model's run.
        on_batch: Called with (people done, people in all).

    Raises:
        PoseGraphError: faulty data or boxes, missing images, or nobody to score.
    """
    run = model.run_config
    settings = settings or run.evaluation
    truth = within_frames(read_tracks(data, model.skeleton, keep_empty=True), frames)
    people, skipped = _people(truth, data, boxes, frames, settings, model)
    poses = predict_people(
        model,
        people,
        FrameReader(images, run.data.cache_frames),
        batch_size=settings.batch_size,
        box_scale=run.data.box_scale,
        keypoint_score=settings.keypoint_score,
        on_batch=on_batch,
    )
    predictions = predicted_tracks(people, poses, truth.videos, model.skeleton)
    by_annotation = boxes == GROUND_TRUTH
    scores = score(truth, predictions, settings.pck_alpha, match="track_id" if by_annotation else "best")
    source = "ground truth" if by_annotation else boxes
    facts = {
        "boxes": source,
        "people": len(people),
        "frames": None if frames is None else f"{frames[0]}-{frames[1]}",
        "keypoint_score": settings.keypoint_score,
        "skipped": dict(skipped),
    }
    return Evaluation(scores, source, predictions, skipped, facts | scores.figures)


def _people(
    truth: TrackSet,
    data: str | Path,
    boxes: str,
    frames: tuple[int, int] | None,
    settings: EvaluationConfig,
    model: PoseModel,
) -> tuple[list[PersonFrame], Counter[str]]:
    if boxes == GROUND_TRUTH:
        usable = within_frames(read_tracks(data, model.skeleton), frames)
        people, skipped = annotated_people(usable), usable.skipped
    else:
        detections = read_boxes(boxes, settings.box_score)
        people, skipped = detected_people(truth, detections, frames), detections.skipped
        if len(detections) and not people:
            raise PoseGraphError(
                f"{boxes}: none of its {len(detections)} boxes is for an image of {data}; expected image_id values "
                f"such as {int(truth.videos[0].image_ids[0])}; give the detections of these videos"
            )
    if not people:
        raise PoseGraphError(f"{data}: nobody to score in these frames; check the file, --frames and --boxes")
    return people, skipped


def settings_of(model: PoseModel, overrides: tuple[str, ...]) -> EvaluationConfig:
    """The evaluation settings of the model's run, with ``key=value`` overrides of them."""
    content = model.run_config.to_dict()
    changed = RunConfig.from_dict(content, [f"evaluation.{override}" for override in overrides], source="-o")
    return changed.evaluation


def frame_range(text: str | None) -> tuple[int, int] | None:
    """``"A-B"`` -> (A, B). Raises :class:`PoseGraphError` for anything else."""
    try:
        return parse_frames(text)
    except ValueError as error:
        raise PoseGraphError(f"--frames: {error}") from None
