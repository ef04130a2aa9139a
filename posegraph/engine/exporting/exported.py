"""An exported folder, opened: what a stream, and a clip, need of a model.

# N crops, B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posegraph.config import ModelConfig, RunConfig
from posegraph.engine.exporting.formats import PRECISIONS, Format, Precision
from posegraph.engine.exporting.parts import PARTS
from posegraph.engine.exporting.runtimes import Runner, open_part
from posegraph.errors import PoseGraphError
from posegraph.files import read_json, sha256
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.weights import WeightsReport
from posegraph.models.weights.own import own_config
from posegraph.skeleton import Skeleton

MANIFEST = "manifest.json"
VERSION = 1
"""Of the folder's layout."""


class ExportedModel:
    """The parts of an exported model, on the CPU. :class:`PoseStream` and ``evaluate`` take it in a model's place.

    A part is loaded when it is first used, with as many threads as torch has then.

    Args:
        folder: What ``posegraph export`` wrote.
        manifest: Its ``manifest.json``.

    Attributes:
        config, skeleton, run_config: Those of the model.
        format, precision: What it was exported to.
        device: Where it runs.
        weights_report: None: nothing was loaded from others.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest
        self.format: Format = manifest["format"]
        self.precision: Precision = manifest["precision"]
        own = own_config(manifest["run"], str(folder / MANIFEST))
        if own is None:
            raise _not_ours(folder)
        self.run_config: RunConfig = own.config
        self.config: ModelConfig = own.config.model
        self.skeleton: Skeleton = own.skeleton
        self.device = torch.device("cpu")
        self.weights_report: WeightsReport | None = None

    @property
    def files_id(self) -> str:
        """What tells it from another: the hashes of its files."""
        return " ".join(entry["sha256"] for entry in self.manifest["files"])

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H_in, W_in]`` -> features ``[N, C, h, w]`` and heatmaps ``[N, J, H, W]``."""
        features, heatmaps = self._encode(crops)
        return features, heatmaps

    def __call__(self, encoded: Encoded) -> PoseOutput:
        """Encoded frames of a batch of clips -> their poses."""
        nodes, values = self._reason(encoded.features, encoded.heatmaps)
        return PoseOutput(nodes, encoded.heatmaps[:, -1], values)

    def run(self, clip: ClipData) -> PoseOutput:
        """A batched clip -> its poses, by clip mode. Heatmaps stay inside: there are none in the output."""
        nodes, values = self.clip(clip.frames)
        return PoseOutput(nodes, nodes.new_zeros(len(nodes), 0, *self.config.heatmap_hw), values)

    def clip(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames ``[B, T, 3, H_in, W_in]`` -> nodes ``[B, J, 3]`` and peak values ``[B, J]`` of the last one."""
        nodes, values = self._clip(frames)
        return nodes, values

    @cached_property
    def _encode(self) -> Runner:
        return self._part("encode")

    @cached_property
    def _reason(self) -> Runner:
        return self._part("reason")

    @cached_property
    def _clip(self) -> Runner:
        return self._part("clip")

    def _part(self, name: str) -> Runner:
        files = [entry for entry in self.manifest["files"] if entry["part"] == name]
        for entry in files:
            path = self.folder / entry["name"]
            if not path.is_file() or sha256(path) != entry["sha256"]:
                state = "is not the file that was exported" if path.is_file() else "is missing"
                raise PoseGraphError(f"{path}: {state}; copy the folder again, or export the model again")
        return open_part(self.format, self.folder / files[0]["name"])


StreamModel = PoseModel | ExportedModel
"""What a stream runs, and what is scored."""


def device_of(model: StreamModel) -> torch.device:
    """Where a model runs."""
    return model.device if isinstance(model, ExportedModel) else next(model.parameters()).device


def is_exported(folder: str | Path) -> bool:
    """Whether ``posegraph export`` wrote this folder."""
    return (Path(folder) / MANIFEST).is_file()


def load_exported(folder: str | Path) -> ExportedModel:
    """An exported model.

    Compiled code (``aoti``) runs as it is found: open folders of people that you trust.

    Raises:
        PoseGraphError: no such folder, or one that is damaged or of another version.
    """
    path = Path(folder)
    if not is_exported(path):
        raise PoseGraphError(f"{path}: holds no {MANIFEST}; give a folder that posegraph export wrote")
    manifest = read_json(path / MANIFEST)
    version = manifest.get("posegraph_export") if isinstance(manifest, dict) else None
    if version is None:
        raise _not_ours(path)
    if version != VERSION:
        raise PoseGraphError(f"{path}: has layout {version}, expected {VERSION}; export the model again")
    if manifest.get("precision") not in PRECISIONS.get(manifest.get("format"), ()):
        raise _not_ours(path)
    parts = [entry["part"] for entry in manifest.get("files", [])]
    if not isinstance(manifest.get("run"), dict) or set(parts) != set(PARTS):
        raise _not_ours(path)
    return ExportedModel(path, manifest)


def _not_ours(folder: Path) -> PoseGraphError:
    return PoseGraphError(f"{folder / MANIFEST}: is not as posegraph export wrote it; export the model again")
