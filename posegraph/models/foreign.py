"""Other people's ViTPose as a model of its own: what its configuration is can be told from its weights."""

from __future__ import annotations

from typing import Any

from posegraph.config import RunConfig, preset_names
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.models.build import model_from_config
from posegraph.models.weights import Weights, load_weights
from posegraph.models.weights.joints import rows_skeleton
from posegraph.models.weights.positions import source_grid
from posegraph.models.weights.reading import LAST_LAYER, POSITIONS
from posegraph.skeleton import Skeleton


def model_from_weights(weights: Weights, preset: str | None = None, skeleton: Skeleton | None = None) -> PoseModel:
    """A model that has all its weights from somebody else, in evaluation mode.

    Args:
        weights: With a decoder.
        preset: What to build; None: the ViTPose of their size, for the crop that they were trained on.
        skeleton: The joints of the decoder's rows; None: what the file says, or coco17 for 17 rows.

    Raises:
        PoseGraphError: a backbone alone, a size of no preset, or joints that nobody names.
    """
    if weights.decoder is None:
        raise PoseGraphError(
            f"{weights.spec}: holds a backbone without a decoder, which predicts nothing yet; train from it: posegraph "
            f"train PRESET --weights {weights.spec}"
        )
    rows = weights.tensors[LAST_LAYER].size(0)
    joints, _ = rows_skeleton(weights.spec, rows, skeleton, weights.said_joints, weights.decoder_expert)
    values = _recognised(weights) if preset is None else {"preset": preset}
    values |= {"decoder": weights.decoder, "weights": weights.spec}
    run = RunConfig.from_dict({"model": values, "skeleton": joints.name}, source=weights.spec)
    model = model_from_config(run.model, joints)
    model.weights_report = load_weights(model, weights, skeleton=skeleton)
    model.run_config = run
    return model.eval()


def _recognised(weights: Weights) -> dict[str, Any]:
    """The preset of their size, and what is not as in the preset."""
    size = (weights.embed_dim, weights.depth)
    presets = {name: RunConfig.from_preset(name).model for name in preset_names()}
    alone = {name: config for name, config in presets.items() if config.variant == "vit_alone"}
    fitting = [name for name, config in alone.items() if (config.embed_dim, config.depth) == size]
    if not fitting:
        raise PoseGraphError(
            f"{weights.spec}: {size[0]} channels and {size[1]} blocks are the size of none of {', '.join(alone)}; "
            "build it with posegraph.build_model(PRESET, weights=..., embed_dim=..., depth=..., num_heads=...)"
        )
    config = alone[fitting[0]]
    grid_hw = source_grid(weights.tensors[POSITIONS].size(1), config.grid_hw, weights.grid_hw, weights.spec)
    return {
        "preset": fitting[0],
        "input_hw": tuple(cells * config.patch_size for cells in grid_hw),
        "num_heads": weights.num_heads or config.num_heads,
        "deconv_channels": weights.deconv_channels if weights.decoder == "classic" else config.deconv_channels,
    }
