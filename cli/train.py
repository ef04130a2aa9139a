"""``posegraph train``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .output import emit_json, json_option, notice


@click.command()
@click.argument("config", type=click.Path())
@click.option("-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value, e.g. -o seed=1. Repeatable.")
@click.option("--weights", metavar="SPEC", help="Start from a run, or from other people's weights.")
@click.option("--out", required=True, metavar="RUN", type=click.Path(), help="Folder for the run.")
@click.option("--resume", is_flag=True, help="Go on from the run's last checkpoint.")
@click.option("--from", "checkpoint", metavar="CKPT", type=click.Path(), help="With --resume: go on from this one.")
@json_option
def train(
    config: str,
    overrides: tuple[str, ...],
    weights: str | None,
    out: str,
    resume: bool,
    checkpoint: str | None,
    json_path: str | None,
) -> None:
    """Train the run that CONFIG (a YAML file, or a preset's name) describes."""
    from posegraph.config import RunConfig
    from posegraph.engine.ranks import is_rank_zero
    from posegraph.engine.training import train as train_run

    if weights is not None:
        overrides += (f"model.weights={json.dumps(weights)}",)
    is_file = Path(config).is_file() or Path(config).suffix in (".yaml", ".yml")
    run = RunConfig.from_file(config, overrides) if is_file else RunConfig.from_preset(config, overrides)
    result = train_run(run, out, resume, sys.stderr.isatty(), checkpoint=checkpoint, on_notice=notice)
    if not is_rank_zero():
        return
    for reason, count in result.skipped.items():
        notice(f"{count} skipped: {reason}")
    notice(f"{result.steps} steps; the run is in {result.out}")
    emit_json({"out": str(result.out), "steps": result.steps, "metrics": result.metrics}, json_path)
