"""Writing tracks in the layouts that other tools read."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posegraph.data.formats import coco_writer, posetrack17_writer
from posegraph.data.tracks import PersonTrack, SourceFile, TrackSet, Video
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.files import write_text

WRITTEN_FORMATS = ("posetrack18", "posetrack17", "coco")
"""Layouts that are written."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Fields:
        paths: The files.
        lost: What the layout cannot hold, what -> count.
    """

    paths: tuple[Path, ...]
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, eq=False)
class _Output:
    """One file to write, and the file that its videos were read from."""

    path: Path
    videos: tuple[Video, ...]
    source: SourceFile | None


def write_tracks(tracks: TrackSet, out: str | Path, format: str = "posetrack18") -> Written:
    """Write ``<out>/<name>.json`` for every file that the tracks were read from, or for every video of predictions.

    ``out`` may be a ``.json`` file where there is only one to write.

    Reading a file and writing it in its own layout gives the same JSON values, with unknown fields, other categories
    and the order of the entries; NaN and infinity become null. (With the file's own joints: of a file that was read
    with another skeleton, that skeleton's joints are written.)

    All images are listed, with people or without. Unknown fields are carried over to other layouts.

    - ``posetrack18``, ``coco``: v is 2 for seen joints, 1 for occluded ones and where it is not known, 0 where not
      annotated. ``scores`` has one number for each joint (0 where no position is given, poseval's -9999 where a
      position has no score) and is left out where no joint has one; boxes that are NaN are left out. ``coco`` has
      ``area``, ``iscrowd`` and ``num_keypoints`` as well, which pycocotools needs.
    - ``posetrack17``: one file a video; the joints of posetrack15, by name.

    Raises:
        PoseGraphError: the folder cannot be written, or a video's name is no file name.
    """
    people: dict[Video, list[PersonTrack]] = {}
    for track in tracks:
        people.setdefault(track.video, []).append(track)
    lost: Counter[str] = Counter()
    outputs = _outputs(tracks, Path(out), format)
    for output in outputs:
        if format == "posetrack17":
            content = posetrack17_writer.content_of(output.videos[0], people, tracks.skeleton, output.source, lost)
        else:
            content = coco_writer.content_of(output.videos, people, tracks.skeleton, output.source, format, lost)
        write_text(output.path, _compact_json(content, output.path))
    return Written(tuple(output.path for output in outputs), lost)


def output_paths(tracks: TrackSet, out: str | Path, format: str) -> list[Path]:
    """The files that :func:`write_tracks` writes. Raises as it does."""
    return [output.path for output in _outputs(tracks, Path(out), format)]


def _outputs(tracks: TrackSet, out: Path, format: str) -> list[_Output]:
    """A COCO file of several videos stays one file; all others are a file for each video."""
    if format not in WRITTEN_FORMATS:
        raise PoseGraphError(
            f"format {format!r} is not written; these are: {', '.join(WRITTEN_FORMATS)}"
            f"{did_you_mean(format, WRITTEN_FORMATS)}"
        )
    sources = {source.path: source for source in tracks.files}
    outputs: dict[str, _Output] = {}
    for video in tracks.videos:
        source = sources.get(video.source)
        together = source is not None and {source.layout, format} <= set(coco_writer.LAYOUTS)
        name = video.source.stem if together else video.name
        if Path(name).name != name or not name or "\0" in name:
            raise PoseGraphError(f"{video.source}: video name {name!r} is no file name; rename the video")
        before = outputs[name].videos if name in outputs else ()
        outputs[name] = _Output(out / f"{name}.json", (*before, video), source)
    if out.suffix != ".json" or out.is_dir():
        return list(outputs.values())
    if len(outputs) != 1:
        raise PoseGraphError(f"{out}: {len(outputs)} files are to be written; give a folder")
    return [replace(output, path=out) for output in outputs.values()]


def _compact_json(content: Any, path: Path) -> str:
    try:
        try:
            return json.dumps(content, allow_nan=False) + "\n"
        except ValueError:  # only fields kept from another file can hold NaN or infinity
            return json.dumps(_finite(content), allow_nan=False) + "\n"
    except RecursionError:
        raise PoseGraphError(f"{path}: a field is nested too deep to be written; remove it from the file") from None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
