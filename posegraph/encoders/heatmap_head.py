"""ViTPose's classic decoder: the heatmaps that serve as joint priors (spec section 2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class HeatmapHead(nn.Module):
    """Feature grid -> heatmaps, raw: no activation, and negative in many cells.

    Each entry of ``deconv_channels`` is a 4x4 transposed convolution that doubles the grid, with batch norm and ReLU;
    a 1x1 convolution to ``num_joints`` follows.
    """

    def __init__(self, in_channels: int, num_joints: int, deconv_channels: Sequence[int] = (256, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for width in deconv_channels:
            layers += [
                nn.ConvTranspose2d(before, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.deconv = nn.Sequential(*layers)
        self.final = nn.Conv2d(before, num_joints, 1)
        # As in ViTPose: small final weights, so that heatmaps start near zero.
        nn.init.normal_(self.final.weight, std=0.001)
        if self.final.bias is not None:
            nn.init.zeros_(self.final.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, J, H, W]``."""
        heatmaps: Tensor = self.final(self.deconv(features))
        return heatmaps
