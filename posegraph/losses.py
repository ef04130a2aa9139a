"""The node-centric, visibility-aware loss and the heatmap loss (paper section 3.6; spec section 7).

# B clips, J joints, H x W heatmap grid
Every term is a sum divided by the constant ``B * J``, so that ranks and accumulation steps add up exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from posegraph import codec


def geometry_loss(
    points: Tensor, target: Tensor, mask: Tensor, beta: float = 0.02, saturation: float | None = None
) -> Tensor:
    """Huber (smooth L1) on normalised points (paper eq. 20).

    Args:
        points, target: ``[B, J, 2]`` normalised.
        mask: ``[B, J]`` bool, the joints that count: annotated and inside the crop, occluded ones included.
        beta: Where the loss turns from quadratic to linear.
        saturation: A joint's Huber distance ``d`` becomes ``s d / (s + d)``, bounded by ``s``. A weak backbone mixes up
            left and right; plain Huber then buys a shorter mean distance by points between the two, right for neither.
    """
    distance = F.smooth_l1_loss(points, target, beta=beta, reduction="none").sum(-1)
    if saturation is not None:
        distance = saturation * distance / (saturation + distance)
    return (distance * mask).sum() / mask.numel()


def regression_loss(
    points: Tensor, spread: Tensor, target: Tensor, mask: Tensor, log_density: Callable[[Tensor], Tensor]
) -> Tensor:
    """Residual log-likelihood estimation (Li et al. 2021, eq. 9): the negative log-likelihood of regressed points.

    With the error ``e = (target - point) / spread`` it is ``-log Q(e) - log G(e) + log spread``, of both axes together:
    ``Q`` is Laplace's distribution (``|e| + log 2`` an axis), ``G`` what the flow adds to it. The product is not
    normalised, as in the paper.

    Args:
        points, spread, target: ``[B, J, 2]`` normalised.
        mask: ``[B, J]`` bool, the joints that count.
        log_density: Errors ``[B, J, 2]`` -> ``log G`` ``[B, J]``.
    """
    error = (target - points.float()) / spread.float()
    laplace = (error.abs() + math.log(2)).sum(-1)
    surprise = laplace - log_density(error) + spread.float().log().sum(-1)
    return (surprise * mask).sum() / mask.numel()


def visibility_loss(probability: Tensor, target: Tensor, scored: Tensor) -> Tensor:
    """Binary cross-entropy (paper eq. 21) over the joints ``scored`` that the data set ever annotates.

    ``probability`` and ``target`` are ``[B, J]``, in [0, 1]; ``scored`` is ``[J]`` or ``[B, J]`` bool.
    """
    # In float32 and clamped: binary_cross_entropy is not autocast-safe, and a saturated sigmoid would give infinity.
    probability = probability.float().clamp(1e-6, 1 - 1e-6)
    entropy = -(target * probability.log() + (1 - target) * (1 - probability).log())
    return (entropy * scored).sum() / probability.numel()


def visibility_target(
    annotated: Tensor,
    visibility: Tensor,
    in_crop: Tensor,
    kind: Literal["annotated", "visible", "correct"],
    right: Tensor | None = None,
) -> Tensor:
    """What ``v`` should be, ``[B, J]`` in {0, 1}.

    ``annotated``: a position was given inside the crop. ``visible``: and it was seen, where the data say so.
    ``correct``: and the node's own point is ``right [B, J]`` bool: what ranks best is the chance of being right.
    """
    target = annotated & in_crop
    if kind == "visible":
        target = target & (visibility != 0)
    elif kind == "correct":
        assert right is not None
        target = target & right
    return target.float()


def heatmap_loss(
    heatmaps: Tensor,
    target: Tensor,
    mask: Tensor,
    sigma: float = 2.0,
    foreground: float = 60.0,
    absent: Tensor | None = None,
    peaks: Tensor | None = None,
    flip_rows: Tensor | None = None,
    sides: float = 0.0,
) -> Tensor:
    """Squared error against Gaussians, weighted by ``1 + foreground * target``, mean over the grid.

    Plain MSE from scratch stays on the all-zero map; the weight makes the peak count.

    Args:
        heatmaps: ``[B, J, H, W]``.
        target: ``[B, J, 2]`` normalised points.
        mask: ``[B, J]`` bool, the joints that are there and count.
        sigma: Width of the Gaussians in heatmap pixels.
        absent: ``[B, J]`` bool, joints known not to be in the crop: theirs is the empty map.
        peaks: ``[B, J]`` heights of the Gaussians; None: 1.
        flip_rows: ``[J]``, of each joint the one on the other side, itself in the middle.
        sides: Weight of the squared error in the difference between the maps of such a pair. Squared errors of a pair
            are those of its sum and of its difference; a model that cannot tell left from right yet has the sum right
            and the difference zero, and leaves that place slowly.
    """
    grid_hw = (heatmaps.size(-2), heatmaps.size(-1))
    nodes = torch.cat([target, mask.unsqueeze(-1).to(target.dtype)], dim=-1)
    shape = codec.decode(nodes, grid_hw, sigma)
    wanted = shape if peaks is None else shape * peaks[..., None, None]
    missed, weight = heatmaps.float() - wanted, 1 + foreground * shape
    counted = mask if absent is None else mask | absent
    total = ((missed.square() * weight).mean(dim=(-2, -1)) * counted).sum()
    if sides and flip_rows is not None:
        between = (missed - missed[:, flip_rows]).square() * torch.maximum(weight, weight[:, flip_rows])
        # Each pair comes twice, and its difference is half of its two squared errors.
        total = total + sides / 4 * (between.mean(dim=(-2, -1)) * (counted & counted[:, flip_rows])).sum()
    return total / mask.numel()
