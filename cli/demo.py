"""``posegraph demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .output import emit_json, json_option, notice, print_table


@click.command()
@click.option("--out", default="runs/demo", show_default=True, type=click.Path(path_type=Path), help="Folder to fill.")
@click.option("--seed", default=0, show_default=True, help="Of data, weights and order.")
@json_option
def demo(out: Path, seed: int, json_path: str | None) -> None:
    """Draw synthetic video, train NCSTR and ViT alone on it, and compare them."""
    from posegraph.demo import METHODS, run_demo
    from posegraph.files import free_folder

    result = run_demo(free_folder(out), seed, say=notice, progress=sys.stderr.isatty())
    emit_json(result.figures, json_path)
    table = {METHODS[variant]: found.scores.table for variant, found in result.evaluations.items()}
    columns = ["", *next(iter(table.values()))]
    rows = [[name, *scores.values()] for name, scores in table.items()]
    print_table("PoseTrack AP on ground truth boxes, synthetic validation videos", columns, rows, json_path=json_path)
    notice("took " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items()))
    notice("open " + ", ".join(str(path) for path in result.files))
