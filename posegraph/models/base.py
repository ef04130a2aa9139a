"""What every pose model of posegraph is: a backbone with heatmaps, and nodes for a clip.

# B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from posegraph.config import ModelConfig, RunConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone, last_frame_gradient_only
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.weights import WeightsReport, open_source
from posegraph.models.weights.hub import folder_from_hub, hub_errors
from posegraph.models.weights.sources import read_config
from posegraph.skeleton import Skeleton


class PoseOutput(NamedTuple):
    """All that a model says about a batch of clips.

    Fields:
        nodes: ``[B, J, 3]`` normalised x, y and visibility of the key frame.
        heatmaps: ``[B, J, H, W]`` prior heatmaps of the key frame, with gradient.
        values: ``[B, J]`` their peak values.
    """

    nodes: Tensor
    heatmaps: Tensor
    values: Tensor


class Encoded(NamedTuple):
    """What the backbone and its decoder see in the frames of a batch of clips.

    Fields:
        features: ``[B, T, C, h, w]``.
        heatmaps: ``[B, T, J, H, W]``, raw.
    """

    features: Tensor
    heatmaps: Tensor


Model = TypeVar("Model", bound="PoseModel")

_MODEL_CARD = """---
{{ card_data }}
---
Weights of posegraph (video human pose estimation on graphs). Open them with `posegraph.load("OWNER/NAME")`, or score
them with `posegraph eval OWNER/NAME --data ANNOTATIONS`. config.json holds the skeleton and all settings.
"""


class PoseModel(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="posegraph",
    pipeline_tag="keypoint-detection",
    tags=["pose-estimation", "video"],
    model_card_template=_MODEL_CARD,
):
    """Base of all models. Called on a batched :class:`ClipData` it returns nodes ``[B, J, 3]``.

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are huggingface_hub's.

    Attributes:
        config: The numbers it was built with.
        skeleton: Its joints.
        run_config: The run that trained it, where it comes from a checkpoint; its box scale and scoring apply.
        weights_report: What became of the weights that it was started from; None: it was not.
    """

    def __init__(
        self, config: ModelConfig, skeleton: Skeleton, backbone: ViTBackbone, heatmap_head: HeatmapHead
    ) -> None:
        super().__init__()
        self.config, self.skeleton = config, skeleton
        self.run_config = RunConfig(model=config)
        self.weights_report: WeightsReport | None = None
        self.backbone, self.heatmap_head = backbone, heatmap_head

    def forward(self, clip: ClipData) -> Tensor:
        """A batched clip -> nodes ``[B, J, 3]``: normalised x, y and visibility."""
        return self.run(clip).nodes

    def run(self, clip: ClipData) -> PoseOutput:
        """A batched clip -> nodes and what they were made from. Features that it brings along are not made again."""
        encoded = Encoded(clip.features, clip.heatmaps) if "features" in clip else self.encode(clip.frames)
        return self.reason(encoded, clip)

    def encode(self, frames: Tensor) -> Encoded:
        """Crops ``[B, T, 3, H_in, W_in]`` -> features and heatmaps of every frame, each frame by itself."""
        if torch.is_grad_enabled() and not self.config.past_gradient:
            features = last_frame_gradient_only(self.backbone, frames)
        else:
            features = self.backbone(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        heatmaps = self.heatmap_head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return Encoded(features, heatmaps)

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Encoded frames of a batched clip, and its graph -> :class:`PoseOutput`."""
        raise NotImplementedError

    @torch.no_grad()
    def heatmaps(self, images: Tensor) -> Tensor:
        """Single crops ``[N, 3, H_in, W_in]`` -> heatmaps ``[N, J, H, W]``, without gradient, as in evaluation mode."""
        learning = [module for module in self.modules() if module.training]
        try:
            for module in learning:
                module.training = False
            out: Tensor = self.heatmap_head(self.backbone(images))
        finally:
            for module in learning:
                module.training = True
        return out

    def image_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of backbone and decoder."""
        yield from self.backbone.parameters()
        yield from self.heatmap_head.parameters()

    def graph_parameters(self) -> Iterator[nn.Parameter]:
        """All others: the node-centric head."""
        image = {id(parameter) for parameter in self.image_parameters()}
        yield from (parameter for parameter in self.parameters() if id(parameter) not in image)

    def _save_pretrained(self, save_directory: Path) -> None:
        from posegraph.models.pretrained import write_pretrained

        write_pretrained(self, save_directory)

    @classmethod
    def from_pretrained(cls: type[Model], pretrained_model_name_or_path: str | Path, **options: Any) -> Model:
        """The model of a folder that ``save_pretrained`` wrote, or of an id on the hub, in evaluation mode.

        Args:
            pretrained_model_name_or_path: The folder, or ``owner/name``.
            options: huggingface_hub's: ``revision``, ``token``, ``cache_dir``, ``local_files_only`` ...

        Raises:
            PoseGraphError: nothing there, a damaged folder, or one that posegraph did not write.
        """
        name = str(pretrained_model_name_or_path)
        if not Path(name).is_dir():
            with hub_errors(name):
                model: Model = super().from_pretrained(name, **options)
            return model
        read_config(Path(name))  # says in one line what is wrong with it; the library does not
        model = super().from_pretrained(name, **options)
        return model

    @classmethod
    def _from_pretrained(cls: type[Model], *, model_id: str, **options: Any) -> Model:
        from posegraph.models.pretrained import restored

        source = open_source(model_id if Path(model_id).is_dir() else folder_from_hub(model_id, **options))
        model = restored(source)
        if not isinstance(model, cls):
            raise PoseGraphError(
                f"{model_id}: is a {type(model).__name__}, not a {cls.__name__}; use PoseModel.from_pretrained"
            )
        return model
