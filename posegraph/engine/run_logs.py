"""The logs of a run, in ``logs/``: ``metrics.csv`` and TensorBoard's files. A resumed run continues them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from posegraph.engine.run_folder import LOGS, RESUME_LATER, TABLE
from posegraph.files import full_disk_told, replacing


class MetricsTable(Logger):
    """``metrics.csv``: a row for each call of ``log_metrics``, in the file when the call returns.

    Lightning's CSVLogger deletes the table that it finds, and rewrites it in place when a column is new: a run killed
    at that moment would lose its rows. This one appends, and a new column goes through a temporary name.

    Args:
        folder: The run's.
        keep: Rows of it that stay; a resumed run gives what its checkpoint counted. What follows them is dropped.

    Attributes:
        rows: How many the file holds.
    """

    def __init__(self, folder: Path, keep: int = 0) -> None:
        super().__init__()
        self.path, self.rows = folder / LOGS / TABLE, 0
        self._columns: list[str] = []
        self._cut(keep)

    @property
    def name(self) -> str:
        return LOGS

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: config.yaml holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row; empty where a column has no value."""
        row = {**metrics, "step": step}
        with full_disk_told(self.path, RESUME_LATER):
            if not row.keys() <= set(self._columns):
                self._write(sorted({*self._columns, *row}), self._read())
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        self.rows += 1

    @rank_zero_only
    def flush(self) -> None:
        """Return when every row is on the disk, so that no checkpoint counts a row that a power cut takes."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def last_values(self) -> dict[str, float]:
        """The last value of every column but ``step`` and ``epoch``."""
        values = {name: float(text) for row in self._read() for name, text in row.items() if text}
        return {name: value for name, value in values.items() if name not in ("step", "epoch")}

    @rank_zero_only
    def _cut(self, keep: int) -> None:
        rows = self._read()[:keep]
        if self._columns:
            self._write(self._columns, rows)
        self.rows = len(rows)

    def _read(self) -> list[dict[str, str]]:
        """All rows as text, so that they are written back as they were; sets the columns."""
        if not self.path.exists():
            return []
        # What a power cut left at the end, zero bytes among it, must not keep the run from going on.
        text = self.path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
        reader = csv.DictReader(io.StringIO(text), restval="")
        rows = [{name: value for name, value in row.items() if name is not None} for row in reader]
        self._columns = list(reader.fieldnames or ())
        return rows

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        with replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns


class EventFiles(TensorBoardLogger):
    """TensorBoard's files. A resumed run adds one, which hides what older ones say of later steps.

    Args:
        folder: The run's.
        step: Where it goes on.
    """

    def __init__(self, folder: Path, step: int) -> None:
        super().__init__(folder, LOGS, version="", purge_step=step)

    @rank_zero_only
    def save(self) -> None:
        """Write what is pending, and no hparams.yaml: config.yaml holds them."""
        self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the file; where a full disk ended the run, that is told already."""
        with nullcontext() if status == "success" else suppress(OSError):
            super().finalize(status)
