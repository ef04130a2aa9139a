"""From one layout to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from posegraph.data.formats.reading import read_tracks
from posegraph.data.formats.writing import output_paths, write_tracks
from posegraph.data.tracks import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class Converted:
    """What was written.

    Fields:
        paths: The files.
        videos, frames, people: How many; a person in one frame counts once.
        skipped: What was not read, reason -> count.
        lost: What was read and the layout cannot hold, what -> count.
    """

    paths: tuple[Path, ...]
    videos: int
    frames: int
    people: int
    skipped: Counter[str]
    lost: Counter[str]


def convert(
    source: str | Path,
    out: str | Path,
    to: str,
    format: str | None = None,
    skeleton: Skeleton | str | Path | None = None,
) -> Converted:
    """Read annotations or predictions and write them in another layout, or in their own.

    Args:
        source: File or folder.
        out: Folder, or the name of one ``.json`` file. Files that are there are never written over.
        to: Layout to write, one of ``WRITTEN_FORMATS``.
        format: Layout to read, one of ``FORMATS``; None: recognised.
        skeleton: Joints to write, matched by name. None: those of the files; of PoseTrack17, whose files have 15, the
            17 of PoseTrack18 when that is written.

    Raises:
        PoseGraphError: a fault in the files, a layout that is not written, or a file that is there already.
    """
    tracks = read_tracks(source, skeleton, keep_empty=True, format=format)
    if skeleton is None and to == "posetrack18" and _is_posetrack17(tracks):
        tracks = read_tracks(source, "posetrack17", keep_empty=True, format=format)
    for path in output_paths(tracks, out, to):
        if path.exists():
            raise PoseGraphError(f"{path}: is there already, and converting writes new files only; give another folder")
    written = write_tracks(tracks, out, to)
    return Converted(
        paths=written.paths,
        videos=len(tracks.videos),
        frames=sum(video.num_frames for video in tracks.videos),
        people=tracks.num_poses,
        skipped=tracks.skipped,
        lost=written.lost,
    )


def _is_posetrack17(tracks: TrackSet) -> bool:
    return all(file.layout == "posetrack17" for file in tracks.files)
