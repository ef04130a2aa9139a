"""The node-centric, visibility-aware loss and the heatmap loss (paper section 3.6; spec section 7).

# B clips, J joints, H x W heatmap grid
Every term is a sum divided by the constant ``B * J``, so that ranks and accumulation steps add up exactly.
"""

from __future__ import annotations

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


def visibility_loss(probability: Tensor, target: Tensor, scored: Tensor) -> Tensor:
    """Binary cross-entropy (paper eq. 21) over the joints ``scored`` that the data set ever annotates.

    ``probability`` and ``target`` are ``[B, J]``, in [0, 1]; ``scored`` is ``[J]`` or ``[B, J]`` bool.
    """
    # In float32 and clamped: binary_cross_entropy is not autocast-safe, and a saturated sigmoid would give infinity.
    probability = probability.float().clamp(1e-6, 1 - 1e-6)
    entropy = -(target * probability.log() + (1 - target) * (1 - probability).log())
    return (entropy * scored).sum() / probability.numel()


def visibility_target(
    annotated: Tensor, visibility: Tensor, in_crop: Tensor, kind: Literal["annotated", "visible"]
) -> Tensor:
    """What ``v`` should be, ``[B, J]`` in {0, 1}.

    ``annotated``: a position was given inside the crop. ``visible``: and it was seen, where the data say so.
    """
    target = annotated & in_crop
    if kind == "visible":
        target = target & (visibility != 0)
    return target.float()


def heatmap_loss(
    heatmaps: Tensor, target: Tensor, mask: Tensor, sigma: float = 2.0, foreground: float = 60.0
) -> Tensor:
    """Squared error against Gaussians, weighted by ``1 + foreground * target``, mean over the grid.

    Plain MSE from scratch stays on the all-zero map; the weight makes the peak count.

    Args:
        heatmaps: ``[B, J, H, W]``.
        target: ``[B, J, 2]`` normalised points.
        mask: ``[B, J]`` bool, the joints that count.
        sigma: Width of the Gaussians in heatmap pixels.
    """
    grid_hw = (heatmaps.size(-2), heatmaps.size(-1))
    nodes = torch.cat([target, torch.ones_like(target[..., :1])], dim=-1)
    wanted = codec.decode(nodes, grid_hw, sigma)
    error = ((heatmaps.float() - wanted).square() * (1 + foreground * wanted)).mean(dim=(-2, -1))
    return (error * mask).sum() / mask.numel()
