"""What posegraph itself writes beside its weights: configuration and skeleton, in checkpoints and in config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from posegraph.config import ModelConfig, RunConfig
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"
VERSION = "posegraph_version"
_ENTRY = "posegraph"
_PREFIX = "model."


class Own(NamedTuple):
    """The run that made the weights, and its joints."""

    config: RunConfig
    skeleton: Skeleton


class OwnCheckpoint(NamedTuple):
    """A checkpoint's weights, by the model's own names, and what it says of them."""

    tensors: dict[str, Tensor]
    own: Own


def describe(config: RunConfig, skeleton: Skeleton) -> dict[str, Any]:
    """What a checkpoint says of itself, under the key ``posegraph``: plain values, so that it opens safely."""
    return {_ENTRY: {"config": config.to_dict(), "skeleton": skeleton.model_dump(mode="json")}}


def own_checkpoint(content: Any, source: str) -> OwnCheckpoint | None:
    """The parts of a checkpoint that ``posegraph train`` wrote; None: somebody else's file.

    Raises :class:`PoseGraphError` where posegraph wrote it and it has been edited.
    """
    entry = content.get(_ENTRY) if isinstance(content, dict) else None
    if not isinstance(entry, dict) or not isinstance(content.get("state_dict"), dict):
        return None
    config = RunConfig.from_dict(entry.get("config"), source=f"{source} (configuration inside)")
    skeleton = Skeleton.from_dict(entry.get("skeleton"), source=f"{source} (skeleton inside)")
    tensors = {
        name.removeprefix(_PREFIX): value for name, value in content["state_dict"].items() if name.startswith(_PREFIX)
    }
    return OwnCheckpoint(tensors, Own(config, skeleton))


def config_json(run: RunConfig, model: ModelConfig, skeleton: Skeleton, version: str) -> dict[str, Any]:
    """The ``config.json`` of ``save_pretrained``: all of the model, its joints, and what scoring it needs.

    Paths stay out: they mean nothing on another machine, and the folder may be published.
    """
    content = run.to_dict()
    return {
        VERSION: version,
        "model": model.model_dump(mode="json") | {"weights": None, "weights_skeleton": None, "weights_expert": 0},
        "skeleton": skeleton.model_dump(mode="json"),
        "data": {"box_scale": content["data"]["box_scale"]},
        "evaluation": content["evaluation"],
    }


def own_config(content: Mapping[str, Any], source: str) -> Own | None:
    """What a ``config.json`` of :func:`config_json` says; None: somebody else's.

    Raises :class:`PoseGraphError` where posegraph wrote it and it has been edited.
    """
    if VERSION not in content:
        return None
    for key in ("model", "skeleton"):
        if not isinstance(content.get(key), dict):
            raise PoseGraphError(f"{source}: {key!r} is missing; give the folder as save_pretrained wrote it")
    skeleton = Skeleton.from_dict(content["skeleton"], source=f"{source} (skeleton)")
    parts = {key: content[key] for key in ("model", "data", "evaluation") if key in content}
    config = RunConfig.from_dict(parts | {"skeleton": skeleton.name}, source=source)
    return Own(config, skeleton)
