"""``posegraph data convert``."""

from __future__ import annotations

from pathlib import Path

import click

from .output import emit_json, json_option, notice


@click.command()
@click.argument("source", metavar="IN", type=click.Path())
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="LAYOUT", help="posetrack18, posetrack17 or coco.")
@click.option("--format", "layout", metavar="LAYOUT", help="Layout of IN; by default it is recognised.")
@click.option("--skeleton", metavar="NAME_OR_PATH", help="Joints to write; by default those of IN.")
@json_option
def convert(source: str, out: Path, to: str, layout: str | None, skeleton: str | None, json_path: str | None) -> None:
    """Write the annotations of IN (a file or a folder) in another layout to OUT."""
    from posegraph.data import convert

    done = convert(source, out, to, layout, skeleton)
    for what, counts in (("not read", done.skipped), ("lost", done.lost)):
        for reason, count in counts.items():
            notice(f"{count} {what}: {reason}")
    emit_json({**vars(done), "paths": [str(path) for path in done.paths]}, json_path)
    notice(f"{out}: {len(done.paths)} files, {done.videos} videos, {done.frames} frames, {done.people} people")
