"""posegraph: causal video human pose estimation on graphs, with PyTorch Geometric.

The names here are looked up when they are first used, so that ``import posegraph`` (and ``posegraph --help``) does
not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posegraph import data
    from posegraph.engine.checkpoint import load
    from posegraph.graph.clip_data import ClipData
    from posegraph.models.base import PoseModel
    from posegraph.models.build import build_model
    from posegraph.models.weights import load_weights
    from posegraph.skeleton import Skeleton

__version__ = "0.1.0"

__all__ = ["ClipData", "PoseModel", "Skeleton", "__version__", "build_model", "data", "load", "load_weights"]

_HOME = {
    "ClipData": "posegraph.graph.clip_data",
    "PoseModel": "posegraph.models.base",
    "Skeleton": "posegraph.skeleton",
    "build_model": "posegraph.models.build",
    "load": "posegraph.engine.checkpoint",
    "load_weights": "posegraph.models.weights",
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
