"""Crops of images through a stream's backbone, in batches.

# N crops, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posegraph.config import StreamConfig
from posegraph.data.crops import crop_frames
from posegraph.data.device_crops import device_crops
from posegraph.data.video import Image
from posegraph.engine.exporting.exported import ExportedModel
from posegraph.engine.stream_state import Seen
from posegraph.models.inference import InferenceModel


class CropEncoder:
    """Encodes crops.

    Args:
        stages: The model.
        device: Where it runs.
        input_hw: Height and width of a crop.
        settings: How many crops a backbone pass has, where they are made, and how the model was compiled.
    """

    def __init__(
        self,
        stages: InferenceModel | ExportedModel,
        device: torch.device,
        input_hw: tuple[int, int],
        settings: StreamConfig,
    ) -> None:
        self.input_hw = input_hw
        self._stages, self._device, self._settings = stages, device, settings

    def __call__(self, images: Sequence[Image], matrices: Sequence[NDArray[np.float64]]) -> Iterator[Seen]:
        """One crop of each image, by its affine ``[2, 3]`` from image to crop."""
        size = self._settings.batch_size
        for start in range(0, len(images), size):
            part = slice(start, start + size)
            features, heatmaps = self._stages.encode(self._crops(images[part], matrices[part]))
            if self._settings.reuses_memory:
                # What a CUDA graph returns is gone when it runs again, and a stream keeps it for frames to come.
                features, heatmaps = features.clone(), heatmaps.clone()
            yield from map(Seen, features, heatmaps)

    def _crops(self, images: Sequence[Image], matrices: Sequence[NDArray[np.float64]]) -> Tensor:
        if self._settings.device_crops:
            return device_crops(images, matrices, self.input_hw, self._device)
        crops = torch.empty(len(images), 3, *self.input_hw, pin_memory=self._device.type == "cuda")
        for image, matrix, out in zip(images, matrices, crops, strict=True):
            crop_frames([image], matrix, out.unsqueeze(0))
        return crops.to(self._device, non_blocking=True)
