"""``posegraph export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import STDOUT, emit_json, json_option, notice

if TYPE_CHECKING:
    from posegraph.engine.exporting.formats import Format, Precision


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--weights", metavar="SPEC", help="MODEL is a preset: build it and give it these weights.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="Joints of other people's weights, where they do not say.")
@click.option(
    "--expert", default=0, type=click.IntRange(0), show_default=True, help="ViTPose+: the expert; 0 is COCO's."
)
@click.option("--to", required=True, type=click.Choice(["onnx", "pt2", "aoti"]), help="Format of the files.")
@click.option("--out", required=True, metavar="DIR", type=click.Path(file_okay=False), help="Folder of the export.")
@click.option(
    "--precision",
    default="fp32",
    show_default=True,
    type=click.Choice(["fp32", "bf16", "int8"]),
    help="Of the backbone: bf16 for pt2 and aoti, int8 for onnx.",
)
@click.option("--check-data", metavar="JSON_OR_FOLDER", type=click.Path(), help="Check it on these annotated people.")
@click.option(
    "--check-images",
    metavar="FILE_OR_FOLDER",
    type=click.Path(),
    help="Check it on pictures of people; with --check-data, the folder that image names start from.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
@json_option
def export(
    model: str,
    weights: str | None,
    skeleton: str | None,
    expert: int,
    to: Format,
    out: str,
    precision: Precision,
    check_data: str | None,
    check_images: str | None,
    overwrite: bool,
    json_path: str | None,
) -> None:
    """Write MODEL for another runtime, checked against the model on crops of people.

    MODEL is what `posegraph eval` takes. The folder is a MODEL of `posegraph predict`.
    """
    from posegraph.engine import checkpoint
    from posegraph.engine.exporting.export import export_model

    opened = checkpoint.load(weights or model, preset=model if weights else None, skeleton=skeleton, expert=expert)
    if opened.weights_report is not None:
        notice(str(opened.weights_report))
    report = export_model(
        opened,
        out,
        to,
        precision,
        check_data=check_data,
        check_images=check_images,
        overwrite=overwrite,
        say=notice,
    )
    emit_json(report.as_json(), json_path)
    if json_path != STDOUT:
        for line in report.lines():
            click.echo(line)
