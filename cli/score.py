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
    """Score prediction files against annotation files (PoseTrack AP)."""
    from posegraph.data import read_tracks
    from posegraph.metrics import posetrack_ap

    truth = read_tracks(gt, skeleton, keep_empty=True)
    predicted = read_tracks(pred, truth.skeleton, keep_empty=True)
    for path, tracks in ((gt, truth), (pred, predicted)):
        for reason, count in tracks.skipped.items():
            notice(f"{path}: {count} skipped: {reason}")
    found = posetrack_ap(truth, predicted)
    if found.no_ground_truth:
        notice(f"{gt}: annotated nowhere: {', '.join(found.no_ground_truth)}")
    result = {"AP": found.ap, "precision": found.precision, "recall": found.recall, "table": found.table}
    emit_json(result, json_path)
    print_table("AP", list(found.table), [list(found.table.values())], json_path=json_path)
