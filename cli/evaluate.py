"""``posegraph eval``."""

from __future__ import annotations

import click

from .output import emit_json, json_option, notice, print_table, progress_bar


@click.command("eval")
@click.argument("run", metavar="RUN_OR_CHECKPOINT", type=click.Path())
@click.option(
    "--data",
    required=True,
    metavar="JSON_OR_FOLDER",
    type=click.Path(),
    help="PoseTrack18-layout annotations.",
)
@click.option("--frames", metavar="A-B", help="Only these frames of every video, counted from 0.")
@click.option("--images", metavar="ROOT", type=click.Path(), help="Folder that image names start from.")
@click.option("--boxes", default="gt", show_default=True, metavar="gt|FILE", help="People: annotated, or COCO results.")
@click.option(
    "-o",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of evaluation, e.g. -o keypoint_score=peak.",
)
@click.option("--out", metavar="DIR", type=click.Path(), help="Write PoseTrack18-layout prediction files there.")
@click.option("--overlays", metavar="DIR", type=click.Path(), help="Write pictures with truth and prediction there.")
@json_option
def evaluate(
    run: str,
    data: str,
    frames: str | None,
    images: str | None,
    boxes: str,
    overrides: tuple[str, ...],
    out: str | None,
    overlays: str | None,
    json_path: str | None,
) -> None:
    """Score a trained run on annotated video: PoseTrack AP, or PCK without head boxes."""
    from posegraph.data import write_posetrack18
    from posegraph.engine import checkpoint, evaluation, pictures

    model = checkpoint.load(run)
    settings = evaluation.settings_of(model, overrides)
    with progress_bar("people") as update:
        result = evaluation.evaluate(model, data, boxes, evaluation.frame_range(frames), images, settings, update)
    if out:
        write_posetrack18(result.predictions, out)
    if overlays:
        pictures.write_overlays(result.predictions, data, images, overlays)
    for reason, count in result.skipped.items():
        notice(f"{count} skipped: {reason}")
    if result.scores.reason:
        notice(f"PCK in place of AP: {result.scores.reason}")
    emit_json({"checkpoint": str(checkpoint.checkpoint_path(run)), **result.figures}, json_path)
    table = result.scores.table
    title = f"{result.scores.metric} on {result.boxes} boxes"
    print_table(title, list(table), [list(table.values())], json_path=json_path)
