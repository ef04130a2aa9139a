"""A model as a folder in the Hugging Face layout, and a model back from what posegraph wrote."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_model
from torch import Tensor

from posegraph import __version__
from posegraph.errors import PoseGraphError
from posegraph.files import replacing, write_json
from posegraph.models.build import model_from_config
from posegraph.models.weights import Source
from posegraph.models.weights.own import config_json

if TYPE_CHECKING:
    from posegraph.models.base import PoseModel

CONFIG = "config.json"
TENSORS = "model.safetensors"


def write_pretrained(model: PoseModel, folder: Path, half: bool = False) -> None:
    """Write ``config.json``, with the skeleton inside, and ``model.safetensors``.

    Args:
        model: Its parameters are in float32.
        folder: Made where it is not there.
        half: Store float16, half the size; :func:`restored` and all else that reads it have float32 again.

    Raises:
        PoseGraphError: a weight beyond float16's range (65504), or a folder that cannot be written.
    """
    stored = _in_half_precision(model) if half else model
    with replacing(folder / TENSORS) as temporary:
        save_model(stored, str(temporary), metadata={"format": "pt"})
    write_json(folder / CONFIG, config_json(model.run_config, model.config, model.skeleton, __version__))


def _in_half_precision(model: PoseModel) -> PoseModel:
    stored = copy.deepcopy(model).half()
    for name, value in stored.state_dict().items():
        if not torch.isfinite(value).all():
            raise PoseGraphError(f"{name}: has values that float16 cannot hold (above 65504, or NaN); store float32")
    return stored


def restored(source: Source) -> PoseModel:
    """The model that posegraph wrote, of its own class, in evaluation mode on the CPU.

    Raises:
        PoseGraphError: somebody else's weights, or tensors that are not this model's.
    """
    if source.own is None:
        raise PoseGraphError(
            f"{source.spec}: was not written by posegraph; posegraph.load and --weights open other people's weights"
        )
    model = model_from_config(source.own.config.model, source.own.skeleton)
    own = model.state_dict()
    weights: dict[str, Any] = {name: _shaped(value, own.get(name)) for name, value in source.tensors.items()}
    for name, value in weights.items():
        if name in own and own[name].shape != value.shape:
            raise PoseGraphError(
                f"{source.spec}: {name} has shape {tuple(value.shape)}, the model's has {tuple(own[name].shape)}; it "
                "was written by another version or has been edited"
            )
    missing = [name for name in own if name not in weights]
    unknown = [name for name in weights if name not in own]
    if missing or unknown:
        raise PoseGraphError(
            f"{source.spec}: does not fit the model ({len(missing)} tensors missing, {len(unknown)} unknown, first: "
            f"{(missing + unknown)[0]}); it was written by another version or has been edited"
        )
    model.load_state_dict(weights)
    model.run_config = source.own.config.model_copy(update={"model": model.config})
    return model.eval()


def _shaped(value: Tensor, like: Tensor | None) -> Tensor:
    """A number is a number, whether it was written with no dimension or with one."""
    return value.reshape(like.shape) if like is not None and value.numel() == like.numel() == 1 else value
