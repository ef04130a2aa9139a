"""An evaluation as one self-contained HTML file, with what a reader must know to repeat it or to judge its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import posegraph
from posegraph.config import EvaluationConfig, ModelConfig
from posegraph.data.tracks import TrackSet
from posegraph.engine.evaluation import GROUND_TRUTH_BOXES, Evaluation
from posegraph.engine.exporting.exported import StreamModel
from posegraph.engine.report_page import write_page
from posegraph.errors import PoseGraphError
from posegraph.files import sha256
from posegraph.metrics.curves import precision_recall
from posegraph.metrics.files import ScoredFiles
from posegraph.metrics.scores import Scores
from posegraph.skeleton import Skeleton

ON_GROUND_TRUTH = (
    "People were cropped by their annotated boxes: these figures cannot be compared with published ones, which are "
    "made on detections."
)


def write_evaluation_report(
    path: str | Path,
    model: StreamModel,
    source: str,
    data: str | Path,
    result: Evaluation,
    settings: EvaluationConfig,
    images: str | Path | None = None,
) -> None:
    """Report of a model's evaluation: the page with its facts, and a warning on ground-truth boxes."""
    by_annotation = result.boxes == GROUND_TRUTH_BOXES
    facts = _evaluation_facts(model, source, data, None if by_annotation else result.boxes, settings)
    facts |= {f"left out: {reason}": str(count) for reason, count in result.skipped.items()}
    write_page(
        path,
        f"{model.config.preset} on {Path(data).name}",
        facts,
        _with_curves(result.scores, result.truth, result.scored),
        result.truth,
        result.scored,
        images=images,
        boxes=f" on {result.boxes} boxes",
        warning=ON_GROUND_TRUTH if by_annotation else "",
    )


def write_file_report(
    path: str | Path, gt: str | Path, pred: str | Path, found: ScoredFiles, images: str | Path | None = None
) -> None:
    """Report of scored prediction files.

    Raises:
        PoseGraphError: a COCO result file, which has neither frames nor sequences to report on.
    """
    if found.truth is None or found.predictions is None:
        raise PoseGraphError(
            f"{pred}: COCO results have no videos to report on; leave --report away, or give predictions in "
            "the PoseTrack18 layout"
        )
    facts = _file_facts(gt, pred, found.truth) | {f"left out: {line}": "" for line in found.skipped}
    scores = _with_curves(found.scores, found.truth, found.predictions)
    title = f"{Path(pred).name} against {Path(gt).name}"
    write_page(path, title, facts, scores, found.truth, found.predictions, images=images)


def _with_curves(scores: Scores, truth: TrackSet, predictions: TrackSet) -> Scores:
    """The scores with precision-recall curves, where the data allow them."""
    return replace(scores, curves=precision_recall(truth, predictions)) if scores.ap and not scores.curves else scores


def _evaluation_facts(
    model: StreamModel, source: str, data: str | Path, boxes: str | Path | None, settings: EvaluationConfig
) -> dict[str, str]:
    """Facts of scoring a model, name -> value.

    Args:
        model: The model.
        source: Where its weights are from.
        data: The annotations.
        boxes: Detection file, or None for the annotated boxes.
        settings: Box threshold and ranking.
    """
    facts = {"model": f"{model.config.preset}, {_kind(model.config)}", "checkpoint": _file(source)}
    facts |= _common(data, model.skeleton)
    if boxes is None:
        facts["boxes"] = "ground truth"
    else:
        facts |= {"boxes": _file(boxes), "box score": f"at least {settings.box_score:g}"}
    height, width = model.config.input_hw
    return facts | {
        "crop": f"{height}x{width}, box enlarged x {model.run_config.data.box_scale:g}",
        "keypoint score": settings.keypoint_score + ("" if boxes is None else " x box score"),
        "flip test": "none",
        "NMS": "none by posegraph",
        "posegraph": posegraph.__version__,
    }


def _file_facts(ground_truth: str | Path, predictions: str | Path, truth: TrackSet) -> dict[str, str]:
    """Facts of scoring prediction files, which do not say how they were made."""
    facts = _common(ground_truth, truth.skeleton)
    return facts | {"predictions": _file(predictions), "boxes": "not known", "posegraph": posegraph.__version__}


def _kind(config: ModelConfig) -> str:
    return f"variant {config.variant}" if config.method == "ncstr" else f"method {config.method}"


def _common(data: str | Path, skeleton: Skeleton) -> dict[str, str]:
    return {"annotations": _file(data), "skeleton": f"{skeleton.name}, {skeleton.num_joints} joints"}


def _file(source: Any) -> str:
    """A path, with the SHA-256 of a file, or the number of files of a folder."""
    path = Path(source)
    if path.is_file():
        return f"{source} (SHA-256 {sha256(path)})"
    if path.is_dir():
        return f"{source} ({sum(1 for file in path.iterdir() if file.is_file())} files)"
    return str(source)
