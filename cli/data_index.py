"""``posegraph data index``."""

from __future__ import annotations

from pathlib import Path

import click

from .output import emit_json, json_option, notice, progress_bar


@click.command()
@click.argument("path", metavar="FILE_OR_FOLDER", type=click.Path())
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--skeleton", default="posetrack17", show_default=True, metavar="NAME_OR_PATH", help="That of the runs.")
@click.option("--images", metavar="ROOT", type=click.Path(), help="Folder that image names start from.")
@click.option(
    "--num-frames", default=3, type=click.IntRange(1), show_default=True, help="model.num_frames of the runs."
)
@click.option(
    "--future-frames", default=0, type=click.IntRange(0), show_default=True, help="Their model.future_frames."
)
@json_option
def index(
    path: str,
    out: Path,
    skeleton: str,
    images: str | None,
    num_frames: int,
    future_frames: int,
    json_path: str | None,
) -> None:
    """Make the folder OUT, from which training reads millions of annotations without loading them.

    Name it as data.train or data.val. An index that is there is replaced. The images of all clips of the given shape
    are looked for, which training then need not do.
    """
    from posegraph.data.index_build import build_index

    with progress_bar("reading") as update:
        meta = build_index(path, out, skeleton, images, num_frames, future_frames, update)
    emit_json(meta.model_dump(mode="json", exclude={"sources"}) | {"files": len(meta.sources)}, json_path)
    notice(f"{out}: {meta.people} people in {meta.frames} frames of {meta.videos} videos")
    for reason, count in meta.skipped.items():
        notice(f"{count} skipped: {reason}")
