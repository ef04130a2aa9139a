"""A causal clip of one person as PyG ``Data``.

# B clips, T frames, J joints
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Data

_HOP_EDGES = ("hop1_edge_index", "hop2_edge_index")


class ClipData(Data):  # type: ignore[misc]  # PyG ships no types for it
    """One person's frames ``t-T+1 .. t`` (the key frame is the last), the pose graph, and targets of the key frame.

    Attributes:
        frames: ``[1, T, 3, H_in, W_in]`` float32, ImageNet-normalised crops; zero outside the image.
        temporal_edge_index: ``[2, E]`` over ``T * J`` nodes, self-loops included.
        hop1_edge_index, hop2_edge_index: ``[2, E]`` over the key frame's ``J`` nodes, self-loops included.
        num_nodes: ``T * J``; node ``(frame, joint)`` has index ``frame * J + joint``.
        keypoints_norm: ``[1, J, 2]`` (x, y), 0 at the centre of the crop's first pixel, 1 at that of its last.
        annotated: ``[1, J]`` bool, a position is given.
        visibility: ``[1, J]`` int8: 1 seen, 0 occluded, -1 unknown.
        in_crop: ``[1, J]`` bool, the annotated position lies inside the crop.
        crop_to_image: ``[1, 2, 3]`` float64, crop pixels -> image pixels.
        counted: ``[1]`` bool, of a data set's clips: False where the clip only fills up a rank's share of the
            validation data, so that no figure may count it.
        features, heatmaps: ``[1, T, C, h, w]`` and ``[1, T, J, H, W]``, in place of ``frames`` in clips whose images
            were encoded before (:mod:`posegraph.data.feature_cache`).

    Batched by PyG's own loaders: the leading 1 becomes ``B``, and edges are offset by the nodes they count.
    """

    frames: Tensor
    temporal_edge_index: Tensor
    hop1_edge_index: Tensor
    hop2_edge_index: Tensor
    keypoints_norm: Tensor
    annotated: Tensor
    visibility: Tensor
    in_crop: Tensor
    crop_to_image: Tensor
    counted: Tensor
    features: Tensor
    heatmaps: Tensor

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "temporal_edge_index":
            return self.num_nodes
        if key in _HOP_EDGES:
            assert self.num_nodes is not None  # set at construction; for mypy
            seen = self.features if "features" in self else self.frames
            return self.num_nodes // seen.size(1)
        return super().__inc__(key, value, *args, **kwargs)
