"""``posegraph score``."""

from __future__ import annotations

import click

from .output import emit_json, json_option, notice, print_table


def _names(context: click.Context, option: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [name.strip().lower() for name in text.split(",") if name.strip()]


def _numbers(context: click.Context, option: click.Parameter, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"found {text!r}, expected numbers with commas between them, as in 0.1,0.2") from None


@click.command()
@click.option("--gt", required=True, metavar="PATH", type=click.Path(), help="Annotations: a file or a folder.")
@click.option("--pred", required=True, metavar="PATH", type=click.Path(), help="Predictions: a file or a folder.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="What to score; by default what the annotations hold.")
@click.option(
    "--metrics",
    metavar="NAMES",
    callback=_names,
    help="Of ap, mota, pck, stability (the default, as far as the data allow), pr and oks; commas between them.",
)
@click.option(
    "--alpha",
    metavar="NUMBERS",
    callback=_numbers,
    help="Thresholds of PCK with commas between them; by default 0.5 of a head size, 0.2 of another length.",
)
@click.option("--format", "layout", metavar="LAYOUT", help="Of the files; by default recognised.")
@click.option("--report", metavar="HTML", type=click.Path(), help="Write a report: tables, curves, worst frames.")
@click.option("--images", metavar="ROOT", type=click.Path(), help="For the report: where image names start from.")
@json_option
def score(
    gt: str,
    pred: str,
    skeleton: str | None,
    metrics: list[str] | None,
    alpha: list[float] | None,
    layout: str | None,
    report: str | None,
    images: str | None,
    json_path: str | None,
) -> None:
    """Score any system's prediction files: AP, MOTA, PCK, OKS, stability.

    Without head boxes, PCK is in place of AP. Of a COCO result file, OKS is measured.
    """
    from posegraph.engine import report as reports
    from posegraph.metrics import score_files

    found = score_files(gt, pred, skeleton, alpha, metrics, layout)
    for note in [*found.skipped, *found.scores.notes]:
        notice(note)
    if report:
        reports.write_file_report(report, gt, pred, found, images)
    emit_json(found.scores.figures, json_path)
    for row in found.scores.tables:
        values = [list(row.values.values())]
        print_table(row.title, list(row.values), values, decimals=row.decimals, json_path=json_path)
