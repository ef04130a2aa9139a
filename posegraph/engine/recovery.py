"""Where a run begins: at its beginning, or where a checkpoint of it was saved. What is wrong with one is named."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegraph.config import RunConfig
from posegraph.engine.run_folder import CONFIG, Place, Saved, checkpoints, good_beside, open_saved
from posegraph.errors import PoseGraphError
from posegraph.models.weights.own import CHECKPOINTS, LAST
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Fields:
        place: In the run.
        checkpoint: What is gone on from; None: the beginning.
        notices: What the user should know of it.
    """

    place: Place = field(default_factory=Place)
    checkpoint: Path | None = None
    notices: tuple[str, ...] = ()


def fresh_start(folder: Path) -> Start:
    """The beginning of a new run. Raises :class:`PoseGraphError` where ``folder`` already holds checkpoints."""
    if checkpoints(folder):
        raise PoseGraphError(f"{folder}: already holds a trained run; give --resume to go on with it, or another --out")
    return Start()


def find_start(folder: Path, config: RunConfig, skeleton: Skeleton, chosen: Path | None = None) -> Start:
    """Where ``--resume`` goes on.

    Args:
        folder: The run's.
        config, skeleton: What it goes on with.
        chosen: The checkpoint to go on from; None: the last one, or, where a run was killed before its first, the
            beginning.

    Raises:
        PoseGraphError: no run there; a damaged checkpoint or one of another run, with the good one to go on from.
    """
    there = checkpoints(folder)
    if not there and not (folder / CONFIG).is_file():
        raise PoseGraphError(f"{folder}: no run to resume (no {CONFIG}); train without --resume, or check --out")
    if not there and chosen is None:
        return Start(notices=(f"{folder}: no checkpoint yet; the run starts from its beginning",))
    path = chosen or there[0]
    try:
        saved = open_saved(path)
        notices = _changes(saved, config, skeleton)
    except PoseGraphError as error:
        raise PoseGraphError(f"{error}; {_way_on(folder, path, config, skeleton)}") from None
    if chosen is None and path.name != LAST:
        notices.insert(0, f"{folder}: no {LAST}; going on from {path.name}, step {saved.place.step}")
    return Start(saved.place, path, tuple(notices))


def _changes(saved: Saved, config: RunConfig, skeleton: Skeleton) -> list[str]:
    """What is not as it was when the checkpoint was saved. Raises :class:`PoseGraphError` for another run's."""
    path, place, (config_then, skeleton_then) = saved
    if skeleton_then.joints != skeleton.joints:
        raise PoseGraphError(
            f"{path}: is of another run: its skeleton is {skeleton_then.name!r} ({skeleton_then.num_joints} joints), "
            f"not {skeleton.name!r} ({skeleton.num_joints} joints)"
        )
    before, lines = _flat(config_then.to_dict()), []
    for key, now in _flat(config.to_dict()).items():
        then = before[key]
        if now == then:
            continue
        decides_tensors = key.startswith("model.") and not key.startswith(("model.preset", "model.weights"))
        if decides_tensors or (key == "training.ema" and None in (now, then)):
            raise PoseGraphError(f"{path}: is of another run: {key} is {then} there and {now} here")
        lines.append(f"{key} was {then} when the checkpoint was saved, and is now {now}")
    if place.epoch + (place.batch > 0) > config.training.epochs:
        raise PoseGraphError(
            f"{path}: was saved at batch {place.batch} of epoch {place.epoch + 1}, past training.epochs "
            f"{config.training.epochs}"
        )
    return lines


def _way_on(folder: Path, refused: Path, config: RunConfig, skeleton: Skeleton) -> str:
    """The command that goes on from a good checkpoint of the run, where there is one."""
    inside = refused.parent.resolve() == (folder / CHECKPOINTS).resolve()
    for saved in good_beside(refused if inside else folder / CHECKPOINTS / "none"):
        try:
            _changes(saved, config, skeleton)
        except PoseGraphError:
            continue
        words = ["posegraph", "train", folder / CONFIG, "--out", folder, "--resume", "--from", saved.path]
        return f"{saved.path} is whole (step {saved.place.step}), go on from it: {shlex.join(map(str, words))}"
    return f"no other checkpoint in {folder} fits; check {folder / CONFIG}, or train anew with another --out"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
