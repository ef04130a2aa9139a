"""What runs an exported part: tensors of the CPU in, tensors out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posegraph.engine.exporting.formats import Format
from posegraph.errors import PoseGraphError

Runner = Callable[..., tuple[Tensor, ...]]
"""Tensors of a part's inputs -> tensors of its outputs."""


def open_part(to: Format, path: Path) -> Runner:
    """A part's file, ready to run with as many threads as torch has now.

    Raises:
        PoseGraphError: the runtime is not installed, or cannot load the file.
    """
    try:
        return _OPENERS[to](path)
    except PoseGraphError:
        raise
    except Exception as error:  # the runtimes have many, with no common base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise PoseGraphError(
            f"{path}: cannot be loaded ({lines[0][:200]}); export the model again with the versions installed here"
        ) from error


class _OnnxPart:
    def __init__(self, path: Path) -> None:
        try:
            onnxruntime = import_module("onnxruntime")
        except ImportError:
            raise PoseGraphError(
                f"{path}: running it needs onnxruntime, which is not installed; pip install 'posegraph[onnx]'"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # A stream's two parts have a pool of threads each: one that waits must not keep the other from the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        arrays = (np.ascontiguousarray(each.numpy()) for each in inputs)
        outputs = self._session.run(None, dict(zip(self._inputs, arrays, strict=True)))
        return tuple(torch.from_numpy(each) for each in outputs)


def _pt2_part(path: Path) -> Runner:
    program: Runner = torch.export.load(str(path)).module()
    return program


def _aoti_part(path: Path) -> Runner:
    from torch._inductor import aoti_load_package

    package = aoti_load_package(str(path))
    return lambda *inputs: tuple(package(*(each.contiguous() for each in inputs)))


_OPENERS: dict[Format, Callable[[Path], Runner]] = {"onnx": _OnnxPart, "pt2": _pt2_part, "aoti": _aoti_part}
