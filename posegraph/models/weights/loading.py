"""Weights into a model: sizes checked, positions resized, joint rows matched by name, and all of it reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from posegraph.errors import PoseGraphError
from posegraph.models.weights.joints import matched_rows, rows_skeleton
from posegraph.models.weights.positions import fit_patches, fit_positions
from posegraph.models.weights.reading import DECODER, LAST_LAYER, PATCHES, POSITIONS, Weights, read_weights
from posegraph.models.weights.report import WeightsReport
from posegraph.skeleton import Skeleton

if TYPE_CHECKING:
    from posegraph.models.base import PoseModel

JOINT_ROWS = (LAST_LAYER, "heatmap_head.final.bias", "joint_embedding.joint_embedding.weight")
"""What has a row for every joint."""


def load_weights(
    model: PoseModel,
    spec: str | Path | Weights,
    *,
    skeleton: str | Path | Skeleton | None = None,
    expert: int = 0,
) -> WeightsReport:
    """Give the model what SPEC holds of it. What it does not hold keeps its value.

    Args:
        model: Changed in place.
        spec: A file, a folder, an id on the Hugging Face hub or ``timm:NAME`` (docs/weights.md).
        skeleton: The joints of the file's rows, in their order; None: what the file says, or coco17 for 17 rows.
        expert: ViTPose+: which of its experts is taken; 0 is COCO's.

    Returns:
        What was loaded, renamed, resized and left out; ``print`` it.

    Raises:
        PoseGraphError: a SPEC that cannot be opened, that is of another size, or of which nothing fits.
    """
    weights = spec if isinstance(spec, Weights) else read_weights(spec, expert)
    given = None if skeleton is None else Skeleton.load(skeleton)
    own = model.state_dict()
    _check_size(model, weights)
    wanted, left_out = _wanted(model, weights, own)
    resized = _resize(model, weights, wanted)
    joints = _match_joints(model, weights, wanted, own, given)
    _check_shapes(weights, wanted, own)
    model.load_state_dict(wanted, strict=False)
    return WeightsReport(
        spec=weights.spec,
        layout=f"{weights.layout}, {weights.decoder or 'no'} decoder",
        loaded=tuple(wanted),
        renamed={name: key for name, key in weights.origin.items() if name in wanted and key != name},
        resized=(*weights.folded, *resized),
        left_out=(*weights.left_out, *left_out),
        initialised=tuple(name for name in own if name not in wanted),
        initialised_joints=joints.initialised,
        unused_joints=joints.unused,
        assumptions=tuple(assumption for assumption in (_heads(model, weights), joints.assumption) if assumption),
    )


def _check_size(model: PoseModel, weights: Weights) -> None:
    config = model.config
    if (weights.embed_dim, weights.depth) != (config.embed_dim, config.depth):
        raise PoseGraphError(
            f"{weights.spec}: its backbone has {weights.embed_dim} channels and {weights.depth} blocks, the model's "
            f"{config.embed_dim} and {config.depth}; choose the preset of its size, or set model.embed_dim and "
            "model.depth"
        )
    if weights.num_heads not in (None, config.num_heads):
        raise PoseGraphError(
            f"{weights.spec}: was trained with {weights.num_heads} heads, the model has {config.num_heads}; set "
            f"model.num_heads={weights.num_heads}"
        )


def _heads(model: PoseModel, weights: Weights) -> str | None:
    # ViTPose's sizes fix the number of heads; a backbone of 384 channels may have 6 or 12.
    unsaid = weights.num_heads is None and weights.decoder is None
    return f"it was trained with {model.config.num_heads} heads (the file does not say)" if unsaid else None


def _wanted(model: PoseModel, weights: Weights, own: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors that have a place in the model, and the file's keys of the others."""
    # A decoder of the other kind shares names with the model's and means something else.
    other_decoder = weights.decoder not in (None, model.config.decoder)
    wanted: dict[str, Tensor] = {}
    left_out = []
    for name, value in weights.tensors.items():
        if name not in own or (other_decoder and name.startswith(DECODER)):
            left_out.append(weights.origin.get(name, name))
        else:
            wanted[name] = value
    return wanted, left_out


def _resize(model: PoseModel, weights: Weights, wanted: dict[str, Tensor]) -> list[str]:
    config = model.config
    wanted[POSITIONS], step = fit_positions(
        wanted[POSITIONS], config.grid_hw, weights.grid_hw, weights.class_token, weights.spec
    )
    steps = [step]
    if PATCHES in wanted and wanted[PATCHES].ndim == 4:
        wanted[PATCHES], step = fit_patches(wanted[PATCHES], config.patch_size)
        steps.append(step)
    return [step for step in steps if step]


class _JointRows(NamedTuple):
    initialised: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    assumption: str | None = None


def _match_joints(
    model: PoseModel, weights: Weights, wanted: dict[str, Tensor], own: dict[str, Tensor], given: Skeleton | None
) -> _JointRows:
    """Put the rows of every joint in the model's order; joints without a row keep the model's values."""
    present = [name for name in JOINT_ROWS if name in wanted]
    if not present:
        return _JointRows()
    rows = wanted[present[0]].size(0)
    theirs, assumption = rows_skeleton(weights.spec, rows, given, weights.said_joints, weights.decoder_expert)
    pairs = matched_rows(model.skeleton, theirs)
    ours_rows, their_rows = [ours for ours, _ in pairs], [row for _, row in pairs]
    for name in present:
        value = wanted[name]
        if value.size(0) == rows and value.shape[1:] == own[name].shape[1:]:
            wanted[name] = own[name].clone()
            wanted[name][ours_rows] = value[their_rows].to(own[name].device)
    return _JointRows(
        tuple(joint for row, joint in enumerate(model.skeleton.joints) if row not in ours_rows),
        tuple(joint for row, joint in enumerate(theirs.joints) if row not in their_rows),
        assumption,
    )


def _check_shapes(weights: Weights, wanted: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    for name, value in wanted.items():
        if value.numel() == own[name].numel() == 1:
            wanted[name] = value.reshape(own[name].shape)
        elif value.shape != own[name].shape:
            raise PoseGraphError(
                f"{weights.spec}: {weights.origin.get(name, name)} has shape {tuple(value.shape)}, the model's {name} "
                f"{tuple(own[name].shape)}; give weights of the same preset, or the same overrides of model"
            )
