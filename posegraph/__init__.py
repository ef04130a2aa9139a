"""posegraph: causal video human pose estimation on graphs, with PyTorch Geometric.

The names here are looked up when they are first used, so that ``import posegraph`` (and ``posegraph --help``) does
not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posegraph import data
    from posegraph.data.people import FramePoses, People
    from posegraph.engine.checkpoint import load
    from posegraph.engine.exporting.export import export_model
    from posegraph.engine.exporting.exported import ExportedModel, load_exported
    from posegraph.engine.predict_files import predict_files
    from posegraph.engine.predict_options import PredictOptions
    from posegraph.engine.predicting import predict
    from posegraph.engine.streaming import PoseStream
    from posegraph.graph.clip_data import ClipData
    from posegraph.models.base import PoseModel
    from posegraph.models.build import build_model
    from posegraph.models.weights import load_weights
    from posegraph.skeleton import Skeleton

__version__ = "0.1.0"

__all__ = [
    "ClipData",
    "ExportedModel",
    "FramePoses",
    "People",
    "PoseModel",
    "PoseStream",
    "PredictOptions",
    "Skeleton",
    "__version__",
    "build_model",
    "data",
    "export_model",
    "load",
    "load_exported",
    "load_weights",
    "predict",
    "predict_files",
]

_HOME = {
    "ClipData": "posegraph.graph.clip_data",
    "ExportedModel": "posegraph.engine.exporting.exported",
    "FramePoses": "posegraph.data.people",
    "People": "posegraph.data.people",
    "PoseModel": "posegraph.models.base",
    "PoseStream": "posegraph.engine.streaming",
    "PredictOptions": "posegraph.engine.predict_options",
    "Skeleton": "posegraph.skeleton",
    "build_model": "posegraph.models.build",
    "export_model": "posegraph.engine.exporting.export",
    "load": "posegraph.engine.checkpoint",
    "load_exported": "posegraph.engine.exporting.exported",
    "load_weights": "posegraph.models.weights",
    "predict": "posegraph.engine.predicting",
    "predict_files": "posegraph.engine.predict_files",
}


def __getattr__(name: str) -> Any:
    if name == "data":
        return import_module("posegraph.data")
    if name not in _HOME:
        raise AttributeError(f"module 'posegraph' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
