"""``posegraph score``."""

from __future__ import annotations

import click

from .output import emit_json, json_option, notice, print_table


@click.command()
@click.option("--gt", required=True, metavar="DIR", type=click.Path(), help="Annotation files.")
@click.option("--pred", required=True, metavar="DIR", type=click.Path(), help="Prediction files.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="What to score; by default what the annotations hold.")
@json_option
def score(gt: str, pred: str, skeleton: str | None, json_path: str | None) -> None:
    """Score any system's prediction files: PoseTrack AP, or PCK without head boxes."""
    from posegraph import metrics
    from posegraph.data import read_tracks

    truth = read_tracks(gt, skeleton, keep_empty=True)
    predicted = read_tracks(pred, truth.skeleton, keep_empty=True)
    for path, tracks in ((gt, truth), (pred, predicted)):
        for reason, count in tracks.skipped.items():
            notice(f"{path}: {count} skipped: {reason}")
    found = metrics.score(truth, predicted)
    if found.reason:
        notice(f"PCK in place of AP: {found.reason}")
    emit_json(found.figures, json_path)
    print_table(found.metric, list(found.table), [list(found.table.values())], json_path=json_path)
