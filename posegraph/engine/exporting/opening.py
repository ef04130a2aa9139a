"""Whatever can be predicted with: a model for torch, or an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from posegraph.engine import checkpoint
from posegraph.engine.distributed import named_device
from posegraph.engine.exporting.exported import ExportedModel, StreamModel, is_exported, load_exported
from posegraph.engine.exporting.formats import Format
from posegraph.errors import PoseGraphError
from posegraph.models.weights.shipped import DEFAULT_MODEL

Runtime = Literal["torch"] | Format
ModelOrName = StreamModel | str | Path | None
"""A model, or what :func:`open_model` opens by its name."""


def open_model(
    spec: str | Path | None = None, runtime: Runtime | None = None, device: str = "auto", **options: Any
) -> StreamModel:
    """A model ready to predict, on its device.

    Args:
        spec: What :func:`posegraph.load` takes, or a folder that ``posegraph export`` wrote. None: the model that
            comes with posegraph.
        runtime: What has to run it; None: torch, and what an exported folder was exported to.
        device: Of models for torch, ``auto``, ``cpu`` or ``cuda``; exported ones run on the CPU.
        options: Those of :func:`posegraph.load`.

    Raises:
        PoseGraphError: nothing there, a damaged folder, or one that this runtime or device does not run.
    """
    if spec is not None and is_exported(spec):
        return _exported(spec, runtime, device, options)
    if runtime not in (None, "torch"):
        name = DEFAULT_MODEL if spec is None else spec
        raise PoseGraphError(
            f"--runtime {runtime}: {name} is not exported; export it: posegraph export {name} --to {runtime} --out DIR"
        )
    return checkpoint.load(spec, **options).to(named_device(device))


def opened(model: ModelOrName) -> StreamModel:
    """The model itself, or the one of that name, opened as :func:`open_model` does: on a GPU where there is one."""
    return open_model(model) if model is None or isinstance(model, str | Path) else model


def _exported(spec: str | Path, runtime: Runtime | None, device: str, options: dict[str, Any]) -> ExportedModel:
    exported = load_exported(spec)
    if runtime not in (None, exported.format):
        raise PoseGraphError(
            f"--runtime {runtime}: {spec} was exported to {exported.format}; leave --runtime away, or give "
            f"{'the run itself' if runtime == 'torch' else 'another export'}"
        )
    if device not in ("auto", "cpu"):
        raise PoseGraphError(f"--device {device}: {spec} is exported for the CPU; give the run itself for a GPU")
    if any(options.values()):
        raise PoseGraphError(f"{spec}: says itself which joints it has; leave --weights, --skeleton and --expert away")
    return exported
