"""A small model, and what became of it when it was exported."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

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
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("export") / "onnx"
    return Exported(folder, export_model(model, folder, "onnx"))
