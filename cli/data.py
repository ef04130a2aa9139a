"""``posegraph data``."""

from __future__ import annotations

import click

from .data_convert import convert
from .data_index import index
from .data_inspect import check, show
from .data_synth import synth


@click.group()
def data() -> None:
    """Make, convert and inspect data sets."""


data.add_command(index)
data.add_command(convert)
data.add_command(check)
data.add_command(show)
data.add_command(synth)
