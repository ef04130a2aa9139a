"""``posegraph features``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .output import emit_json, json_option, notice


@click.command()
@click.argument("config", type=click.Path())
@click.option("-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of CONFIG. Repeatable.")
@click.option("--weights", metavar="SPEC", help="The backbone's: a run, or other people's weights.")
@click.option("--out", required=True, metavar="DIR", type=click.Path(), help="Folder for the features.")
@json_option
def features(config: str, overrides: tuple[str, ...], weights: str | None, out: str, json_path: str | None) -> None:
    """Compute the features of CONFIG's clips once, to train heads from with -o data.features=DIR."""
    from posegraph.config import RunConfig
    from posegraph.engine.features import compute_features

    changes = [*overrides, f"data.features={json.dumps(out)}"]
    if weights is not None:
        changes.append(f"model.weights={json.dumps(weights)}")
    is_file = Path(config).is_file() or Path(config).suffix in (".yaml", ".yml")
    run = RunConfig.from_file(config, changes) if is_file else RunConfig.from_preset(config, changes)
    caches = compute_features(run, notice, progress=sys.stderr.isatty())
    parts = {part: {"clips": cache.meta.clips, "bytes": cache.meta.num_bytes} for part, cache in caches.items()}
    for part, size in parts.items():
        notice(f"{out}: {part} holds {size['clips']} clips, {size['bytes'] / 1e9:.2f} GB")
    emit_json({"out": out, "parts": parts}, json_path)
