"""Files of tensors, opened as data: nothing in them can run."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from posegraph.errors import PoseGraphError

_NUMBERS = "? e f d b h i l q B H I L Q U S"
"""Kinds of numpy array that training frameworks write beside their weights. Not objects: these hold pickles."""


def read_tensors(path: Path) -> Any:
    """The content of a ``.safetensors`` file, or of a PyTorch file (see :func:`read_torch`)."""
    return read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises :class:`PoseGraphError` for a file that is missing, damaged or of another kind."""
    _is_there(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise PoseGraphError(
            f"{path}: cut off, or no safetensors file ({_first_line(error)}); give an undamaged file"
        ) from None


def read_torch(path: Path) -> Any:
    """What ``torch.save`` wrote, with ``weights_only=True``: tensors, plain values, and arrays of numbers.

    Raises:
        PoseGraphError: no such file, a damaged one, or one that holds anything else; no code in it has run.
    """
    _is_there(path)
    try:
        with torch.serialization.safe_globals(_number_arrays()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign:
            raise PoseGraphError(
                f"{path}: holds {foreign[1]} beside its tensors, which is not opened because it could run code; if you "
                'trust the file, re-save it: torch.save({"state_dict": torch.load(FILE, weights_only=False)'
                '["state_dict"]}, NEW_FILE)'
            ) from None
        if not zipfile.is_zipfile(path):
            raise PoseGraphError(
                f"{path}: is cut off or no PyTorch file ({path.stat().st_size} bytes); give an undamaged file"
            ) from None
        raise PoseGraphError(
            f"{path}: cannot be opened as a PyTorch file ({_first_line(error)}); give an undamaged file"
        ) from None


def _is_there(path: Path) -> None:
    if not path.is_file():
        raise PoseGraphError(f"{path}: no such file; check the path")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _number_arrays() -> list[Any]:
    """What torch's unpickler must know to read numpy's numbers, under the names of numpy 1 and 2."""
    kinds: list[Any] = [np.ndarray, np.dtype, *{type(np.dtype(kind)) for kind in _NUMBERS.split()}]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        kinds += [(multiarray._reconstruct, f"{module}._reconstruct"), (multiarray.scalar, f"{module}.scalar")]
    return kinds
