"""``posegraph data check`` and ``posegraph data show``."""

from __future__ import annotations

from dataclasses import asdict

import click

from .output import emit_json, json_option, notice, print_table

SHOWN = 10
"""Lines of each kind of finding that are printed; ``--json`` has them all."""

_images_option = click.option("--images", metavar="ROOT", type=click.Path(), help="Folder that image names start from.")
_skeleton_option = click.option(
    "--skeleton", metavar="NAME_OR_PATH", help="Joints wanted; by default what the annotations hold."
)
_format_option = click.option("--format", "layout", metavar="LAYOUT", help="Of the files; by default recognised.")


@click.command()
@click.argument("path", metavar="FILE_OR_FOLDER", type=click.Path())
@_images_option
@_skeleton_option
@_format_option
@json_option
def check(path: str, images: str | None, skeleton: str | None, layout: str | None, json_path: str | None) -> None:
    """Count what a data set holds, and name what looks wrong in it."""
    from posegraph.data.check import check_data

    found = check_data(path, skeleton, images, layout)
    emit_json({**asdict(found), "skipped": dict(found.skipped)}, json_path)
    columns = ["sequence", "frames", "labelled", "people", "tracks", "joints", "missing images"]
    print_table(path, columns, [list(asdict(row).values()) for row in found.sequences], json_path=json_path)
    for kind, lines in found.findings.items():
        if lines:
            print_findings(kind, lines, json_path)
    for reason, count in found.skipped.items():
        notice(f"{count} skipped: {reason}")
    if not any(found.findings.values()):
        notice("nothing looks wrong")


@click.command()
@click.argument("path", metavar="FILE_OR_FOLDER", type=click.Path())
@click.option("--out", default="contact_sheet.png", show_default=True, metavar="PNG", type=click.Path())
@click.option("--count", default=12, show_default=True, type=click.IntRange(min=1), help="Frames to show.")
@_images_option
@_skeleton_option
@_format_option
def show(path: str, out: str, count: int, images: str | None, skeleton: str | None, layout: str | None) -> None:
    """Draw annotated frames, spread over a data set, on one contact sheet."""
    from posegraph.data import read_tracks
    from posegraph.engine.pictures import contact_sheet
    from posegraph.visualize import write_png

    write_png(out, contact_sheet(read_tracks(path, skeleton, format=layout), images, count))
    notice(f"{out} written")


def print_findings(kind: str, lines: list[str], json_path: str | None) -> None:
    """A kind of finding and its first lines."""
    more = [f"... and {len(lines) - SHOWN} more (--json has all)"] if len(lines) > SHOWN else []
    print_table(f"{kind}: {len(lines)}", [""], [[line] for line in [*lines[:SHOWN], *more]], json_path=json_path)
