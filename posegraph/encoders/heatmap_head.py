"""ViTPose's two decoders: the heatmaps that serve as joint priors (spec section 2; ViTPose, Xu et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn


class HeatmapHead(nn.Module):
    """Feature grid -> heatmaps, raw: no activation, and negative in many cells.

    Args:
        in_channels: ``C``.
        num_joints: ``J``.
        deconv_channels: Each entry doubles the grid; the simple decoder takes nothing but their number.
        decoder: ``"classic"``: 4x4 transposed convolutions of these widths, each with batch norm and ReLU, then a 1x1
            convolution. ``"simple"``: ReLU, bilinear up-sampling, and a 3x3 convolution.
    """

    def __init__(
        self,
        in_channels: int,
        num_joints: int,
        deconv_channels: Sequence[int] = (256, 256),
        decoder: Literal["classic", "simple"] = "classic",
    ) -> None:
        super().__init__()
        if decoder == "simple":
            # Not in place: the features are read by others too.
            upsample = nn.Upsample(scale_factor=2 ** len(deconv_channels), mode="bilinear", align_corners=False)
            self.deconv = nn.Sequential(nn.ReLU(), upsample)
            self.final = nn.Conv2d(in_channels, num_joints, 3, padding=1)
        else:
            widths = [in_channels, *deconv_channels]
            doubled = [_doubling(before, width) for before, width in pairwise(widths)]
            self.deconv = nn.Sequential(*(layer for layers in doubled for layer in layers))
            self.final = nn.Conv2d(widths[-1], num_joints, 1)
        # As in ViTPose: small final weights, so that heatmaps start near zero.
        nn.init.normal_(self.final.weight, std=0.001)
        if self.final.bias is not None:
            nn.init.zeros_(self.final.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, J, H, W]``."""
        heatmaps: Tensor = self.final(self.deconv(features))
        return heatmaps


def _doubling(in_channels: int, out_channels: int) -> list[nn.Module]:
    deconvolution = nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False)
    return [deconvolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
