"""``posegraph data synth``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from posegraph.errors import PoseGraphError

from .output import emit_json, json_option, notice, progress_bar
from .size import Size

if TYPE_CHECKING:
    from posegraph.data.synthetic import Summary

_SIZES = ("sequences", "frames", "people", "size", "seed")


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--sequences", default=20, show_default=True, help="Number of videos.")
@click.option("--frames", default=30, show_default=True, help="Frames in each.")
@click.option("--people", default=4, show_default=True, help="People in each.")
@click.option("--size", default="640x360", show_default=True, type=Size(), help="Frame size in pixels.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same data set.")
@click.option("--benchmark", metavar="NAME", help="Draw a fixed set instead: synth-occlusion.")
@click.option("--verify", is_flag=True, help="Draw nothing: compare the benchmark in OUT with its checksums.")
@json_option
@click.pass_context
def synth(
    ctx: click.Context,
    out: Path,
    sequences: int,
    frames: int,
    people: int,
    size: tuple[int, int],
    seed: int,
    benchmark: str | None,
    verify: bool,
    json_path: str | None,
) -> None:
    """Draw annotated videos of moving people into the folder OUT."""
    if benchmark is not None:
        given = [name for name in _SIZES if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
        return _benchmark(out, benchmark, verify, given, json_path)
    if verify:
        raise PoseGraphError("--verify: found no --benchmark, expected one; only benchmarks have checksums")
    from posegraph.data.synthetic import generate

    with progress_bar("drawing") as update:
        summary = generate(
            out, sequences=sequences, frames=frames, people=people, size=size, seed=seed, on_sequence=update
        )
    emit_json(asdict(summary), json_path)
    _tell(out, summary)


def _benchmark(out: Path, name: str, only_verify: bool, given: list[str], json_path: str | None) -> None:
    """Draw a fixed set, or leave that away, and compare it with its checksums."""
    from posegraph.data.synthetic import generate_benchmark
    from posegraph.data.synthetic.checksums import advice, recipe_named, reference, verify

    recipe = recipe_named(name)
    if given:
        raise PoseGraphError(f"--{given[0]}: {recipe.name} fixes it; leave it away, or leave --benchmark away")
    if not only_verify:
        with progress_bar("drawing") as update:
            _tell(out, generate_benchmark(out, recipe, on_sequence=update))
    expected = reference(recipe)
    checks = verify(out, recipe, expected)
    emit_json({"recipe": recipe.name, "splits": [asdict(check) for check in checks]}, json_path)
    for check in checks:
        click.echo(check, err=json_path is not None)
    told = advice(checks, expected)
    if told and only_verify:
        raise PoseGraphError(f"{out}: {told}")
    if told:
        notice(f"{out}: {told}")


def _tell(out: Path, summary: Summary) -> None:
    notice(
        f"{out}: {summary.sequences} sequences, {summary.frames} frames, {summary.poses} poses, "
        f"{summary.occluded_joints} of {summary.joints} joints occluded; {summary.seconds:.1f} s"
    )
