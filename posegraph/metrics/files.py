"""Scoring files as they lie on a disk, whatever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from posegraph.data import TrackSet, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.metrics.coco_files import coco_oks
from posegraph.metrics.scores import Scores
from posegraph.metrics.scoring import score
from posegraph.skeleton import Skeleton


class ScoredFiles(NamedTuple):
    """Scores of files.

    Fields:
        scores: What was measured.
        skipped: What was left out while reading, in one line each.
        truth, predictions: What was scored; None of a COCO result file.
    """

    scores: Scores
    skipped: list[str]
    truth: TrackSet | None
    predictions: TrackSet | None


def score_files(
    ground_truth: str | Path,
    predictions: str | Path,
    skeleton: Skeleton | str | Path | None = None,
    alpha: float | Sequence[float] | None = None,
    metrics: Sequence[str] | None = None,
    format: str | None = None,
) -> ScoredFiles:
    """:func:`score` of annotation and prediction files; of a COCO result file, :func:`coco_oks`.

    Args:
        ground_truth: A file or a folder that :func:`read_tracks` reads.
        predictions: Likewise, or a COCO result file, which knows neither frames nor tracks: OKS is measured.
        skeleton: What to score; None: what the annotations hold.
        alpha: As for :func:`score`.
        metrics: As for :func:`score`.
        format: Layout of the files; None: recognised in each.

    Raises:
        PoseGraphError: a fault in a file, or a metric that the files do not allow.
    """
    if _is_result_file(Path(predictions)):
        if metrics is not None and set(metrics) != {"oks"}:
            raise PoseGraphError(
                f"metrics: found {', '.join(metrics)}, expected oks: {predictions} holds COCO results, which have no "
                "frames and no tracks; ask for oks, or give predictions in the PoseTrack18 layout"
            )
        chosen = Skeleton.load(skeleton or "coco17")
        found = coco_oks(ground_truth, predictions, chosen)
        return ScoredFiles(Scores(chosen, no_ground_truth=found.no_ground_truth, oks=found), [], None, None)
    truth = read_tracks(ground_truth, skeleton, keep_empty=True, format=format)
    predicted = read_tracks(predictions, truth.skeleton, keep_empty=True, format=format)
    skipped = [
        f"{path}: {count} skipped: {reason}"
        for path, tracks in ((ground_truth, truth), (predictions, predicted))
        for reason, count in tracks.skipped.items()
    ]
    return ScoredFiles(score(truth, predicted, alpha, metrics=metrics), skipped, truth, predicted)


def _is_result_file(path: Path) -> bool:
    """Whether the file holds a list, as COCO results do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
