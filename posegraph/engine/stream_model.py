"""A model as a stream runs it: rewritten for inference, compiled, under autocast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from posegraph.config import StreamConfig
from posegraph.engine.compilation import compile_faults, compile_stages
from posegraph.engine.exporting.exported import ExportedModel, StreamModel
from posegraph.errors import PoseGraphError
from posegraph.models.inference import InferenceModel

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def stream_stages(model: StreamModel, settings: StreamConfig) -> InferenceModel | ExportedModel:
    """The stages of a model. Raises :class:`PoseGraphError` for settings that an exported one cannot have."""
    if not isinstance(model, ExportedModel):
        stages = InferenceModel(model)
        if settings.compile:
            compile_stages(stages, settings.compile_mode)
        return stages
    if settings.compile:
        raise PoseGraphError(
            f"stream.compile: {model.folder} is exported to {model.format}, which torch.compile does not take; "
            "set stream.compile=false"
        )
    if settings.dtype != "float32":
        raise PoseGraphError(
            f"stream.dtype: {model.folder} is exported, and computes in {model.precision}; "
            "set stream.dtype=float32, or export it with another --precision"
        )
    return model


@contextmanager
def computing(settings: StreamConfig, device: torch.device) -> Iterator[None]:
    """What the stages are called in: autocast, and faults of the compiler, where there is one, are told."""
    dtype = _DTYPES[settings.dtype]
    told = compile_faults("stream.compile", "set stream.compile=false") if settings.compile else nullcontext()
    with told, torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield
