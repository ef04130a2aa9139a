"""The HTML of a report: tables, curves and pictures in one self-contained file."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure

from posegraph.data.tracks import TrackSet, Video
from posegraph.data.video import FrameReader, Image
from posegraph.engine.pictures import by_frame, draw_people
from posegraph.errors import PoseGraphError
from posegraph.files import write_text
from posegraph.metrics.curves import RECALL_LEVELS, PRCurves
from posegraph.metrics.scores import Scores
from posegraph.metrics.table import TOTAL
from posegraph.metrics.worst_frames import FrameErrors, worst_frames
from posegraph.visualize import filmstrip

WORST = 12
"""Frames that are shown."""

_SHOWN_WIDTH = 560
"""Width in pixels of one half of a picture; a larger frame is made smaller."""
_JPEG_QUALITY = 85
_BLANK_GREY = 225


def write_page(
    path: str | Path,
    title: str,
    facts: Mapping[str, object],
    scores: Scores,
    truth: TrackSet,
    predictions: TrackSet,
    *,
    images: str | Path | None = None,
    boxes: str = "",
    warning: str = "",
) -> None:
    """Write the report: tables, sequences, precision-recall curves, the worst frames, and what was run.

    Args:
        path: The HTML file.
        title: Its heading.
        facts: What a reader must know to repeat or judge the figures, name -> value.
        scores: Of these very tracks.
        truth, predictions: What was scored.
        images: Folder that image names start from; None: looked up from the annotation file's folder upwards. Frames
            whose image is not found are drawn on grey.
        boxes: What every table's title says of the boxes.
        warning: Shown above everything else.

    Raises:
        PoseGraphError: the file cannot be written.
    """
    template = resources.files("posegraph.engine").joinpath("report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(template)
    content = page.render(
        title=title,
        subtitle=f"Annotated people: {truth.num_poses}. Videos: {len(truth.videos)}.",
        warning=warning,
        tables=[
            {
                "title": table.title + boxes,
                "names": list(table.values),
                "cells": _cells(table.values.values(), table.decimals),
            }
            for table in scores.tables
        ],
        notes=scores.notes,
        joints=_joints(scores),
        boxes=boxes,
        curves=_curves(scores.curves) if scores.curves and scores.curves.per_group else "",
        sequences=_sequences(scores, boxes),
        pictures=_pictures(truth, predictions, FrameReader(images, cache_frames=0)),
        facts=facts,
    )
    write_text(path, content)


def _cell(value: Any, decimals: int = 1) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def _cells(values: Any, decimals: int = 1) -> list[str]:
    return [_cell(value, decimals) for value in values]


def _joints(scores: Scores) -> dict[str, Any] | None:
    columns: dict[str, dict[str, float]] = {}
    if scores.ap:
        columns |= {"AP": scores.ap.ap, "precision": scores.ap.precision, "recall": scores.ap.recall}
    for one in scores.pck:
        columns[f"PCK@{one.alpha:g}"] = one.per_joint
    if scores.mota:
        columns["MOTA"] = scores.mota.mota
    if not columns:
        return None
    names = [name for name in next(iter(columns.values())) if name != TOTAL]
    rows = [
        [
            name + (" (no ground truth)" if name in scores.no_ground_truth else ""),
            *_cells(column.get(name) for column in columns.values()),
        ]
        for name in names
    ]
    return {"names": ["joint", *columns], "rows": rows}


def _sequences(scores: Scores, boxes: str) -> dict[str, Any] | None:
    if not scores.videos:
        return None
    groups = list(next(iter(scores.videos.values())).table)
    with_mota = any(video.mota is not None for video in scores.videos.values())
    worst_first = sorted(scores.videos.items(), key=lambda item: np.nan_to_num(item[1].table[groups[-1]], nan=-1.0))
    rows = [
        [name, *_cells(video.table.values()), *([_cell(video.mota)] if with_mota else [])]
        for name, video in worst_first
    ]
    return {
        "title": scores.metric + boxes,
        "names": ["sequence", *groups, *(["MOTA"] if with_mota else [])],
        "rows": rows,
    }


def _curves(curves: PRCurves) -> str:
    """One line a group, as SVG."""
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    for group, curve in curves.per_group.items():
        precision = curve.at_recall(RECALL_LEVELS)["precision"]
        axes.plot(RECALL_LEVELS, precision, label=f"{group} ({100 * curve.area:.1f})", linewidth=1.6)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    out = io.StringIO()
    # Without a date in it, the same scores give the same file.
    figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def _pictures(truth: TrackSet, predictions: TrackSet, reader: FrameReader) -> list[dict[str, str]]:
    annotated, predicted = by_frame(truth), by_frame(predictions)
    videos = {video.name: video for video in truth.videos}
    pictures = []
    for worst in worst_frames(truth, predictions, WORST):
        if not worst.wrong:
            break
        place = (worst.video, worst.frame)
        image = _image(videos[worst.video], worst.frame, truth, reader)
        pair = [draw_people(image, people.get(place, []), truth.skeleton) for people in (annotated, predicted)]
        strip = filmstrip(
            [[_smaller(half) for half in pair]], row_titles=[""], column_titles=["annotated", "predicted"]
        )
        done, jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        assert done  # an 8-bit image in memory can be encoded
        pictures.append({"jpeg": base64.b64encode(jpeg.tobytes()).decode("ascii"), "caption": _caption(worst)})
    return pictures


def _image(video: Video, frame: int, truth: TrackSet, reader: FrameReader) -> Image:
    """The frame, or grey of its size where there is no image."""
    try:
        return reader.read(reader.root(video) / video.frame_files[frame])
    except PoseGraphError:
        height, width = video.image_hw[frame].tolist()
        if not height or not width:
            points = [track.keypoints_px[track.annotated] for track in truth if track.video is video]
            width, height = np.ceil(np.concatenate(points).max(axis=0) * 1.05).astype(int).clip(64, 8192).tolist()
        return np.full((height, width, 3), _BLANK_GREY, dtype=np.uint8)


def _smaller(image: Image) -> Image:
    scale = _SHOWN_WIDTH / image.shape[1]
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _caption(worst: FrameErrors) -> str:
    error = "" if math.isnan(worst.error) else f", mean error {worst.error:.2f} reference lengths"
    return (
        f"{worst.video}, frame {worst.frame} ({worst.file}): {worst.missed} of {worst.annotated} annotated joints "
        f"missed, {worst.false_positives} false positives{error}; {worst.people} people annotated, "
        f"{worst.predicted_people} predicted"
    )
