"""What decides the features of a frozen backbone: two caches with the same key hold the same.

Variant, head, loss and seed are not in it, so that many runs share one cache. Nor are keypoints: training reads them
from the annotations.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from posegraph.config import ModelConfig, RunConfig
from posegraph.data.clips import annotated_people
from posegraph.data.index import Tracks
from posegraph.data.video import FrameReader, frame_file
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel

VERSION = 1
"""Of the way from an image to features. A change that alters them raises it, and older caches no longer fit."""

_SIZES = ("input_hw", "num_frames", "patch_size", "stem", "embed_dim", "depth", "num_heads", "deconv_channels")
_HASHED = {
    "weights": "other weights of backbone or decoder (model.weights)",
    "people": "other people, boxes, frames or windows (data.train, data.val, data.frames, data.val_frames, "
    "model.future_frames)",
    "images": "other images (data.images)",
}


def feature_key(config: RunConfig, weights: str, tracks: Tracks) -> dict[str, Any]:
    """Plain values that decide the features of these people's clips; ``weights`` is :func:`digest_of_weights`."""
    sizes = config.model.model_dump(mode="json", include=set(_SIZES))
    people, images = _people_and_images(tracks, FrameReader(config.data.images), config.model)
    return {
        "version": VERSION,
        **{f"model.{name}": sizes[name] for name in _SIZES},
        "data.box_scale": config.data.box_scale,
        "training.precision": config.training.precision,
        "weights": weights,
        "people": people,
        "images": images,
    }


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What tells two keys apart, in words; empty where they are the same."""
    return [
        _HASHED.get(name, f"{name} {there.get(name)} there and {here.get(name)} here")
        for name in {**here, **there}
        if there.get(name) != here.get(name)
    ]


def digest_of_weights(model: PoseModel) -> str:
    """SHA-256 of the backbone's and the decoder's tensors."""
    return digest_of_modules(model.backbone, model.heatmap_head)


def digest_of_modules(*modules: nn.Module) -> str:
    """SHA-256 of these modules' tensors."""
    digest = hashlib.sha256()
    for part in modules:
        for name, tensor in part.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue  # Batch norm counts its batches; no feature depends on it.
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _people_and_images(tracks: Tracks, reader: FrameReader, model: ModelConfig) -> tuple[str, str]:
    """SHA-256 of who is seen where, and of the images' names and sizes. A data set that is moved keeps both."""
    people = hashlib.sha256()
    sizes: dict[str, int] = {}
    for person in annotated_people(tracks):
        root = reader.root(person.video)
        names = []
        for path in reader.clip_paths(person.video, person.frame, model.clip_frames, model.future_frames):
            names.append(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))
            if names[-1] not in sizes:
                sizes[names[-1]] = _size(frame_file(path))
        people.update(json.dumps([names, person.box_xywh.tolist()]).encode())
    images = hashlib.sha256(json.dumps(sorted(sizes.items())).encode())
    return people.hexdigest(), images.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise PoseGraphError(
            f"{path}: {error.strerror}; the features of a clip are known by its images: restore the file"
        ) from None
