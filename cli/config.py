"""``posegraph config``."""

from __future__ import annotations

import click


@click.command()
@click.argument("preset")
@click.option("-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value, e.g. -o seed=1. Repeatable.")
def config(preset: str, overrides: tuple[str, ...]) -> None:
    """Print a preset's configuration, every key with its meaning."""
    from posegraph.config import RunConfig, commented_yaml

    click.echo(commented_yaml(RunConfig.from_preset(preset, overrides)), nl=False)
