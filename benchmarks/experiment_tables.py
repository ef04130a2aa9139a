"""Means over seeds, Markdown tables, and text between markers in the docs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph.errors import PoseGraphError
from posegraph.files import write_text


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (NaN of fewer than two) of ``n`` values."""

    mean: float
    sd: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """NaN values are left out."""
        known = [value for value in values if not math.isnan(value)]
        mean = statistics.fmean(known) if known else math.nan
        return cls(mean, statistics.stdev(known) if len(known) > 1 else math.nan, len(known))

    def text(self, sign: bool = False) -> str:
        """``71.3 ± 0.4``."""
        if not self.n:
            return "-"
        mean = f"{self.mean:+.1f}" if sign else f"{self.mean:.1f}"
        return mean if math.isnan(self.sd) else f"{mean} ± {self.sd:.1f}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of Markdown; the first column is text, the others numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def write_between(path: Path, name: str, text: str) -> None:
    """Replace what stands in a text file between ``<!-- NAME begin -->`` and ``<!-- NAME end -->``.

    Raises :class:`PoseGraphError` where the file has not one of each, in this order.
    """
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    content = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, found_begin, rest = content.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end) or begin in rest or end in before + after:
        raise PoseGraphError(f"{path}: expected one line {begin} and, after it, one line {end}; put them where it goes")
    write_text(path, f"{before}{begin}\n{text.strip()}\n{end}{after}")


def value_at(row: Mapping[str, Any], keys: Sequence[str]) -> float:
    """A number within nested mappings; a null is NaN."""
    value: Any = row
    for key in keys:
        value = value[key]
    return math.nan if value is None else float(value)
