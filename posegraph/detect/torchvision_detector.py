"""The detectors that come with torchvision."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from torchvision.models import detection, get_model, get_model_weights, list_models

from posegraph.data.people import NO_TRACK, People
from posegraph.data.video import Image
from posegraph.detect.detector import LOWEST_SCORE
from posegraph.errors import PoseGraphError, did_you_mean

DEFAULT_MODEL = "fasterrcnn_mobilenet_v3_large_320_fpn"
"""The one that a CPU can run beside a pose model."""

CONNECT_S, STALL_S = 5.0, 30.0
"""Seconds to wait for the server's first answer, and for more of a download."""

_PERSON = "person"


class TorchvisionDetector:
    """A detection model of torchvision with its own weights.

    The weights are read from torch's hub folder; what is not there is downloaded into it.

    Args:
        name: As torchvision calls it.
        device: To run on.

    Raises:
        PoseGraphError: no such model, or its weights cannot be had or read.
    """

    def __init__(self, name: str = DEFAULT_MODEL, device: str | torch.device = "cpu") -> None:
        weights = _weights(name)
        file = weights_file(name)
        if not file.is_file():
            _reachable(name, weights.url, file)
        try:
            with _stalling_told():
                self._model = get_model(name, weights=weights, progress=False)
        except Exception as error:  # a damaged file raises whatever unpickling it comes upon
            if not file.is_file():
                raise _cannot_be_had(name, weights.url, file, error) from None
            raise PoseGraphError(
                f"{file}: not the weights of torchvision's {name} ({error}); delete it and it is downloaded again"
            ) from error
        self.name = name
        self._person = weights.meta["categories"].index(_PERSON)
        self._device = torch.device(device)
        self._model.eval().to(self._device)

    @torch.inference_mode()
    def __call__(self, image: Image) -> People:
        """The people of a BGR image, best first."""
        pixels = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).to(self._device)
        found = self._model([pixels.permute(2, 0, 1).float() / 255])[0]
        kept = (found["labels"] == self._person) & (found["scores"] >= LOWEST_SCORE)
        corners = found["boxes"][kept].double().cpu().numpy()
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        scores = found["scores"][kept].double().cpu().numpy()
        return People(boxes, scores, np.full(len(boxes), NO_TRACK, dtype=np.int64))


def torchvision_models() -> list[str]:
    """Names of torchvision's models that find people."""
    names = list_models(module=detection)
    return [name for name in names if _PERSON in get_model_weights(name).DEFAULT.meta["categories"]]


def weights_file(name: str = DEFAULT_MODEL) -> Path:
    """Where the weights of a model lie, or would lie."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(_weights(name).url).path).name


def torchvision_available(name: str = DEFAULT_MODEL) -> bool:
    """Whether the weights of a model are on disk; nothing is downloaded."""
    return weights_file(name).is_file()


def _weights(name: str) -> Any:
    names = torchvision_models()
    if name not in names:
        near = did_you_mean(name, names)
        raise PoseGraphError(f"torchvision has no detector {name!r} of people; it has: {', '.join(names)}{near}")
    return get_model_weights(name).DEFAULT


def _reachable(name: str, url: str, file: Path) -> None:
    """Raise within seconds where the weights cannot be downloaded: a download itself may wait for minutes."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_S).close()
    except (OSError, urllib.error.URLError) as error:
        raise _cannot_be_had(name, url, file, error) from None


def _cannot_be_had(name: str, url: str, file: Path, error: Exception) -> PoseGraphError:
    reason = getattr(error, "reason", None) or error
    return PoseGraphError(
        f"torchvision:{name}: its weights are not in {file.parent} and cannot be downloaded ({reason}); download {url} "
        f"elsewhere and copy it to {file}, or choose another --detector (onnx:FILE, self) or --boxes FILE"
    )


@contextmanager
def _stalling_told() -> Iterator[None]:
    """A download that stands still ends with an error; torch's own would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
