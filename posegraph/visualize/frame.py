"""Everybody's pose over a frame, and a frame brought to another size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import FramePoses
from posegraph.skeleton import Skeleton
from posegraph.visualize.colors import Color, person_color
from posegraph.visualize.pose import Figure
from posegraph.visualize.text import Label

Image = NDArray[np.uint8]


def draw_frame(image_bgr: Image, poses: FramePoses, skeleton: Skeleton) -> Image:
    """A copy of the frame with everybody's skeleton, in the colour of the track, under its id and mean confidence.

    People whose box ends lower in the picture are nearer as a rule, and are drawn over the others. Labels lie on top;
    where two would overlap, that of the farther person has the id alone and is lifted over the other.

    Args:
        image_bgr: ``[H, W, 3]`` uint8.
        poses: Of the frame's people.
        skeleton: Of the poses.
    """
    canvas = image_bgr.copy()
    figures = []
    for row in np.argsort(poses.boxes_xywh[:, 1] + poses.boxes_xywh[:, 3], kind="stable").tolist():
        track_id, confidence = int(poses.track_ids[row]), poses.keypoint_scores[row]
        figure = Figure.of(
            poses.keypoints_px[row], skeleton, len(canvas), confidence=confidence, color=person_color(track_id)
        )
        if figure is not None:
            figure.paint(canvas)
            figures.append((figure, f"{track_id}", f"{track_id} · {confidence.mean():.0%}"))
    labels: list[Label] = []
    for figure, track, track_and_confidence in reversed(figures):
        label = figure.label(track_and_confidence, canvas.shape[:2])
        if _in_the_way(label, labels):
            label = _free(figure.label(track, canvas.shape[:2]), labels)
        labels.append(label)
    for label in reversed(labels):
        label.paint(canvas)
    return canvas


def _free(label: Label, others: list[Label]) -> Label:
    """The label, lifted over those that are in its way; where it was if that leads out of the picture."""
    lifted = label
    while others_there := _in_the_way(lifted, others):
        lifted = replace(label, top=others_there[0].top - label.height)
    return lifted if lifted.top >= 0 else label


def _in_the_way(label: Label, others: list[Label]) -> list[Label]:
    return [other for other in others if label.overlaps(other)]


def letterbox(image_bgr: Image, height: int, width: int, background: Color = (0, 0, 0)) -> Image:
    """The whole image ``[height, width, 3]``, scaled to touch two edges, centred on ``background``."""
    scale = min(height / image_bgr.shape[0], width / image_bgr.shape[1])
    new_w, new_h = max(1, round(image_bgr.shape[1] * scale)), max(1, round(image_bgr.shape[0] * scale))
    scaled = cv2.resize(image_bgr, (new_w, new_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    cell: Image = np.full((height, width, 3), background, dtype=np.uint8)
    y, x = (height - new_h) // 2, (width - new_w) // 2
    cell[y : y + new_h, x : x + new_w] = scaled
    return cell
