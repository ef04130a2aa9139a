"""Many sources at once: finding them under folders, and sharing them out over processes."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from posegraph.data.sources.images import in_order, is_hidden, is_image
from posegraph.data.sources.live import is_live
from posegraph.data.sources.movie import MOVIE_SUFFIXES
from posegraph.data.sources.opening import STDIN, no_such_source
from posegraph.errors import PoseGraphError

T = TypeVar("T")


class NamedSource(NamedTuple):
    """A source and where its results go.

    Fields:
        spec: For :func:`posegraph.data.sources.open_frames`.
        name: Path of the output files below the output folder, without an ending: ``"monday/cam1"``. No two sources
            found together share one. None for cameras, streams and stdin: they are named when they are opened.
    """

    spec: str | Path
    name: str | None


class FoundSources(NamedTuple):
    """Sources in an order that is the same on every machine.

    Fields:
        sources: One for each video.
        ignored: Files below the folders that are neither a movie nor an image, and images beside a movie.
    """

    sources: tuple[NamedSource, ...]
    ignored: int


def find_sources(specs: Sequence[str | Path], leave_out: Path | None = None) -> FoundSources:
    """What there is to read in files, folders, cameras and streams.

    A folder with images and no movie is one video. Any other is searched, with all folders below it: each movie is a
    video, and so is each folder of images. Hidden and temporary names are passed over.

    Args:
        specs: As the user gave them.
        leave_out: A folder that is not searched: that of the results.

    Raises:
        PoseGraphError: a path leads nowhere, a folder holds no video, or two sources have the same name.
    """
    found: list[tuple[str | Path, list[str]]] = []
    ignored = 0
    for spec in specs:
        path = Path(spec)
        if spec == STDIN or (isinstance(spec, str) and is_live(spec)):
            found.append((spec, []))
        elif path.is_dir():
            videos, others = _search(path, leave_out)
            ignored += others
            found += [(video, _names(video, path)) for video in videos]
        elif path.is_file():
            found.append((spec, [path.stem, path.name, f"{path.parent.resolve().name}/{path.name}"]))
        elif glob.has_magic(str(path)):
            found.append((spec, [path.parent.resolve().name or "images"]))
        else:
            raise no_such_source(path)
    return FoundSources(_named(found), ignored)


def shard(sources: Sequence[T], index: int, count: int) -> list[T]:
    """Share ``index`` of ``count``, counted from 0: each source is in one share, and shares differ by one at most."""
    if count < 1 or not 0 <= index < count:
        last = f"0/{count} to {count - 1}/{count}" if count > 0 else "a count of 1 or more"
        raise PoseGraphError(f"shard {index}/{count}: there is none; expected {last}: the first shard is number 0")
    return list(sources[index::count])


def _search(root: Path, leave_out: Path | None) -> tuple[list[Path], int]:
    """The videos below a folder, and the number of files that belong to none."""
    videos: list[Path] = []
    ignored = 0
    been = {path.resolve() for path in (root, leave_out) if path is not None}
    for folder_name, folders, files in os.walk(root, onerror=_unreadable, followlinks=True):
        folder = Path(folder_name)
        folders[:] = _unvisited(folder, folders, been)
        seen = [folder / name for name in files if not is_hidden(Path(name))]
        movies = [path for path in seen if path.suffix.lower() in MOVIE_SUFFIXES]
        images = [] if movies else [path for path in seen if is_image(path)]
        videos += movies + [folder] * bool(images)
        ignored += len(seen) - len(movies) - len(images)
    if not videos:
        raise PoseGraphError(
            f"{root}: neither a movie nor an image in it or below it, and {ignored} other files; expected videos: "
            "check the path, or name a movie with an unusual ending itself"
        )
    return in_order(videos), ignored


def _unvisited(folder: Path, names: list[str], been: set[Path]) -> list[str]:
    """The folders to search; links can lead to one twice, which every machine then takes at the same place."""
    kept = []
    for name in sorted(names):
        real = (folder / name).resolve()
        if not is_hidden(Path(name)) and real not in been:
            been.add(real)
            kept.append(name)
    return kept


def _unreadable(error: OSError) -> None:
    raise PoseGraphError(f"{error.filename}: cannot be read ({error.strerror}); expected a folder of videos")


def _names(video: Path, root: Path) -> list[str]:
    """Names from the shortest on: the next is taken where one is not unique."""
    top = root.resolve().name or "root"
    if video == root:
        return [top]
    inside = video.relative_to(root)
    short = inside if video.is_dir() else inside.with_suffix("")
    return [short.as_posix(), inside.as_posix(), f"{top}/{inside.as_posix()}"]


def _named(found: list[tuple[str | Path, list[str]]]) -> tuple[NamedSource, ...]:
    for level in range(3):
        taken = Counter(names[0] for _, names in found if names)
        if level == 2 or all(times == 1 for times in taken.values()):
            break
        found = [
            (spec, names[1:] if names and taken[names[0]] > 1 and len(names) > 1 else names) for spec, names in found
        ]
    for spec, names in found:
        if names and taken[names[0]] > 1:
            same = [str(other) for other, its in found if its and its[0] == names[0]]
            raise PoseGraphError(
                f"{spec}: {' and '.join(same[:2])} would both be written as {names[0]!r}; expected sources of "
                "different names: run them one at a time, into different folders"
            )
    return tuple(NamedSource(spec, names[0] if names else None) for spec, names in found)
