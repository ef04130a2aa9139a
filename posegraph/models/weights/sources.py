"""From a SPEC to named tensors: a file, a folder, a shipped model, one of the Hugging Face hub, or one of timm's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from posegraph.errors import PoseGraphError
from posegraph.files import read_json
from posegraph.models.weights.files import read_safetensors, read_tensors, read_torch
from posegraph.models.weights.hub import fetched_from_hub, timm_model
from posegraph.models.weights.own import CHECKPOINTS, LAST, Own, own_checkpoint, own_config
from posegraph.models.weights.shipped import damaged, shipped_folder, shipped_name

TIMM = "timm:"
CONFIG = "config.json"
SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
_PLACES = ("state_dict", "model", "teacher", "module")
"""Where training frameworks keep the weights in what they save; ``teacher``: DINO, whose teacher is the result."""


@dataclass(frozen=True)
class Source:
    """Weights as somebody else's file names them.

    Fields:
        spec: What the user gave; errors and reports begin with it.
        tensors: By their names in the file.
        config: The folder's ``config.json`` (Hugging Face), or what timm says of its model; empty: none.
        joints: Joint names that the file itself gives (mmpose 1.x), in row order.
        own: Configuration and skeleton, where posegraph wrote it.
    """

    spec: str
    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any] = field(default_factory=dict)
    joints: tuple[str, ...] | None = None
    own: Own | None = None


def open_source(spec: str | Path) -> Source:
    """Read what SPEC names.

    Args:
        spec: A ``.pth``, ``.pt``, ``.bin``, ``.ckpt`` or ``.safetensors`` file; a run's folder; a folder that
            ``save_pretrained`` wrote (posegraph's or Hugging Face's); the name of a model that comes with posegraph;
            ``owner/name`` or ``owner/name/file`` on the Hugging Face hub; ``timm:NAME``.

    Raises:
        PoseGraphError: nothing there, nothing to fetch, a damaged file, or one that could run code.
    """
    name = str(spec)
    if name.startswith(TIMM):
        tensors, config = timm_model(name.removeprefix(TIMM))
        return Source(name, tensors, config)
    shipped = shipped_name(spec)
    if shipped is not None:
        return _shipped(shipped)
    path = Path(spec)
    if not path.exists():
        path = fetched_from_hub(name)
    return _folder(name, path) if path.is_dir() else _file(name, path)


def _shipped(name: str) -> Source:
    folder = shipped_folder(name)
    try:
        return _folder(name, folder)
    except PoseGraphError as error:
        raise damaged(name, error) from None


def _folder(spec: str, folder: Path) -> Source:
    last = folder / CHECKPOINTS / LAST
    if last.is_file():
        return _file(spec, last)
    tensors = _folder_tensors(spec, folder)
    config = read_config(folder)
    return Source(spec, tensors, config, own=own_config(config, source=str(folder / CONFIG)))


def read_config(folder: Path) -> dict[str, Any]:
    """A folder's ``config.json``; empty where it has none. Raises :class:`PoseGraphError` for a damaged one."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    if not isinstance(config, dict):
        raise PoseGraphError(f"{folder / CONFIG}: expected an object of settings; give the folder as it was saved")
    return config


def _folder_tensors(spec: str, folder: Path) -> dict[str, Tensor]:
    for name in SINGLE_FILES:
        if (folder / name).is_file():
            return _tensors_in(read_tensors(folder / name), folder / name)
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _shards(index)
    raise PoseGraphError(
        f"{spec}: holds neither {CHECKPOINTS}/{LAST} nor {' nor '.join(SINGLE_FILES)}; give a folder that "
        "`posegraph train` or save_pretrained wrote, or a file"
    )


def _shards(index: Path) -> dict[str, Tensor]:
    content = read_json(index)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict):
        raise PoseGraphError(f"{index}: has no weight_map; expected tensor names and their files; fetch it again")
    tensors: dict[str, Tensor] = {}
    # Names alone: an index must not lead out of its folder.
    for file in sorted({Path(str(place)).name for place in places.values()}):
        tensors |= _tensors_in(read_tensors(index.parent / file), index.parent / file)
    return tensors


def _file(spec: str, path: Path) -> Source:
    if path.suffix == ".safetensors":
        return Source(spec, read_safetensors(path))
    content = read_torch(path)
    own = own_checkpoint(content, source=str(path))
    if own is not None:
        return Source(spec, own.tensors, own=own.own)
    return Source(spec, _tensors_in(content, path), joints=_joints_in(content))


def _tensors_in(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in what a framework saved: itself, or under one of the usual keys."""
    inside = [content.get(place) for place in _PLACES] if isinstance(content, dict) else []
    for candidate in [*inside, content]:
        if isinstance(candidate, dict):
            tensors = {str(name): value for name, value in candidate.items() if isinstance(value, Tensor)}
            if tensors:
                return tensors
    keys = f"keys {', '.join(map(str, list(content)[:8]))}" if isinstance(content, dict) and content else "nothing"
    found = keys if isinstance(content, dict) else f"a {type(content).__name__}"
    raise PoseGraphError(
        f"{path}: holds no weights (found {found}); expected tensors by name, or such a dictionary under "
        f"one of {', '.join(_PLACES)}; give a file with a state dict"
    )


def _joints_in(content: Any) -> tuple[str, ...] | None:
    """Joint names of an mmpose 1.x file: ``meta.dataset_meta.keypoint_id2name``."""
    for key in ("meta", "dataset_meta", "keypoint_id2name"):
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, dict) or set(content) != set(range(len(content))):
        return None
    return tuple(str(content[row]) for row in range(len(content)))
