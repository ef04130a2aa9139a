"""Scoring a model on annotated video (protocol of spec section 11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph.config import EvaluationConfig, RunConfig, parse_frames
from posegraph.data import read_boxes, read_tracks
from posegraph.data.clips import PersonFrame, annotated_people, detected_people
from posegraph.data.tracks import TrackSet, within_frames
from posegraph.data.video import FrameReader
from posegraph.engine.common_joints import on_common_joints
from posegraph.engine.exporting.exported import StreamModel
from posegraph.engine.prediction import predict_shared, predicted_tracks
from posegraph.engine.ranks import once
from posegraph.errors import PoseGraphError
from posegraph.metrics import Scores, score
from posegraph.metrics.matching import Match

GROUND_TRUTH = "gt"
GROUND_TRUTH_BOXES = "ground truth"
"""What :attr:`Evaluation.boxes` says of annotated boxes."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model on one data set.

    Fields:
        scores: What was measured.
        boxes: ``ground truth``, or the detection file.
        predictions: The poses.
        truth, scored: Annotations and poses as they were scored: on the joints that both have.
        skipped: What was left out, reason -> count.
        figures: Everything that ``--json`` writes.
    """

    scores: Scores
    boxes: str
    predictions: TrackSet
    truth: TrackSet
    scored: TrackSet
    skipped: Counter[str]
    figures: dict[str, Any]


def evaluate(
    model: StreamModel,
    data: str | Path,
    boxes: str = GROUND_TRUTH,
    frames: tuple[int, int] | None = None,
    images: str | Path | None = None,
    settings: EvaluationConfig | None = None,
    on_batch: Callable[[int, int], None] | None = None,
    format: str | None = None,
    metrics: Sequence[str] | None = None,
) -> Evaluation:
    """Predict everybody in ``data`` and score it: PoseTrack AP, or PCK where people lack head boxes.

    Of processes that work together (:func:`posegraph.engine.ranks.together`), each predicts a share of the
    people; rank 0 scores, and all return the same.

    Args:
        model: The model, or an exported one; its skeleton's joints are looked for in the data by name. Where the files
            lack some of them, the joints that they annotate are scored.
        data: Anything that :func:`posegraph.data.read_tracks` reads.
        boxes: ``gt``, or detections that :func:`posegraph.data.read_boxes` reads.
        frames: (A, B), both included, counted from 0 in every video; None: all frames.
        images: Folder that image names start from; None: looked up from the JSON's folder upwards.
        settings: Box threshold, ranking, batch size; None: those of the model's run.
        on_batch: Called with (people done, people in all).
        format: Layout of ``data``; None: recognised.
        metrics: As for :func:`posegraph.metrics.score`.

    Raises:
        PoseGraphError: faulty data or boxes, missing images, or nobody to score.
    """
    run = model.run_config
    settings = settings or run.evaluation
    truth = within_frames(read_tracks(data, model.skeleton, keep_empty=True, format=format), frames)
    usable = within_frames(read_tracks(data, model.skeleton, format=format), frames)
    people, skipped = _people(truth, usable, boxes, frames, settings)
    poses = predict_shared(
        model,
        people,
        FrameReader(images, run.data.cache_frames),
        batch_size=settings.batch_size,
        box_scale=run.data.box_scale,
        keypoint_score=settings.keypoint_score,
        on_batch=on_batch,
    )

    def scored() -> Evaluation:
        predictions = predicted_tracks(people, poses, truth.videos, model.skeleton)
        by_annotation = boxes == GROUND_TRUTH
        shared_truth, shared_predictions, not_scored = on_common_joints(truth, predictions)
        match: Match = "track_id" if by_annotation else "best"
        scores = score(shared_truth, shared_predictions, settings.pck_alpha, match, metrics)
        source = GROUND_TRUTH_BOXES if by_annotation else boxes
        facts = {
            "boxes": source,
            "people": len(people),
            "frames": None if frames is None else f"{frames[0]}-{frames[1]}",
            "keypoint_score": settings.keypoint_score,
            "skipped": dict(skipped),
            "not_scored": list(not_scored),
        }
        return Evaluation(
            scores, source, predictions, shared_truth, shared_predictions, skipped, facts | scores.figures
        )

    return once(scored)


def _people(
    truth: TrackSet, usable: TrackSet, boxes: str, frames: tuple[int, int] | None, settings: EvaluationConfig
) -> tuple[Sequence[PersonFrame], Counter[str]]:
    if boxes == GROUND_TRUTH:
        people, skipped = annotated_people(usable), usable.skipped
    else:
        detections = read_boxes(boxes, settings.box_score)
        people, skipped = detected_people(truth, detections, frames), detections.skipped
        if len(detections) and not people:
            video = truth.videos[0]
            raise PoseGraphError(
                f"{boxes}: none of its {len(detections)} boxes is for {video.source.parent}; expected places "
                f"like image_id {int(video.image_ids[0])}, image_name {video.frame_files[0]}, or MOT text called "
                f"{video.name}.txt; give the detections of these videos"
            )
    if not people:
        raise PoseGraphError(
            f"{truth.videos[0].source.parent}: nobody to score in these frames; check the files, --frames and --boxes"
        )
    return people, skipped


def settings_of(model: StreamModel, overrides: tuple[str, ...]) -> EvaluationConfig:
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
