"""GNC, the geometric node codec: heatmap <-> node, without parameters (paper sections 3.2.1 and 3.7; spec 3 and 8).

# N any leading dimensions, J joints, H x W heatmap grid
A node is ``(x, y, v)``: normalised point (``x = x_px / (W - 1)``) and visibility.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LOG_FLOOR = 1e-10


class Peaks(NamedTuple):
    """Sub-pixel maxima of heatmaps.

    Fields:
        points: ``[..., 2]`` (x, y) in heatmap pixels.
        values: ``[...]`` height of the maximum between the cells.
    """

    points: Tensor
    values: Tensor


def taylor_peaks(heatmaps: Tensor) -> Peaks:
    """Sub-pixel peaks ``p = m - A^-1 g`` of heatmaps ``[..., H, W]`` (paper eq. 3).

    ``g`` and ``A`` are central differences of ``log(max(h, 1e-10))`` at the integer peak ``m``, exact for a Gaussian,
    and so is the value ``h(m) exp(-g^T A^-1 g / 2)``. ``m`` and ``h(m)`` are kept where the peak touches the border,
    where ``A`` is not negative definite, and where the step is longer than one cell in an axis.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(-2)
    values, cell = flat.max(dim=-1)
    x, y = cell % width, torch.div(cell, width, rounding_mode="floor")
    # The 3x3 neighbourhood, read at a place where it exists; border peaks are discarded below.
    inner = y.clamp(1, max(height - 2, 1)) * width + x.clamp(1, max(width - 2, 1))
    steps = torch.tensor([dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)], device=heatmaps.device)
    around = flat.gather(-1, (inner.unsqueeze(-1) + steps).clamp(0, height * width - 1))
    n = around.clamp_min(LOG_FLOOR).log().unbind(-1)  # rows y-1, y, y+1, each x-1, x, x+1
    gx, gy = (n[5] - n[3]) / 2, (n[7] - n[1]) / 2
    axx, ayy = n[5] - 2 * n[4] + n[3], n[7] - 2 * n[4] + n[1]
    axy = (n[8] - n[6] - n[2] + n[0]) / 4
    determinant = axx * ayy - axy * axy
    safe = torch.where(determinant > 0, determinant, 1.0)
    dx, dy = -(ayy * gx - axy * gy) / safe, -(axx * gy - axy * gx) / safe
    on_border = (x == 0) | (x == width - 1) | (y == 0) | (y == height - 1)
    refined = ~on_border & (axx < 0) & (determinant > 0) & (dx.abs() <= 1) & (dy.abs() <= 1)
    zero = torch.zeros_like(dx)
    dx, dy = torch.where(refined, dx, zero), torch.where(refined, dy, zero)
    # -g^T A^-1 g / 2 = g^T d / 2 with the step d = -A^-1 g
    growth = torch.where(refined, (gx * dx + gy * dy) / 2, zero)
    return Peaks(torch.stack([x + dx, y + dy], dim=-1), values * growth.exp())


def to_norm(points: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Heatmap pixels ``[..., 2]`` -> normalised."""
    return points / points.new_tensor([grid_hw[1] - 1, grid_hw[0] - 1])


def to_grid(points_norm: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Normalised ``[..., 2]`` -> heatmap pixels."""
    return points_norm * points_norm.new_tensor([grid_hw[1] - 1, grid_hw[0] - 1])


def encode(heatmaps: Tensor) -> Tensor:
    """Heatmaps ``[..., J, H, W]`` -> nodes ``[..., J, 3]``: Taylor point and peak value."""
    points, values = taylor_peaks(heatmaps)
    return torch.cat([to_norm(points, (heatmaps.shape[-2], heatmaps.shape[-1])), values.unsqueeze(-1)], dim=-1)


def decode(nodes: Tensor, grid_hw: tuple[int, int], sigma: float = 2.0) -> Tensor:
    """Nodes ``[..., J, 3]`` -> heatmaps ``[..., J, H, W]``: ``exp(-E / (2 sigma^2)) v`` (paper eq. 23, 24).

    ``E`` is the squared distance in heatmap pixels, ``sigma`` the width in heatmap pixels.
    """
    height, width = grid_hw
    points = to_grid(nodes[..., :2], grid_hw)
    columns = torch.arange(width, device=nodes.device, dtype=nodes.dtype)
    rows = torch.arange(height, device=nodes.device, dtype=nodes.dtype)
    # A Gaussian is the product of its two axes: no grid of squared distances is built.
    along_x = (-((columns - points[..., 0:1]) ** 2) / (2 * sigma**2)).exp()
    along_y = (-((rows - points[..., 1:2]) ** 2) / (2 * sigma**2)).exp()
    return along_y.unsqueeze(-1) * along_x.unsqueeze(-2) * nodes[..., 2, None, None]
