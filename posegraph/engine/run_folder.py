"""A run's folder: what its files are called, and which of its checkpoints are whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from posegraph import files
from posegraph.errors import PoseGraphError
from posegraph.models.weights import Source, open_source
from posegraph.models.weights.files import read_torch
from posegraph.models.weights.own import CHECKPOINTS, LAST, Own, own_checkpoint

PREVIOUS = "previous.ckpt"
BEST = "best.ckpt"
CONFIG = "config.yaml"
SKELETON = "skeleton.yaml"
ENVIRONMENT = "environment.json"
LOGS = "logs"
TABLE = "metrics.csv"
RESUME_LATER = "make room on the disk, then go on with --resume"
PLACE = "place"
"""Key of a checkpoint under which its :class:`Place` stands."""


@dataclass(frozen=True)
class Place:
    """Where in a run a checkpoint was saved.

    Fields:
        epoch, batch: Come next, counted from 0.
        step: Optimiser steps taken.
        rows: Of metrics.csv, logged by then.
        best: Lowest validation loss so far.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    rows: int = 0
    best: float = float("inf")


class Saved(NamedTuple):
    """A checkpoint that a run can go on from: its file, its place in the run, configuration and skeleton."""

    path: Path
    place: Place
    own: Own


def checkpoints(folder: Path) -> list[Path]:
    """Those that a run's folder holds, the one to go on from first."""
    paths = (folder / CHECKPOINTS / name for name in (LAST, PREVIOUS, BEST))
    return [path for path in paths if path.is_file()]


def open_saved(path: Path) -> Saved:
    """What a checkpoint says of itself, every byte of it checked.

    Raises :class:`PoseGraphError` for a file that is damaged, somebody else's, or no state that a run can go on from.
    """
    _check_sums(path)
    content = read_torch(path)
    own = own_checkpoint(content, str(path))
    if own is None:
        raise _foreign(path)
    place = content.get(PLACE)
    if not isinstance(place, dict) or place.keys() != asdict(Place()).keys() or "optimizer_states" not in content:
        raise PoseGraphError(
            f"{path}: holds a model, but not the state of a run to go on with (--weights starts a new run from it)"
        )
    return Saved(path, Place(**place), own.own)


def good_beside(path: Path) -> Iterator[Saved]:
    """The other checkpoints in the folder of this one that a run can go on from, the best for it first."""
    for other in checkpoints(path.parent.parent):
        if other.resolve() != path.resolve():
            try:
                yield open_saved(other)
            except PoseGraphError:
                continue


def open_run(spec: str | Path) -> Source:
    """:func:`open_source`; of a run's checkpoint, every byte is checked.

    Raises :class:`PoseGraphError` as it does; for a damaged or foreign file in a run, with the good one beside it.
    """
    path = Path(spec) / CHECKPOINTS / LAST if Path(spec).is_dir() else Path(spec)
    if path.parent.name != CHECKPOINTS or not path.is_file():
        return open_source(spec)
    try:
        _check_sums(path)
        source = open_source(path)
        if source.own is None:
            raise _foreign(path)
        return source
    except PoseGraphError as error:
        good = next(good_beside(path), None)
        raise PoseGraphError(
            f"{error}; {good.path} is whole (step {good.place.step})" if good else str(error)
        ) from None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a run that was killed while it wrote."""
    for name in (CONFIG, SKELETON, ENVIRONMENT, f"{LOGS}/{TABLE}"):
        files.remove_leftovers(folder / name)
    for name in (LAST, PREVIOUS, BEST):
        files.remove_leftovers(folder / CHECKPOINTS / name)


def _check_sums(path: Path) -> None:
    """Raise :class:`PoseGraphError` for a damaged archive: torch takes a flipped bit in a tensor for a weight."""
    if not zipfile.is_zipfile(path):
        return  # cut off, or none: torch's reader says which
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # zipfile raises many kinds for a damaged archive; all mean the same to the user
        damaged = str(error)
    if damaged is not None:
        raise PoseGraphError(f"{path}: is damaged ({damaged} is not what its checksum says); give an undamaged file")


def _foreign(path: Path) -> PoseGraphError:
    return PoseGraphError(f"{path}: a PyTorch file, but no checkpoint that `posegraph train` wrote")
