"""What a network in an ONNX file is shown, and where its boxes come to lie: graphs that find something bright."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph.detect.onnx_detector import onnx_detector

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIDE = 320


def floats(array: Any) -> NDArray[np.float32]:
    return np.asarray(array, dtype=np.float32)


def nobody_else() -> NDArray[np.float32]:
    """All but the first anchor of YOLOX, decoded: each in its cell, and no object."""
    anchors = [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride, stride, 0, 0)
        for stride in (8, 16, 32)
        for row in range(SIDE // stride)
        for column in range(SIDE // stride)
    ]
    return floats([anchors[1:]])


def bright_spot(path: Path, kind: str, channel: int, above: float, shape: Any, dtype: int = TensorProto.FLOAT) -> Path:
    """A network that finds one person: where a channel of its input is brighter than ``above``."""
    const: dict[str, Any] = {
        "channel": np.array(channel),
        "above": floats(above),
        "places": np.arange(1000, dtype=np.float32),
        "first": np.array([0]),
        "one": floats(1),
        "far": floats(1e6),
        "side": floats(SIDE),
        "half": floats(0.5),
        "corners_shape": np.array([1, 1, 4]),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["full"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["full", "channel"], ["plane"], axis=1),
        helper.make_node("Greater", ["plane", "above"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["mask"], to=TensorProto.FLOAT),
    ]
    for axis, other in (("x", 1), ("y", 2)):
        nodes += [
            helper.make_node("ReduceMax", ["mask"], [f"on_{axis}"], axes=[other], keepdims=0),
            helper.make_node("Shape", [f"on_{axis}"], [f"shape_{axis}"], start=1),
            helper.make_node("Slice", ["places", "first", f"shape_{axis}"], [f"at_{axis}"]),
            helper.make_node("Sub", ["one", f"on_{axis}"], [f"off_{axis}"]),
            helper.make_node("Mul", [f"off_{axis}", "far"], [f"away_{axis}"]),
            helper.make_node("Add", [f"at_{axis}", f"away_{axis}"], [f"low_all_{axis}"]),
            helper.make_node("ReduceMin", [f"low_all_{axis}"], [f"low_{axis}"], axes=[1], keepdims=1),
            helper.make_node("Add", [f"at_{axis}", "one"], [f"end_{axis}"]),
            helper.make_node("Mul", [f"end_{axis}", f"on_{axis}"], [f"high_all_{axis}"]),
            helper.make_node("ReduceMax", [f"high_all_{axis}"], [f"high_{axis}"], axes=[1], keepdims=1),
        ]
    nodes += [
        helper.make_node("Concat", ["low_x", "low_y"], ["low"], axis=1),
        helper.make_node("Concat", ["high_x", "high_y"], ["high"], axis=1),
        helper.make_node("Sub", ["high", "low"], ["size"]),
        helper.make_node("Add", ["high", "low"], ["twice"]),
        helper.make_node("Mul", ["twice", "half"], ["centre"]),
        helper.make_node("Concat", ["low", "high"], ["flat"], axis=1),
        helper.make_node("Concat", ["centre", "size"], ["flat_centred"], axis=1),
        helper.make_node("Reshape", ["flat", "corners_shape"], ["corners"]),
        helper.make_node("Reshape", ["flat_centred", "corners_shape"], ["centred"]),
    ]
    if kind == "yolov10":
        const["rest"] = floats([[[1, 0]]])
        nodes.append(helper.make_node("Concat", ["corners", "rest"], ["output0"], axis=2))
        outputs = ["output0"]
    elif kind == "yolox":
        const["rest"], const["others"] = floats([[[1, 1]]]), nobody_else()
        nodes.append(helper.make_node("Concat", ["centred", "rest"], ["row"], axis=2))
        nodes.append(helper.make_node("Concat", ["row", "others"], ["output"], axis=1))
        outputs = ["output"]
    elif kind == "rtdetr":
        const["label"], const["score"] = np.zeros((1, 1), np.int64), floats([[1]])
        nodes += [
            helper.make_node("Identity", ["corners"], ["boxes"]),
            helper.make_node("Identity", ["label"], ["labels"]),
            helper.make_node("Identity", ["score"], ["scores"]),
        ]
        outputs = ["boxes", "labels", "scores"]
    else:
        const["logit"] = floats([[[-9, 9] + [-9] * 89]])
        nodes += [
            helper.make_node("Div", ["centred", "side"], ["dets"]),
            helper.make_node("Identity", ["logit"], ["labels"]),
        ]
        outputs = ["dets", "labels"]
    kinds = {"labels": TensorProto.INT64} if kind == "rtdetr" else {}
    infos = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in outputs]
    inputs = [helper.make_tensor_value_info("images", dtype, shape)]
    extra = [numpy_helper.from_array(np.asarray(array), name) for name, array in const.items()]
    graph = helper.make_graph(nodes, "bright_spot", inputs, infos, extra)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


FIXED = (1, 3, SIDE, SIDE)


@pytest.mark.parametrize(
    ("kind", "channel", "above", "shape", "dtype"),
    [
        ("yolov10", 0, 0.9, FIXED, TensorProto.FLOAT),  # RGB, 0..1
        ("yolov10", 0, 0.9, FIXED, TensorProto.FLOAT16),
        ("yolov10", 0, 0.9, ("batch", 3, "height", "width"), TensorProto.FLOAT),
        ("yolox", 2, 250, FIXED, TensorProto.FLOAT),  # BGR, 0..255
        ("rtdetr", 0, 0.9, FIXED, TensorProto.FLOAT),
        ("rfdetr", 0, 2.2, FIXED, TensorProto.FLOAT),  # (1 - 0.485) / 0.229 = 2.249
    ],
)
@pytest.mark.parametrize("portrait", [False, True])
def test_what_a_network_sees_is_found_where_it_is(
    tmp_path: Path, kind: str, channel: int, above: float, shape: Any, dtype: int, portrait: bool
) -> None:
    """Something red in a black image, through resizing, colours, scale and back."""
    detect = onnx_detector(str(bright_spot(tmp_path / "m.onnx", kind, channel, above, shape, dtype)))
    assert detect.type_name == kind
    image = np.zeros((640, 480, 3) if portrait else (480, 640, 3), np.uint8)
    image[100:220, 200:440] = (0, 0, 255)
    people = detect(image)
    # A pixel of the input is up to two of the image.
    assert people.boxes_xywh[0] == pytest.approx([200, 100, 240, 120], abs=2.5)
    assert people.scores[0] > 0.99
