"""``posegraph bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .output import emit_json, json_option, notice, print_table


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--mode", type=click.Choice(["clip", "stream", "train"]), default="clip", show_default=True)
@click.option("--device", default="auto", show_default=True, help="torch's name of one; auto: a GPU, else the CPU.")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1), help="Clips computed at once.")
@click.option("--people", type=click.IntRange(1), help="People in a frame; by default one batch.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Of autocast; float32: none.",
)
@click.option(
    "--compile",
    "compiled",
    is_flag=False,
    flag_value="default",
    type=click.Choice(["default", "reduce-overhead"]),
    help="Through torch.compile, in this mode; reduce-overhead: CUDA graphs on a GPU.",
)
@click.option("--steps", default=30, show_default=True, type=click.IntRange(1), help="Steps that are timed.")
@click.option("--warmup", default=5, show_default=True, type=click.IntRange(1), help="Steps before them.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="Joints of presets, and of weights that do not say theirs.")
@click.option("--paper", is_flag=True, help="The paper's Table 5 beside ours; without MODEL, this alone.")
@click.option("--profile", is_flag=True, help="The ten dearest operators, and a Chrome trace.")
@click.option("--out", default=".", show_default=True, type=click.Path(), help="Folder for the traces of --profile.")
@json_option
def bench(models: tuple[str, ...], paper: bool, profile: bool, out: str, json_path: str | None, **options: Any) -> None:
    """Count what MODEL computes, and time it.

    MODEL is a preset, or what `posegraph eval` takes: a run, a checkpoint, a saved folder, a downloaded ViTPose.
    """
    from posegraph.engine.bench import run as run_bench

    skeleton = options.pop("skeleton")
    if not models and not paper:
        raise click.UsageError("nothing to measure: name a MODEL, for instance ncstr-b, or ask for --paper")
    report = run_bench(models, skeleton, options, paper, Path(out) if profile else None, notice)
    emit_json(report.json, json_path)
    for table in report.tables:
        print_table(table.title, table.columns, table.rows, decimals=table.decimals, json_path=json_path)
