"""``posegraph train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .output import emit_json, json_option, notice


@click.command()
@click.argument("config", type=click.Path())
@click.option("-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value, e.g. -o seed=1. Repeatable.")
@click.option("--out", required=True, metavar="RUN", type=click.Path(), help="Folder for the run.")
@click.option("--resume", is_flag=True, help="Go on from the run's last checkpoint.")
@json_option
def train(config: str, overrides: tuple[str, ...], out: str, resume: bool, json_path: str | None) -> None:
    """Train the run that CONFIG (a YAML file, or a preset's name) describes."""
    from posegraph.config import RunConfig
    from posegraph.engine.training import train as train_run

    is_file = Path(config).is_file() or Path(config).suffix in (".yaml", ".yml")
    run = RunConfig.from_file(config, overrides) if is_file else RunConfig.from_preset(config, overrides)
    result = train_run(run, out, resume, progress=sys.stderr.isatty())
    for reason, count in result.skipped.items():
        notice(f"{count} skipped: {reason}")
    if result.fresh_weights:
        fresh = ", ".join(result.fresh_weights[:6])
        notice(f"{len(result.fresh_weights)} tensors not in {run.model.weights}, initialised: {fresh} ...")
    notice(f"{result.steps} steps; the run is in {result.out}")
    emit_json({"out": str(result.out), "steps": result.steps, "metrics": result.metrics}, json_path)
