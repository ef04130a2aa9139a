"""Libraries that only some layouts need."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from posegraph.errors import PoseGraphError


def library(name: str, path: Path) -> Any:
    """The module ``name`` of the extra ``sleap``, which reading ``path`` needs.

    Raises:
        PoseGraphError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise PoseGraphError(
            f"{path}: reading it needs {name}, which is not installed; pip install 'posegraph[sleap]'"
        ) from None
