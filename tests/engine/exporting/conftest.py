"""A small model, and what became of it when it was exported."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

import posegraph
from posegraph.engine.exporting.export import ExportReport, export_model
from posegraph.models.base import PoseModel


class Exported(NamedTuple):
    """A folder of ONNX files, and the report of making it."""

    folder: Path
    report: ExportReport


@pytest.fixture(scope="session")
def model(tiny_model: Path) -> PoseModel:
    return posegraph.load(tiny_model)


@pytest.fixture(scope="session")
def onnx_export(model: PoseModel, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Made once, whichever of the test processes wants it first: each has the same model."""
    pytest.importorskip("onnxscript")
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "exported"
    root.mkdir(exist_ok=True)
    with FileLock(root / "lock"):
        if not (root / "report").exists():
            report = export_model(model, root / "onnx", "onnx")
            (root / "report").write_bytes(pickle.dumps(report))
        return Exported(root / "onnx", pickle.loads((root / "report").read_bytes()))
