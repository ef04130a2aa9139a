"""What detectors exported to ONNX put out, told from its shapes, and people read from it.

YOLOX: Megvii-BaseDetection/YOLOX (``demo/ONNXRuntime``). RT-DETR: lyuwenyu/RT-DETR (``tools/export_onnx.py``) and
transformers. YOLOv8 and YOLOv10: the shapes that their exporter documents. RF-DETR: roboflow/rf-detr.

# A anchors, C classes, Q queries
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegraph.detect.letterbox import Fit

Array = NDArray[np.float64]
Outputs = Mapping[str, Array]
"""Name -> array with the batch axis of 1 taken off."""

_STRIDES = (8, 16, 32, 64)
_COCO_IDS = (90, 91)
"""Numbers of classes that say that they are counted by COCO's category ids, where a person is 1."""

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Candidates(NamedTuple):
    """Boxes and how likely each holds a person.

    Fields:
        boxes_xyxy: ``[n, 4]`` input pixels.
        scores: ``[n]``.
    """

    boxes_xyxy: Array
    scores: Array


class OutputType(NamedTuple):
    """One type of detector.

    Fields:
        decode: ``(outputs, size_hw of the input, row of the person class or None) -> candidates``.
        expected: What its outputs are, for errors.
        fit: How it wants images resized.
        rgb: Order of its input's channels; otherwise BGR.
        divisor: Of the pixel values.
        mean, std: Of RGB pixel values after the division.
        overlapping: Several candidates may be one person: non-maximum suppression is needed.
    """

    decode: Callable[[Outputs, tuple[int, int], int | None], Candidates]
    expected: str
    fit: Fit
    rgb: bool = True
    divisor: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    overlapping: bool = True


def recognised(outputs: Outputs, size_hw: tuple[int, int]) -> str | None:
    """Key of ``OUTPUT_TYPES`` for what a network put out; None where the shapes are those of no type."""
    if {"labels", "boxes", "scores"} <= outputs.keys():
        return "rtdetr"
    if {"dets", "labels"} <= outputs.keys():
        return "rfdetr"
    if _boxes_and_logits(outputs) is not None:
        return "rtdetr"
    tables = _tables(outputs)
    if len(tables) != 1:
        return None
    rows, columns = tables[0].shape
    if rows in _num_anchors(size_hw) and columns >= 6:
        return "yolox"
    if columns == 6:
        return "yolov10"
    if 5 <= rows < columns:
        return "yolov8"
    return "rtdetr" if columns > 6 and rows <= 1000 else None


def _yolox(outputs: Outputs, size_hw: tuple[int, int], person: int | None) -> Candidates:
    """``[A, 5 + C]``: centre, size, objectness, classes; places in cells of a grid unless the graph decodes them."""
    table = _tables(outputs)[0]
    cells, stride = _grid(size_hw, _STRIDES[: 3 + _num_anchors(size_hw).index(len(table))])
    centre, size = table[:, :2], table[:, 2:4]
    # A decoded centre lies within a few cells of its anchor; a raw one is an offset, far from it nearly everywhere.
    if np.median(np.abs(centre / stride - cells)) > np.median(np.abs(centre)):
        centre, size = (centre + cells) * stride, np.exp(np.minimum(size, 20.0)) * stride
    return Candidates(_corners(centre, size), table[:, 4] * table[:, 5 + (person or 0)])


def _yolov8(outputs: Outputs, size_hw: tuple[int, int], person: int | None) -> Candidates:
    """``[4 + C, A]``: centre and size in input pixels, classes. More rows (masks, keypoints) do not matter."""
    table = _tables(outputs)[0].T
    return Candidates(_corners(table[:, :2], table[:, 2:4]), table[:, 4 + (person or 0)])


def _yolov10(outputs: Outputs, size_hw: tuple[int, int], person: int | None) -> Candidates:
    """``[n, 6]``: corners in input pixels, score, class."""
    table = _tables(outputs)[0]
    return Candidates(table[:, :4], np.where(table[:, 5] == (person or 0), table[:, 4], 0.0))


def _rtdetr(outputs: Outputs, size_hw: tuple[int, int], person: int | None) -> Candidates:
    """Labels, corners and scores; or boxes ``[Q, 4]`` and logits ``[Q, C]``; or both in one table, with scores."""
    if {"labels", "boxes", "scores"} <= outputs.keys():
        mine = outputs["labels"] == (person or 0)
        return Candidates(outputs["boxes"], np.where(mine, outputs["scores"], 0.0))
    pair = _boxes_and_logits(outputs)
    if pair is None:
        table = _tables(outputs)[0]
        boxes, scores = table[:, :4], table[:, 4:]
    else:
        boxes, scores = pair[0], 1 / (1 + np.exp(-pair[1]))
    if person is None:
        person = int(scores.shape[1] in _COCO_IDS)
    size_wh = np.array(size_hw[::-1])
    return Candidates(_corners(boxes[:, :2] * size_wh, boxes[:, 2:] * size_wh), scores[:, person])


def _rfdetr(outputs: Outputs, size_hw: tuple[int, int], person: int | None) -> Candidates:
    return _rtdetr({"pred_boxes": outputs["dets"], "logits": outputs["labels"]}, size_hw, person)


def _boxes_and_logits(outputs: Outputs) -> tuple[Array, Array] | None:
    """``[Q, 4]`` and ``[Q, C]``: by their names, else the only two tables with equally many rows."""
    if {"pred_boxes", "logits"} <= outputs.keys():
        return outputs["pred_boxes"], outputs["logits"]
    tables = sorted(_tables(outputs), key=lambda table: table.shape[1] != 4)
    if len(tables) == 2 and tables[0].shape[1] == 4 != tables[1].shape[1] and len(tables[0]) == len(tables[1]):
        return tables[0], tables[1]
    return None


def _tables(outputs: Outputs) -> list[Array]:
    return [array for array in outputs.values() if array.ndim == 2]


def _num_anchors(size_hw: tuple[int, int]) -> list[int]:
    """Cells of the grids of strides 8, 16, 32, and of these and 64."""
    cells = [(size_hw[0] // stride) * (size_hw[1] // stride) for stride in _STRIDES]
    return [sum(cells[:3]), sum(cells)]


def _grid(size_hw: tuple[int, int], strides: tuple[int, ...]) -> tuple[Array, Array]:
    """``[A, 2]`` column and row of each anchor's cell, and ``[A, 1]`` its stride."""
    cells, of_stride = [], []
    for stride in strides:
        rows, columns = np.indices((size_hw[0] // stride, size_hw[1] // stride)).reshape(2, -1)
        cells.append(np.stack([columns, rows], axis=1).astype(np.float64))
        of_stride.append(np.full((len(rows), 1), float(stride)))
    return np.concatenate(cells), np.concatenate(of_stride)


def _corners(centre: Array, size: Array) -> Array:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


OUTPUT_TYPES: Mapping[str, OutputType] = {
    "yolox": OutputType(
        _yolox, "one output [1, anchors of strides 8, 16, 32, 5 + classes]", "top_left", rgb=False, divisor=1.0
    ),
    "yolov8": OutputType(_yolov8, "one output [1, 4 + classes, anchors]", "centred"),
    "yolov10": OutputType(_yolov10, "one output [1, boxes, 6]", "centred", overlapping=False),
    "rtdetr": OutputType(
        _rtdetr,
        "labels, boxes and scores; or boxes [1, queries, 4] and logits [1, queries, classes]",
        "stretched",
        overlapping=False,
    ),
    "rfdetr": OutputType(
        _rfdetr,
        "dets [1, queries, 4] and labels [1, queries, classes]",
        "stretched",
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        overlapping=False,
    ),
}
