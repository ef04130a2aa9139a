"""DCPose's three parts: heatmaps of several frames merged, their differences, and a correction from both.

# B clips, T frames, J joints, K channels of a joint, G channels, H x W heatmap grid

After Liu et al. 2021, "Deep Dual Consecutive Network for Human Pose Estimation". What is kept and what is not:
docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from posegraph.nn.deformable import GuidedDeformation


class PoseTemporalMerger(nn.Module):
    """Heatmaps of all frames -> one of each joint: where it may be, in space and time.

    Grouped 3x3 convolutions: a joint's map is made of that joint's heatmaps alone. The further a frame is from the key
    frame, the less its heatmaps weigh.

    Args:
        num_joints: ``J``.
        channels: ``K`` between the two convolutions.
        weights: ``T`` of the frames (:func:`closeness`).
    """

    def __init__(self, num_joints: int, channels: int, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights).view(-1, 1, 1), persistent=False)
        wide = num_joints * channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(num_joints * len(weights), wide, 3, padding=1, groups=num_joints),
            nn.GELU(),
            nn.Conv2d(wide, num_joints, 3, padding=1, groups=num_joints),
        )

    weights: Tensor  # [T, 1, 1]

    def forward(self, heatmaps: Tensor) -> Tensor:
        """``[B, T, J, H, W]`` -> ``[B, J, H, W]``."""
        weighted = heatmaps.transpose(1, 2) * self.weights  # [B, J, T, H, W]
        merged: Tensor = self.convolutions(weighted.flatten(1, 2))
        return merged


class PoseResidualFusion(nn.Module):
    """What the key frame's heatmaps have that the others' lack, and the other way round -> ``G`` maps.

    Args:
        num_joints, channels: ``J`` and ``G``.
        weights: ``T`` of the frames; that of the key frame is not used.
        key: Number of the key frame.
    """

    def __init__(self, num_joints: int, channels: int, weights: Sequence[float], key: int) -> None:
        super().__init__()
        self.key = key
        others = [weight for frame, weight in enumerate(weights) if frame != key]
        self.register_buffer("weights", torch.tensor(others).view(-1, 1, 1, 1), persistent=False)
        self.convolutions = nn.Sequential(
            nn.Conv2d(num_joints * len(others), channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    weights: Tensor  # [T - 1, 1, 1, 1]

    def forward(self, heatmaps: Tensor) -> Tensor:
        """``[B, T, J, H, W]`` -> ``[B, G, H, W]``."""
        others = torch.cat([heatmaps[:, : self.key], heatmaps[:, self.key + 1 :]], dim=1)
        residuals = (heatmaps[:, self.key].unsqueeze(1) - others) * self.weights
        fused: Tensor = self.convolutions(residuals.flatten(1, 2))
        return fused


class PoseCorrection(nn.Module):
    """Merged heatmaps, deformed as they and the residuals say, at several dilations -> what is added to heatmaps.

    The deformable convolutions start at zero: an untrained correction changes nothing.

    Args:
        num_joints, channels: ``J`` and ``G``.
        dilations: Of the convolutions, whose answers are averaged.
    """

    def __init__(self, num_joints: int, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.guide = nn.Sequential(nn.Conv2d(num_joints + channels, channels, 3, padding=1), nn.GELU())
        self.deformations = nn.ModuleList(
            GuidedDeformation(channels, num_joints, dilation, masked=True, identity=False) for dilation in dilations
        )

    def forward(self, merged: Tensor, residuals: Tensor) -> Tensor:
        """Merged heatmaps ``[B, J, H, W]``, residuals ``[B, G, H, W]`` -> ``[B, J, H, W]`` float32."""
        guide = self.guide(torch.cat([merged, residuals], dim=1))
        return torch.stack([deformation(merged, guide) for deformation in self.deformations]).mean(dim=0)


def closeness(num_frames: int, key: int) -> list[float]:
    """Weights of frames: 1 for the key frame; the others share 1 by the inverse of their distance from it.

    >>> closeness(3, key=2)
    [0.3333333333333333, 0.6666666666666666, 1.0]
    """
    inverse = [1 / abs(frame - key) if frame != key else 0.0 for frame in range(num_frames)]
    return [weight / sum(inverse) if weight else 1.0 for weight in inverse]
