"""``posegraph eval``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import emit_json, json_option, notice, print_table, progress_bar

if TYPE_CHECKING:
    from posegraph.engine.evaluation import Evaluation


@click.command("eval")
@click.argument("model", metavar="MODEL", type=click.Path())
@click.option("--weights", metavar="SPEC", help="MODEL is a preset: build it and give it these weights.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="Joints of other people's weights, where they do not say.")
@click.option(
    "--expert", default=0, type=click.IntRange(0), show_default=True, help="ViTPose+: the expert to take; 0 is COCO's."
)
@click.option(
    "--data",
    required=True,
    metavar="JSON_OR_FOLDER",
    type=click.Path(),
    help="Annotations, in any layout that is read.",
)
@click.option("--frames", metavar="A-B", help="Only these frames of every video, counted from 0.")
@click.option("--images", metavar="ROOT", type=click.Path(), help="Folder that image names start from.")
@click.option("--boxes", default="gt", show_default=True, metavar="gt|FILE", help="People: annotated, or detections.")
@click.option("--format", "layout", metavar="LAYOUT", help="Of the annotations; by default recognised.")
@click.option(
    "-o",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of evaluation, e.g. -o keypoint_score=peak.",
)
@click.option("--out", metavar="DIR", type=click.Path(), help="Write PoseTrack18-layout prediction files there.")
@click.option("--overlays", metavar="DIR", type=click.Path(), help="Write pictures with truth and prediction there.")
@click.option("--report", metavar="HTML", type=click.Path(), help="Write a report: tables, curves, worst frames.")
@json_option
def evaluate(
    model: str,
    weights: str | None,
    skeleton: str | None,
    expert: int,
    data: str,
    frames: str | None,
    images: str | None,
    boxes: str,
    layout: str | None,
    overrides: tuple[str, ...],
    out: str | None,
    overlays: str | None,
    report: str | None,
    json_path: str | None,
) -> None:
    """Score MODEL on annotated video: PoseTrack AP, or PCK without head boxes.

    MODEL is a run, a checkpoint, a saved or exported folder, a downloaded ViTPose (file, folder or hub id), or a
    preset.
    """
    from posegraph.data import write_tracks
    from posegraph.engine import checkpoint, evaluation, pictures
    from posegraph.engine import report as reports
    from posegraph.engine.exporting.opening import open_model
    from posegraph.engine.ranks import is_rank_zero, together

    with together():
        opened = open_model(weights or model, preset=model if weights else None, skeleton=skeleton, expert=expert)
        if is_rank_zero() and opened.weights_report is not None:
            notice(str(opened.weights_report))
        settings = evaluation.settings_of(opened, overrides)
        with progress_bar("people", shown=is_rank_zero()) as update:
            result = evaluation.evaluate(
                opened, data, boxes, evaluation.frame_range(frames), images, settings, update, layout
            )
        if is_rank_zero():
            if out:
                write_tracks(result.predictions, out)
            if overlays:
                pictures.write_overlays(result.predictions, data, images, overlays)
            if report:
                reports.write_evaluation_report(report, opened, weights or model, data, result, settings, images)
            _tell(result, checkpoint.location(weights or model), data, json_path)


def _tell(result: Evaluation, source: str, data: str, json_path: str | None) -> None:
    for reason, count in result.skipped.items():
        notice(f"{count} skipped: {reason}")
    for note in result.scores.notes:
        notice(note)
    if result.figures["not_scored"]:
        notice(f"not scored, for {data} does not have them: {', '.join(result.figures['not_scored'])}")
    emit_json({"checkpoint": source, **result.figures}, json_path)
    for row in result.scores.tables:
        title, values = f"{row.title} on {result.boxes} boxes", [list(row.values.values())]
        print_table(title, list(row.values), values, decimals=row.decimals, json_path=json_path)
