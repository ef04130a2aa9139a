"""Checkpoints: what a run leaves behind, and models read back from it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from posegraph.config import RunConfig
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton

CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"
_ENTRY = "posegraph"
_PREFIX = "model."


def describe(config: RunConfig, skeleton: Skeleton) -> dict[str, Any]:
    """What a checkpoint says of itself, under the key ``posegraph``: plain values, so that it opens safely."""
    return {_ENTRY: {"config": config.to_dict(), "skeleton": skeleton.model_dump(mode="json")}}


def checkpoint_path(run_or_checkpoint: str | Path) -> Path:
    """The checkpoint file itself, or a run's last one."""
    path = Path(run_or_checkpoint)
    if not path.is_dir():
        if not path.exists():
            raise PoseGraphError(f"{path}: no such run or checkpoint; check the path")
        return path
    inside = path / CHECKPOINTS / LAST
    if not inside.is_file():
        raise PoseGraphError(f"{path}: holds no {CHECKPOINTS}/{LAST}; give a folder that `posegraph train` wrote")
    return inside


def read_checkpoint(run_or_checkpoint: str | Path) -> tuple[dict[str, Any], RunConfig, Skeleton]:
    """Weights (by the model's own names), configuration and skeleton. Opened as data: no code in it can run."""
    path = checkpoint_path(run_or_checkpoint)
    content = _torch_load(path)
    entry = content.get(_ENTRY) if isinstance(content, dict) else None
    if not isinstance(entry, dict) or "state_dict" not in content:
        raise PoseGraphError(
            f"{path}: a PyTorch file, but no checkpoint of posegraph; give one that `posegraph train` wrote"
        )
    config = RunConfig.from_dict(entry.get("config"), source=f"{path} (configuration inside)")
    skeleton = Skeleton.from_dict(entry.get("skeleton"), source=f"{path} (skeleton inside)")
    weights = {
        name.removeprefix(_PREFIX): value for name, value in content["state_dict"].items() if name.startswith(_PREFIX)
    }
    return weights, config, skeleton


def _torch_load(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        raise PoseGraphError(
            f"{path}: is cut off or no checkpoint ({path.stat().st_size} bytes); give an undamaged file"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PoseGraphError(
            f"{path}: cannot be opened as a checkpoint ({reason[:120]}); give an undamaged file"
        ) from None


def load(run_or_checkpoint: str | Path) -> PoseModel:
    """The model of a run's last checkpoint, or of a checkpoint file, in evaluation mode on the CPU.

    Its settings of data and scoring are at ``model.run_config``.

    Raises:
        PoseGraphError: nothing there, a damaged or foreign file.
    """
    weights, config, skeleton = read_checkpoint(run_or_checkpoint)
    model = model_from_config(config.model, skeleton)
    _load_weights(model, weights, run_or_checkpoint)
    model.run_config = config
    return model.eval()


def start_from(model: PoseModel, run_or_checkpoint: str | Path) -> list[str]:
    """Take over the weights of another run; returns the names of the model's parameters that it does not hold.

    A model of any variant may start from any other of the same sizes: what both have is copied.

    Raises:
        PoseGraphError: nothing there, a damaged or foreign file, another skeleton, or other sizes.
    """
    weights, _, skeleton = read_checkpoint(run_or_checkpoint)
    _same_joints(model.skeleton, skeleton, run_or_checkpoint)
    own = model.state_dict()
    return _load_weights(
        model,
        {name: value for name, value in weights.items() if name in own},
        run_or_checkpoint,
        partial=True,
    )


def _load_weights(model: PoseModel, weights: dict[str, Any], source: str | Path, partial: bool = False) -> list[str]:
    own = model.state_dict()
    for name, value in weights.items():
        if name in own and own[name].shape != value.shape:
            raise PoseGraphError(
                f"{source}: {name} has shape {tuple(value.shape)}, the model's has {tuple(own[name].shape)}; give a "
                "checkpoint of the same preset, or the same overrides of model"
            )
    missing = [name for name in own if name not in weights]
    unknown = [name for name in weights if name not in own]
    if (missing or unknown) and not partial:
        raise PoseGraphError(
            f"{source}: does not fit the model ({len(missing)} tensors missing, {len(unknown)} unknown, first: "
            f"{(missing + unknown)[0]}); it was written by another version or has been edited"
        )
    if len(missing) == len(own):
        raise PoseGraphError(
            f"{source}: none of its tensors is in this model; give a checkpoint of the same kind of model"
        )
    model.load_state_dict(weights, strict=False)
    return missing


def _same_joints(wanted: Skeleton, found: Skeleton, source: str | Path) -> None:
    if wanted.joints != found.joints:
        raise PoseGraphError(
            f"{source}: is for skeleton {found.name!r} ({found.num_joints} joints), the data and configuration are for "
            f"{wanted.name!r} ({wanted.num_joints} joints: {', '.join(wanted.joints)}); use a checkpoint of it"
        )
