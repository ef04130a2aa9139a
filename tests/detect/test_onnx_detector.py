"""Detectors in ONNX files: small graphs whose people are known, through onnxruntime.

The boxes are those of a person at x 100..300, y 40..240 in an image of 640 x 320 pixels, which each graph gives in the
input's own units: a letterbox or a stretched input of 320 x 320.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK
from posegraph.detect import open_detector
from posegraph.detect.onnx_detector import onnx_detector
from posegraph.errors import PoseGraphError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIDE = 320
IMAGE = np.zeros((320, 640, 3), np.uint8)
PERSON = [100.0, 40, 200, 200]
TOP_LEFT = (50.0, 20, 150, 120)  # scale 1/2, bar below
CENTRED = (50.0, 100, 150, 200)  # scale 1/2, bars of 80 above and below
STRETCHED = (50.0, 40, 150, 240)  # scale 1/2 across, 1 down


def written(
    path: Path,
    outputs: dict[str, NDArray[Any]],
    *,
    names: dict[int, str] | None = None,
    sizes: bool = False,
    shape: tuple[Any, ...] = (1, 3, SIDE, SIDE),
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """A network that puts out the same whatever it sees."""
    nodes, infos = [], []
    for name, array in outputs.items():
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        infos.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    inputs = [helper.make_tensor_value_info("images", dtype, shape)]
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
    return saved(path, nodes, inputs, infos, names)


def saved(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], names: Any = None, extra: Any = ()
) -> Path:
    model = helper.make_model(
        helper.make_graph(nodes, "detector", inputs, outputs, list(extra)),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    if names is not None:
        helper.set_model_props(model, {"names": repr(names)})
    onnx.save(model, str(path))
    return path


def cxcywh(corners: tuple[float, ...]) -> list[float]:
    left, top, right, bottom = corners
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def floats(array: Any) -> NDArray[np.float32]:
    return np.asarray(array, dtype=np.float32)


def yolox_table(decoded: bool) -> NDArray[np.float32]:
    """A person in the cell of stride 8 at column 12, row 9, a near double of it, and a car."""
    strides = np.concatenate([np.full((SIDE // stride) ** 2, stride) for stride in (8, 16, 32)])[:, None]
    cells = np.concatenate(
        [[(column, row) for row in range(SIDE // s) for column in range(SIDE // s)] for s in (8, 16, 32)]
    ).astype(float)
    table = np.zeros((len(cells), 5 + 3))
    table[:, :2], table[:, 2:4] = (cells + 0.5) * strides, 3.0 * strides
    for row, corners, objectness, classes in (
        (9 * 40 + 12, TOP_LEFT, 0.9, (0.8, 0.1, 0.0)),
        (9 * 40 + 13, (52.0, 20, 152, 120), 0.9, (0.5, 0.1, 0.0)),
        (20 * 40 + 30, (200.0, 100, 260, 150), 0.9, (0.05, 0.9, 0.0)),
    ):
        table[row] = [*cxcywh(corners), objectness, *classes]
    if not decoded:
        table[:, :2] = table[:, :2] / strides - cells
        table[:, 2:4] = np.log(table[:, 2:4] / strides)
    return floats(table[None])


def yolov8_table() -> NDArray[np.float32]:
    """[1, 4 + 2 classes, 2100]: the person, a double, a car."""
    table = np.zeros((6, 2100))
    table[:, 7] = [*cxcywh(CENTRED), 0.72, 0.1]
    table[:, 8] = [*cxcywh((52, 100, 152, 200)), 0.5, 0.1]
    table[:, 9] = [*cxcywh((200, 100, 260, 150)), 0.02, 0.9]
    return floats(table[None])


def yolov10_table() -> NDArray[np.float32]:
    return floats([[[*CENTRED, 0.72, 0], [200, 100, 260, 150, 0.9, 1], [0, 0, 0, 0, 0, 0]]])


def queries(classes: int, person: int, logits: bool = True) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes [1, 3, 4] as shares of the input and scores [1, 3, C] of a person, a thing and nothing."""
    boxes = floats([[cxcywh(STRETCHED), cxcywh((200, 100, 260, 150)), cxcywh((0, 0, 10, 10))]]) / SIDE
    scores = np.full((1, 3, classes), 0.01)
    scores[0, 0, person], scores[0, 1, person + 1] = 0.72, 0.9
    return boxes, floats(np.log(scores / (1 - scores)) if logits else scores)


def rtdetr_joined() -> NDArray[np.float32]:
    boxes, scores = queries(80, 0, logits=False)
    return np.concatenate([boxes, scores], axis=2)


ORIGINAL = {
    "labels": np.array([[1, 0, 0]]),
    "boxes": floats([[(200, 100, 260, 150), STRETCHED, (0, 0, 9, 9)]]),
    "scores": floats([[0.9, 0.72, 0.01]]),
}

FAMILIES: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
    "yolox raw": ("yolox", {"output": yolox_table(decoded=False)}),
    "yolox decoded": ("yolox", {"output": yolox_table(decoded=True)}),
    "yolov8": ("yolov8", {"output0": yolov8_table()}),
    "yolov8 with masks": ("yolov8", {"output0": yolov8_table(), "output1": np.zeros((1, 32, 80, 80), np.float32)}),
    "yolov10": ("yolov10", {"output0": yolov10_table()}),
    "rtdetr, transformers": ("rtdetr", dict(zip(("pred_boxes", "logits"), queries(80, 0), strict=True))),
    "rtdetr, COCO's ids": ("rtdetr", dict(zip(("b", "a"), queries(91, 1), strict=True))),
    "rtdetr, one table": ("rtdetr", {"output0": rtdetr_joined()}),
    "rtdetr, original": ("rtdetr", ORIGINAL),
    "rfdetr": ("rfdetr", dict(zip(("dets", "labels"), queries(91, 1), strict=True))),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_person_in_image_pixels(tmp_path: Path, family: str) -> None:
    kind, outputs = FAMILIES[family]
    detect = onnx_detector(str(written(tmp_path / "model.onnx", outputs, sizes=family == "rtdetr, original")))
    assert detect.type_name == kind
    people = detect(IMAGE)
    assert people.boxes_xywh.shape == (1, 4)  # the double is suppressed, the car is no person
    assert people.boxes_xywh[0] == pytest.approx(PERSON, abs=1e-3)
    assert people.scores.tolist() == pytest.approx([0.72], abs=1e-6)
    assert people.track_ids.tolist() == [NO_TRACK]


def test_the_original_rtdetr_is_told_the_size_of_its_input(tmp_path: Path) -> None:
    """Boxes that are as large as the size it is told come back as the whole image."""
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["wh"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["zeros", "wh"], ["corners"], axis=1),
        helper.make_node("Unsqueeze", ["corners", "axis"], ["boxes"]),
        helper.make_node("Identity", ["zero_label"], ["labels"]),
        helper.make_node("Identity", ["one"], ["scores"]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros((1, 2), np.float32), "zeros"),
        numpy_helper.from_array(np.array([1]), "axis"),
        numpy_helper.from_array(np.zeros((1, 1), np.int64), "zero_label"),
        numpy_helper.from_array(np.ones((1, 1), np.float32), "one"),
    ]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 192, 256]),
        helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]),
    ]
    outputs = [
        helper.make_tensor_value_info("labels", TensorProto.INT64, None),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, None),
    ]
    detect = onnx_detector(str(saved(tmp_path / "m.onnx", nodes, inputs, outputs, extra=constants)))
    assert detect(IMAGE).boxes_xywh[0] == pytest.approx([0, 0, 640, 320])


def test_the_size_is_width_x_height(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", {"output0": yolov10_table()}, shape=(1, 3, "h", "w"))
    assert onnx_detector(str(path)).size_hw == (640, 640)
    assert onnx_detector(f"{path}?size=640x384").size_hw == (384, 640)


def test_the_class_called_person(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", {"output0": yolov10_table()}, names={0: "car", 1: "person"})
    found = onnx_detector(str(path))(IMAGE)
    assert found.boxes_xywh[0] == pytest.approx([400, 40, 120, 100], abs=1e-3)
    assert found.scores.tolist() == pytest.approx([0.9])
    assert onnx_detector(f"{path}?person=0")(IMAGE).boxes_xywh[0] == pytest.approx(PERSON, abs=1e-3)


def test_people_are_given_best_first_and_unsure_ones_not(tmp_path: Path) -> None:
    table = floats([[[0, 80, 50, 200, 0.3, 0], [60, 80, 110, 200, 0.8, 0], [120, 80, 170, 200, 0.09, 0]]])
    people = onnx_detector(str(written(tmp_path / "m.onnx", {"output0": table})))(IMAGE)
    assert people.scores.tolist() == pytest.approx([0.8, 0.3])


def test_open_detector_takes_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", {"output0": yolov10_table()})
    chosen = open_detector(f"onnx:{path}")
    assert chosen.detector is not None
    assert (chosen.name, len(chosen.detector(IMAGE).scores)) == (f"onnx:{path}", 1)


class TestMistakes:
    def refused(self, spec: str, text: str) -> None:
        with pytest.raises(PoseGraphError, match=re.escape(text)) as error:
            onnx_detector(spec)
        assert "\n" not in str(error.value)

    def test_outputs_of_another_kind(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"masks": np.zeros((1, 2, 8, 8), np.float32), "p": floats([[1, 2, 3]])})
        self.refused(str(path), "found outputs masks [1, 2, 8, 8], p [1, 3]; expected yolox: one output")

    def test_a_type_that_the_outputs_are_not(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov10_table()})
        self.refused(f"{path}?type=yolox", "found outputs output0 [1, 3, 6]; expected yolox: one output [1, anchors")
        self.refused(f"{path}?type=rfdetr", "expected rfdetr: dets [1, queries, 4] and labels")

    def test_a_class_that_is_not_there(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov8_table()})
        self.refused(f"{path}?person=7", "and a class 7 for person")

    def test_nobody_among_the_classes(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov10_table()}, names={0: "cat", 1: "dog"})
        self.refused(str(path), "its classes are cat, dog; expected one called person")

    def test_inputs_of_another_kind(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov10_table()}, shape=(1, SIDE, SIDE, 3))
        self.refused(str(path), "found inputs images tensor(float) [1, 320, 320, 3]; expected one image [1, 3,")
        path = written(tmp_path / "n.onnx", {"output0": yolov10_table()}, shape=(4, 3, SIDE, SIDE))
        self.refused(str(path), "found inputs images tensor(float) [4, 3, 320, 320]")

    def test_a_size_that_it_does_not_take(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov10_table()})
        self.refused(f"{path}?size=640", "size 640x640; this network takes 320x320 only")

    def test_settings_that_are_none(self, tmp_path: Path) -> None:
        path = written(tmp_path / "m.onnx", {"output0": yolov10_table()})
        self.refused(f"{path}?size=big", "size=big; expected pixels")
        self.refused(f"{path}?type=yolo8", "type 'yolo8'; expected one of yolox, yolov8, yolov10, rtdetr, rfdetr")
        self.refused(f"{path}?person=x", "person=x; expected the number of the class")
        self.refused(f"{path}?score=1", "unknown setting 'score'; expected size, type or person")

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        self.refused(str(tmp_path / "m.onnx"), "m.onnx: no such file; expected a detector as an ONNX file")
        (tmp_path / "m.onnx").write_bytes(b"not a network")
        self.refused(str(tmp_path / "m.onnx"), "m.onnx: onnxruntime cannot load it")

    def test_without_onnxruntime(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        self.refused(
            str(tmp_path / "m.onnx"), "needs onnxruntime, which is not installed; pip install 'posegraph[onnx]'"
        )
