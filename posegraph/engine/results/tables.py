"""Poses as a tidy table, a row for each joint of a person in a frame: CSV and Parquet.

# N person-frames, J joints
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.engine.results.record import FrameRecord
from posegraph.engine.results.rows import PersonRows
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

_WHOLE = ("frame", "track_id")
_NAMES = ("image", "joint")
COLUMNS = (
    "frame",
    "time_s",
    "image",
    "track_id",
    "joint",
    "x",
    "y",
    "confidence",
    "box_x",
    "box_y",
    "box_width",
    "box_height",
    "box_score",
)
"""Frame's number, its time and name; who; which joint; its place in image pixels and confidence; the person's box."""


class CsvWriter:
    """A CSV file with :data:`COLUMNS`; a joint without a place has empty fields. A context manager."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._skeleton = skeleton

    def __enter__(self) -> CsvWriter:
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(COLUMNS)
        return self

    def write(self, frames: Sequence[FrameRecord]) -> None:
        """Append frames."""
        columns = _tidy(frames, self._skeleton)
        self._csv.writerows(zip(*(_cells(columns[name]) for name in COLUMNS), strict=True))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class ParquetWriter:
    """A Parquet file with :data:`COLUMNS`; names are dictionary-coded (a category in pandas). A context manager."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._skeleton = skeleton
        self._arrow = pyarrow()

    def __enter__(self) -> ParquetWriter:
        arrow = self._arrow
        kinds = {name: arrow.int64() for name in _WHOLE}
        kinds |= {name: arrow.dictionary(arrow.int32(), arrow.string()) for name in _NAMES}
        self._schema = arrow.schema([(name, kinds.get(name, arrow.float64())) for name in COLUMNS])
        self._writer = import_module("pyarrow.parquet").ParquetWriter(self._path, self._schema)
        return self

    def write(self, frames: Sequence[FrameRecord]) -> None:
        """Append frames, as one row group."""
        columns = _tidy(frames, self._skeleton)
        if len(columns["frame"]):
            self._writer.write_table(self._arrow.Table.from_pydict(columns, schema=self._schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def pyarrow() -> Any:
    """The library of Parquet files. Raises :class:`PoseGraphError` when it is not installed."""
    try:
        return import_module("pyarrow")
    except ImportError:
        raise PoseGraphError(
            "format parquet needs pyarrow, which is not installed; pip install 'posegraph[parquet]', or take csv"
        ) from None


def _tidy(frames: Sequence[FrameRecord], skeleton: Skeleton) -> dict[str, NDArray[Any]]:
    """Column -> ``[N * J]`` values."""
    J = skeleton.num_joints
    rows = PersonRows.of(frames, J)
    person = {
        "frame": np.array([record.number for record in frames], dtype=np.int64)[rows.frame],
        "time_s": np.array([record.time_s for record in frames], dtype=np.float64)[rows.frame],
        "image": np.array([record.name for record in frames], dtype=object)[rows.frame],
        "track_id": rows.track_ids,
        "box_score": rows.box_scores,
    }
    person |= dict(zip(("box_x", "box_y", "box_width", "box_height"), rows.boxes_xywh.T, strict=True))
    columns = {name: np.repeat(values, J) for name, values in person.items()}
    columns["joint"] = np.tile(np.array(skeleton.joints, dtype=object), len(rows))
    columns["x"], columns["y"] = rows.keypoints_px.reshape(-1, 2).T
    columns["confidence"] = rows.keypoint_scores.ravel()
    return columns


def _cells(values: NDArray[Any]) -> list[Any]:
    cells: list[Any] = values.tolist()
    return ["" if cell != cell else cell for cell in cells] if values.dtype == np.float64 else cells
