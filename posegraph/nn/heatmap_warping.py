"""PoseWarper's two parts: how two frames differ, and heatmaps carried from one to the other.

# N pairs of frames, C backbone channels, G channels, J joints, h x w backbone grid, H x W heatmap grid

After Bertasius et al. 2019, "Learning Temporal Pose Estimation from Sparsely-Labeled Videos". What is kept and what is
not: docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posegraph.nn.deformable import GuidedDeformation


class FrameDifference(nn.Module):
    """Differences of two frames' features and heatmaps -> ``G`` maps on the heatmap grid.

    Heatmaps, too: at a sixteenth of the image, features alone say too little about where a limb went.

    Args:
        in_channels, num_joints, channels: ``C``, ``J`` and ``G``.
    """

    def __init__(self, in_channels: int, num_joints: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.enter = nn.Conv2d(channels + num_joints, channels, 3, padding=1)
        self.block = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, heatmaps: Tensor) -> Tensor:
        """Differences ``[N, C, h, w]`` and ``[N, J, H, W]`` -> ``[N, G, H, W]``."""
        size = (heatmaps.size(-2), heatmaps.size(-1))
        seen = F.interpolate(self.project(features), size=size, mode="bilinear", align_corners=False)
        x = F.gelu(self.enter(torch.cat([seen, heatmaps.to(seen.dtype)], dim=1)))
        out: Tensor = F.gelu(x + self.block(x))
        return out


class HeatmapWarping(nn.Module):
    """Heatmaps read at places that the difference tells, by deformable convolutions of several dilations, averaged.

    It starts as the identity: offsets are zero, and only the middle tap counts.

    Args:
        num_joints, channels: ``J`` and ``G``.
        dilations: Of the convolutions.
    """

    def __init__(self, num_joints: int, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.deformations = nn.ModuleList(
            GuidedDeformation(channels, num_joints, dilation, masked=False, identity=True) for dilation in dilations
        )

    def forward(self, heatmaps: Tensor, difference: Tensor) -> Tensor:
        """Heatmaps ``[N, J, H, W]``, difference ``[N, G, H, W]`` -> ``[N, J, H, W]`` float32."""
        return torch.stack([deformation(heatmaps, difference) for deformation in self.deformations]).mean(dim=0)
