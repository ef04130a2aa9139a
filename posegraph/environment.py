"""What a bug report needs to know about the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from posegraph import __version__

PACKAGES = ("torchvision", "torch-geometric", "timm", "pytorch-lightning", "numpy")


def describe_environment() -> dict[str, Any]:
    """Versions and hardware.

    Keys: ``posegraph``, ``python``, ``platform``; ``torch``, ``opencv``; one for each of :data:`PACKAGES` (None when
    not installed); ``torch-scatter`` (None unless PyG itself can use it); ``cuda`` (what torch was built for, or None);
    ``cuda_devices`` (names); ``cpus`` (those this process may use).
    """
    import cv2
    import torch

    return {
        "posegraph": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        # The module knows its build ("+cpu", "+cu130"); the package's metadata does not.
        "torch": torch.__version__,
        **{package: _version(package) for package in PACKAGES},
        "opencv": cv2.__version__,
        "torch-scatter": _usable_torch_scatter(),
        "cuda": torch.version.cuda,
        "cuda_devices": [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())],
        "cpus": _usable_cpus(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _usable_torch_scatter() -> str | None:
    # PyG's own answer: a torch-scatter that was built for another torch is installed but cannot be loaded.
    from torch_geometric.typing import WITH_TORCH_SCATTER

    return _version("torch-scatter") if WITH_TORCH_SCATTER else None


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
