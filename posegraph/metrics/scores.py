"""What was measured on a data set, for tables, files and reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from posegraph.metrics.curves import PRCurves
from posegraph.metrics.mota import MOTA
from posegraph.metrics.oks import OKS
from posegraph.metrics.pck import PCK
from posegraph.metrics.posetrack_ap import PoseTrackAP
from posegraph.metrics.recovery import Recovery
from posegraph.metrics.reference import UNITS
from posegraph.metrics.stability import Jitter
from posegraph.skeleton import Skeleton

MOT_TOTALS = {"MOTP": "motp", "Prec": "precision", "Rec": "recall"}
"""Column of a table -> field of :class:`MOTA`."""
MARK = "*"
"""Behind the name of a column that a joint without ground truth belongs to."""


@dataclass(frozen=True)
class VideoScores:
    """One video.

    Fields:
        table: Its row of the headline metric.
        mota: Its total MOTA, None where MOTA was not asked for.
    """

    table: dict[str, float]
    mota: float | None = None


@dataclass(frozen=True)
class Table:
    """One row of numbers for people: a title, columns and values, shown with some decimals."""

    title: str
    values: dict[str, float]
    decimals: int = 1


@dataclass(frozen=True)
class Scores:
    """What was measured, and how; None and empty for what was not.

    Fields:
        skeleton: The ground truth's.
        reason: Why AP, which was wanted, could not be measured; else empty.
        no_ground_truth: Joints that are annotated nowhere.
        ap: PoseTrack's average precision.
        pck: One for every alpha.
        mota: Tracking accuracy.
        oks: COCO's average precision.
        jitter: Acceleration error.
        recovery: Time to recover after occlusions.
        curves: Precision-recall curves.
        videos: Video name -> its scores.
        left_out: Metric -> why it was not measured, of those wanted.
    """

    skeleton: Skeleton
    reason: str = ""
    no_ground_truth: tuple[str, ...] = ()
    ap: PoseTrackAP | None = None
    pck: tuple[PCK, ...] = ()
    mota: MOTA | None = None
    oks: OKS | None = None
    jitter: Jitter | None = None
    recovery: Recovery | None = None
    curves: PRCurves | None = None
    videos: dict[str, VideoScores] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The headline: ``PoseTrack AP``, else ``PCK@alpha`` with its reference length, else what was measured."""
        return self._rows[0].title if self._rows else ""

    @property
    def table(self) -> dict[str, float]:
        """The headline's row: group -> percentage, with ``Mean``."""
        return self._rows[0].values if self._rows else {}

    @property
    def _rows(self) -> list[Table]:
        rows = [Table("PoseTrack AP", self.ap.table)] if self.ap else []
        rows += [Table(f"PCK@{one.alpha:g} of the {UNITS[one.reference]}", one.table) for one in self.pck]
        if self.mota:
            totals = {name: getattr(self.mota, kind)["total"] for name, kind in MOT_TOTALS.items()}
            rows.append(Table("MOTA", self.mota.table | totals))
        if self.oks:
            rows.append(Table("OKS (fractions, as COCO prints them)", self.oks.values, decimals=3))
        if self.jitter:
            title = f"Jitter: acceleration error, {UNITS[self.jitter.reference]} per frame squared"
            rows.append(Table(title, self.jitter.table, decimals=3))
        if self.recovery:
            near = f"{self.recovery.alpha:g} of the {UNITS[self.recovery.reference]}"
            rows.append(Table(f"Frames until right again (within {near}) after an occlusion",
                              self.recovery.in_all.figures, decimals=2))  # fmt: skip
        return rows

    @property
    def tables(self) -> list[Table]:
        """All rows, the headline first; ``*`` marks a group with a joint that has no ground truth."""
        rows = {self.skeleton.scored_rows[name] for name in self.no_ground_truth}
        marked = {group for group, members in self.skeleton.group_rows.items() if rows & set(members)}
        return [
            replace(row, values={f"{name}{MARK}" if name in marked else name: x for name, x in row.values.items()})
            for row in self._rows
        ]

    @property
    def figures(self) -> dict[str, Any]:
        """Everything there is to say as plain values (numbers may be NaN): what ``--json`` writes."""
        figures: dict[str, Any] = {
            "metric": self.metric,
            "reason": self.reason,
            "table": self.table,
            "no_ground_truth": list(self.no_ground_truth),
            "left_out": self.left_out,
            "videos": {name: asdict(video) for name, video in self.videos.items()},
        }
        if self.ap:
            figures |= {"AP": self.ap.ap, "precision": self.ap.precision, "recall": self.ap.recall}
            figures["AP_averaged"] = list(self.ap.averaged)
            figures["AP_table_with_ground_truth"] = self.ap.table_with_ground_truth
        if self.pck:
            figures |= {"PCK": self.pck[0].per_joint, "PCK_curve": [_plain(one) for one in self.pck]}
        for name, result in (("MOTA", self.mota), ("OKS", self.oks), ("jitter", self.jitter)):
            if result:
                figures[name] = _plain(result)
        for name, other in (("recovery", self.recovery), ("PR", self.curves)):
            if other:
                figures[name] = other.figures
        return figures

    @property
    def notes(self) -> list[str]:
        """What must be said beside the tables: joints without ground truth, and what was left out."""
        notes = [f"{self.metric} in place of AP: {self.reason}"] if self.reason else []
        if self.no_ground_truth:
            note = f"{MARK} no ground truth: {', '.join(self.no_ground_truth)}"
            if self.ap:
                over = len(self.ap.averaged)
                mean = self.ap.table_with_ground_truth["Mean"]
                note += f"; poseval's Mean is over {over} joints; over those with ground truth it is {mean:.1f}"
            notes.append(note)
        if self.mota and self.mota.too_short:
            notes.append(f"MOTA: too short to count (fewer than 2 frames): {', '.join(self.mota.too_short)}")
        return notes + [f"{metric} left out: {reason}" for metric, reason in self.left_out.items()]


def _plain(result: PCK | MOTA | OKS | Jitter) -> dict[str, Any]:
    """Fields and values. ``asdict`` would make the items of a Counter its keys."""
    values = {item.name: getattr(result, item.name) for item in fields(result)}
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in values.items()}
