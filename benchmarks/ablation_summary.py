"""From rows of the ablation to means, differences, goals, tables and a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiment_tables import Spread, markdown_table, value_at, write_between
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posegraph.files import replacing

GAIN_GOAL = 3.8
"""mAP that the paper's method gains over its backbone alone."""
FULL, ALONE = "full", "vit_alone"
NAMES = {
    FULL: "full",
    "local_only": "local branch only",
    "global_only": "global branch only",
    "spatial_only": "spatial graph only",
    "temporal_only": "temporal graph only",
    "no_center_predict": "no centre prediction",
    ALONE: "ViT alone",
}
PARTS = ("visible", "occluded", "fast")

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Summary:
    """What the rows say.

    Fields:
        figures: Plain values: for each size and variant mean, sd and number of everything scored, and of the full
            method's lead, paired by seed; goals.
        tables: Markdown, a size and kind each.
        points: Size -> variant -> mAP of every seed.
    """

    figures: dict[str, Any]
    tables: tuple[str, ...]
    points: dict[str, dict[str, list[float]]]


def summarise(rows: Rows, sizes: Sequence[str], variants: Sequence[str]) -> Summary:
    """Means over seeds of the rows that are there, in the order of ``sizes`` and ``variants``."""
    by_size = {size: [row for row in rows if row["size"] == size] for size in sizes}
    figures: dict[str, Any] = {"sizes": {}, "goals": {}}
    tables, points = [], {}
    for size, some in by_size.items():
        if not some:
            continue
        groups = {name: [row for row in some if row["variant"] == name] for name in variants}
        groups = {name: group for name, group in groups.items() if group}
        lead = {name: lead_of_full(groups.get(FULL, []), group) for name, group in groups.items() if name != FULL}
        verdicts = goals(lead)
        figures["sizes"][size] = {name: _variant_figures(group, lead.get(name)) for name, group in groups.items()}
        figures["goals"][size] = verdicts
        tables.append(
            "\n\n".join((_heading(size, some), _accuracy(groups, lead), _parts(groups), _goal_list(verdicts)))
        )
        points[size] = {name: [value_at(row, ["mAP"]) for row in group] for name, group in groups.items()}
    return Summary(figures, tuple(tables), points)


def lead_of_full(full: Rows, other: Rows) -> Spread:
    """mAP of the full method less the other's, over the seeds that both have."""
    of_seed = {row["seed"]: value_at(row, ["mAP"]) for row in full}
    return Spread.of([of_seed[row["seed"]] - value_at(row, ["mAP"]) for row in other if row["seed"] in of_seed])


def goals(lead: dict[str, Spread]) -> list[str]:
    """What was aimed at, what came out, pass or FAIL."""

    def line(aim: str, passed: bool, gain: Spread) -> str:
        return f"{aim}: {gain.text(sign=True)}, {'pass' if passed else 'FAIL'}"

    found = []
    for name, gain in lead.items():
        if not gain.n:
            continue
        if name == ALONE:
            aim = f"full beats {NAMES[name]} by at least {GAIN_GOAL} mAP"
            found.append(line(aim, gain.mean >= GAIN_GOAL, gain))
        else:
            found.append(line(f"full beats {NAMES[name]}", gain.mean > 0, gain))
    return found


def _variant_figures(rows: Rows, lead: Spread | None) -> dict[str, Any]:
    kinds = {"mAP": ["mAP"], **{f"AP {group}": ["AP", group] for group in rows[0]["AP"]}}
    for part in PARTS:
        for kind in ("ap", "pck"):
            kinds[f"{kind.upper()} {part}"] = ["splits", part, kind, "Mean"]
    kinds["training seconds"] = ["training", "train_s"]
    figures: dict[str, Any] = {name: asdict(spread(rows, *keys)) for name, keys in kinds.items()}
    figures["seeds"] = [row["seed"] for row in rows]
    figures["commits"] = sorted({row["training"]["commit"] for row in rows})
    if lead is not None:
        figures["full leads by"] = asdict(lead)
    return figures


def spread(rows: Rows, *keys: str) -> Spread:
    """Of the values at ``keys``."""
    return Spread.of([value_at(row, keys) for row in rows])


def _heading(size: str, rows: Rows) -> str:
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    first = rows[0]
    # A resumed run's time is that of its last session.
    whole = [row["training"]["train_s"] / 60 for row in rows if not row["training"]["resumed"]]
    minutes = f"{min(whole):.0f} to {max(whole):.0f} minutes each" if whole else "wall time not measured (all resumed)"
    commits = ", ".join(sorted({row["training"]["commit"] for row in rows}))
    processors = ", ".join(sorted({row["training"]["machine"]["processor"] for row in rows}))
    threads = ", ".join(sorted({str(row["training"]["machine"]["threads"]) for row in rows}))
    parts = ", ".join(f"{first['splits'][part]['num_joints']} {part}" for part in PARTS)
    return (
        f"**{size}**: seeds {seeds}; {first['training']['steps']} further steps, {minutes}; {processors}, "
        f"OMP_NUM_THREADS {threads}; commit {commits}. Scored on {first['split']}: {first['people']} people in frames; "
        f"joints: {parts} (above {first['fast_from']:.2f} head sizes a frame)."
    )


def _accuracy(groups: dict[str, list[dict[str, Any]]], lead: dict[str, Spread]) -> str:
    columns = [name for name in next(iter(groups.values()))[0]["AP"] if name != "Mean"]
    body = []
    for name, rows in groups.items():
        ahead = lead[name].text(sign=True) if name in lead else "-"
        per_group = [spread(rows, "AP", column).text() for column in columns]
        millions = f"{rows[0]['parameters'] / 1e6:.2f} M"
        body.append([NAMES[name], spread(rows, "mAP").text(), ahead, *per_group, millions])
    return markdown_table(["AP", "mAP", "full leads by", *columns, "parameters"], body)


def _parts(groups: dict[str, list[dict[str, Any]]]) -> str:
    kinds = [(kind, part) for kind in ("ap", "pck") for part in PARTS]
    header = ["joints", *(f"{kind.upper()} {part}" for kind, part in kinds)]
    body = [
        [NAMES[name], *(spread(rows, "splits", part, kind, "Mean").text() for kind, part in kinds)]
        for name, rows in groups.items()
    ]
    return markdown_table(header, body)


def _goal_list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def write_docs(folder: Path, summary: Summary) -> None:
    """Figure and tables into ``ablation.md``, between its markers, and ``ablation.png``."""
    shown = "![mAP of every variant: the seeds, their mean and one standard deviation](ablation.png)"
    write_between(folder / "ablation.md", "ablation", "\n\n".join((shown, *summary.tables)))
    with replacing(folder / "ablation.png") as temporary:
        figure(summary.points).savefig(temporary, dpi=110, metadata={"Software": None})


def figure(points: dict[str, dict[str, list[float]]]) -> Figure:
    """mAP of every variant, a panel for each size: a dot for each seed, the mean and one standard deviation."""
    drawn = Figure(figsize=(4.6 * len(points), 3.4), layout="constrained")
    panels = drawn.subplots(1, len(points), squeeze=False)[0]
    for axes, (size, of_variant) in zip(panels, points.items(), strict=True):
        _panel(axes, size, of_variant)
    return drawn


def _panel(axes: Axes, size: str, of_variant: dict[str, list[float]]) -> None:
    for place, (name, values) in enumerate(of_variant.items()):
        found = Spread.of(values)
        colour = {FULL: "tab:blue", ALONE: "tab:orange"}.get(name, "0.35")
        axes.plot(values, [place + 0.25] * len(values), "o", color=colour, alpha=0.5, markersize=4)
        error = 0.0 if math.isnan(found.sd) else found.sd
        axes.errorbar(found.mean, place, xerr=error, fmt="D", color=colour, capsize=3, markersize=6)
    axes.set_yticks(range(len(of_variant)), [NAMES[name] for name in of_variant])
    axes.invert_yaxis()
    axes.set(title=size, xlabel="mAP on test")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
