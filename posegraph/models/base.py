"""What every pose model of posegraph is: a backbone with heatmaps, and nodes for a clip.

# B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from posegraph.config import ModelConfig, RunConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.vit import ViTBackbone, one_frame_gradient
from posegraph.errors import PoseGraphError
from posegraph.graph import ClipData
from posegraph.models.weights import WeightsReport, open_source
from posegraph.models.weights.hub import folder_from_hub, hub_errors
from posegraph.models.weights.shipped import shipped_folder, shipped_name
from posegraph.models.weights.sources import read_config
from posegraph.skeleton import Skeleton


class Regression(NamedTuple):
    """Points as a distribution: around ``points``, as wide as ``spread``, of the shape that ``log_density`` has.

    Fields:
        points: ``[B, J, 2]`` normalised.
        spread: ``[B, J, 2]`` sigma of x and y, normalised.
        log_density: Errors ``[..., 2]`` in units of the spread -> their log density ``[...]``.
    """

    points: Tensor
    spread: Tensor
    log_density: nn.Module


class PoseOutput(NamedTuple):
    """All that a model says about a batch of clips. What a field is for tells which loss it carries.

    Fields:
        nodes: ``[B, J, 3]`` normalised x, y and visibility of the key frame.
        heatmaps: ``[B, J, H, W]`` prior heatmaps of the key frame, with gradient; ``J`` 0 where none were made.
        values: ``[B, J]`` their peak values, or what else says how sure the model is of a joint.
        nodes_learn: The nodes carry a loss. False: what they were made from does.
        refined: ``[B, J, H, W]`` heatmaps that the nodes were read from, where they are not the prior ones.
        regression: What the nodes' points were taken from, where they have a distribution.
    """

    nodes: Tensor
    heatmaps: Tensor
    values: Tensor
    nodes_learn: bool = True
    refined: Tensor | None = None
    regression: Regression | None = None


class Encoded(NamedTuple):
    """What the backbone and its decoder see in the frames of a batch of clips.

    Fields:
        features: ``[B, T, C, h, w]``.
        heatmaps: ``[B, T, J, H, W]``, raw; ``J`` 0 of models that do without.
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
        reads_heatmaps: Its answer needs heatmaps: they are made of every frame.
        trains_decoder: Its own loss reaches the decoder, with or without one on the prior heatmaps.
    """

    reads_heatmaps: ClassVar[bool] = True
    trains_decoder: ClassVar[bool] = False

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
            features = one_frame_gradient(self.backbone, frames, self.config.key_frame)
        else:
            features = self.backbone(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        if not self.reads_heatmaps:
            return Encoded(features, features.new_zeros(*features.shape[:2], 0, *self.config.heatmap_hw))
        return Encoded(features, self.decode(features))

    def decode(self, features: Tensor) -> Tensor:
        """Features ``[B, T, C, h, w]`` -> heatmaps ``[B, T, J, H, W]``."""
        heatmaps: Tensor = self.heatmap_head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return heatmaps

    def with_gradient(self, heatmaps: Tensor) -> Tensor:
        """``[B, T, ...]``, without gradient through the frames that ``past_gradient`` shuts out of the backbone."""
        if self.config.past_gradient:
            return heatmaps
        key, fixed = self.config.key_frame, heatmaps.detach()
        return torch.cat([fixed[:, :key], heatmaps[:, key : key + 1], fixed[:, key + 1 :]], dim=1)

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
        """The model of a folder that ``save_pretrained`` wrote, a shipped one or of the hub, in evaluation mode.

        Args:
            pretrained_model_name_or_path: The folder, ``ncstr-tiny``, or ``owner/name``.
            options: huggingface_hub's: ``revision``, ``token``, ``cache_dir``, ``local_files_only`` ...

        Raises:
            PoseGraphError: nothing there, a damaged folder, or one that posegraph did not write.
        """
        shipped = shipped_name(pretrained_model_name_or_path)
        name = str(pretrained_model_name_or_path if shipped is None else shipped_folder(shipped))
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
