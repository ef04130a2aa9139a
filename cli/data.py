"""``posegraph data`` and its ``synth``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .data_convert import convert
from .data_index import index
from .data_inspect import check, show
from .output import emit_json, json_option, notice, progress_bar
from .size import Size


@click.group()
def data() -> None:
    """Make, convert and inspect data sets."""


data.add_command(index)
data.add_command(convert)
data.add_command(check)
data.add_command(show)


@data.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--sequences", default=20, show_default=True, help="Number of videos.")
@click.option("--frames", default=30, show_default=True, help="Frames in each.")
@click.option("--people", default=4, show_default=True, help="People in each.")
@click.option("--size", default="640x360", show_default=True, type=Size(), help="Frame size in pixels.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same data set.")
@json_option
def synth(
    out: Path,
    sequences: int,
    frames: int,
    people: int,
    size: tuple[int, int],
    seed: int,
    json_path: str | None,
) -> None:
    """Draw annotated videos of moving people into the folder OUT."""
    from posegraph.data.synthetic import generate

    with progress_bar("drawing") as update:
        summary = generate(
            out, sequences=sequences, frames=frames, people=people, size=size, seed=seed, on_sequence=update
        )
    emit_json(asdict(summary), json_path)
    notice(
        f"{out}: {summary.sequences} sequences, {summary.frames} frames, {summary.poses} poses, "
        f"{summary.occluded_joints} of {summary.joints} joints occluded; {summary.seconds:.1f} s"
    )
