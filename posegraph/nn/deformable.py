"""Deformable convolution of heatmaps, each joint by itself (Dai et al. 2017; with a mask: Zhu et al. 2019).

# N clips or frames, J joints, G guide channels, H x W heatmap grid

Numbers are those of ``torchvision.ops.deform_conv2d`` (the tests hold it against that), which takes four times as long
forward and backward on a CPU as PyTorch's ``grid_sample`` and a grouped 1x1 convolution do; a matrix product in the
convolution's place saves another third of the time without a mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 9


class GuidedDeformation(nn.Module):
    """A 3x3 deformable convolution of a joint's heatmap; where it reads is told by a guide, at every place anew.

    One field of offsets serves all joints: their heatmaps peak at different places, and one for each joint would take
    ``J`` times as long to make and to read by.

    Args:
        guide_channels: ``G``.
        num_joints: ``J``.
        dilation: Between the taps, and between those of the guide's convolution: how far it looks and reaches.
        masked: Every tap has a factor in (0, 1), too.
        identity: Start as the heatmap itself; otherwise as zero. Offsets start at zero either way.
    """

    def __init__(self, guide_channels: int, num_joints: int, dilation: int, *, masked: bool, identity: bool) -> None:
        super().__init__()
        self.dilation, self.masked = dilation, masked
        self.place = nn.Conv2d(guide_channels, TAPS * (3 if masked else 2), 3, padding=dilation, dilation=dilation)
        nn.init.zeros_(self.place.weight)
        assert self.place.bias is not None  # for mypy
        nn.init.zeros_(self.place.bias)
        self.weight = nn.Parameter(torch.zeros(num_joints, TAPS))
        if identity:
            nn.init.ones_(self.weight[:, TAPS // 2])

    def forward(self, heatmaps: Tensor, guide: Tensor) -> Tensor:
        """Heatmaps ``[N, J, H, W]`` and guide ``[N, G, H, W]`` -> ``[N, J, H, W]`` float32."""
        placed = self.place(guide).float().unflatten(1, (TAPS, -1))  # [N, 9, 2 or 3, H, W]
        mask = placed[:, :, 2].sigmoid() if self.masked else None
        # In 16 bits a place in a wide grid would be off by a good part of a cell.
        with torch.autocast(heatmaps.device.type, enabled=False):
            return deformed(heatmaps.float(), placed[:, :, :2], self.weight.float(), self.dilation, mask)


def deformed(maps: Tensor, offsets: Tensor, weight: Tensor, dilation: int, mask: Tensor | None = None) -> Tensor:
    """The convolution itself: bilinear samples at the displaced taps, and their weighted sum. Zero outside the grid.

    Args:
        maps: ``[N, J, H, W]``.
        offsets: ``[N, 9, 2, H, W]``, (dy, dx) in cells, of the taps row by row.
        weight: ``[J, 9]``.
        dilation: Cells between taps.
        mask: ``[N, 9, H, W]`` factors of the samples.

    Returns:
        ``[N, J, H, W]``.
    """
    _, num_joints, height, width = maps.shape
    steps = torch.arange(-dilation, dilation + 1, dilation, device=maps.device, dtype=maps.dtype)
    rows = torch.arange(height, device=maps.device, dtype=maps.dtype).view(height, 1)
    columns = torch.arange(width, device=maps.device, dtype=maps.dtype)
    y = offsets[:, :, 0] + rows + steps.repeat_interleave(3).view(TAPS, 1, 1)  # [N, 9, H, W]
    x = offsets[:, :, 1] + columns + steps.repeat(3).view(TAPS, 1, 1)
    grid = torch.stack([_to_unit(x, width), _to_unit(y, height)], dim=-1).flatten(1, 2)  # [N, 9 * H, W, 2]
    sampled = F.grid_sample(maps, grid, align_corners=True).view(-1, num_joints, TAPS, height * width)
    if mask is not None:
        sampled = sampled * mask.flatten(-2).unsqueeze(1)
    return torch.matmul(weight.unsqueeze(1), sampled).view(maps.shape)  # [J, 1, 9] x [N, J, 9, H * W]


def _to_unit(cells: Tensor, size: int) -> Tensor:
    """Cells ``0 .. size - 1`` -> ``-1 .. 1``."""
    return cells * (2 / max(size - 1, 1)) - 1
