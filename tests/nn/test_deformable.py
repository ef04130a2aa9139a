"""Deformable convolution against torchvision's, and how it starts."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import deform_conv2d

from posegraph.nn.deformable import GuidedDeformation, deformed


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_torchvisions(dilation: int, masked: bool) -> None:
    generator = torch.Generator().manual_seed(dilation)
    maps = torch.randn(2, 3, 7, 5, generator=generator, dtype=torch.float64)
    offsets = 2 * torch.randn(2, 9, 2, 7, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 9, generator=generator, dtype=torch.float64)
    mask = torch.rand(2, 9, 7, 5, generator=generator, dtype=torch.float64) if masked else None
    expected = deform_conv2d(
        maps, offsets.flatten(1, 2), weight.view(3, 1, 3, 3), padding=dilation, dilation=dilation, mask=mask
    )
    torch.testing.assert_close(deformed(maps, offsets, weight, dilation, mask), expected)


def test_an_offset_moves_a_heatmap() -> None:
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 2, 3] = 1
    offsets = torch.zeros(1, 9, 2, 4, 4)
    offsets[:, :, 0], offsets[:, :, 1] = 1, 2  # read one row below and two columns to the right
    weight = torch.zeros(1, 9)
    weight[0, 4] = 1
    assert deformed(maps, offsets, weight, dilation=1)[0, 0].nonzero().tolist() == [[1, 1]]


@pytest.mark.parametrize("masked", [False, True])
def test_it_starts_as_identity_or_as_zero(masked: bool) -> None:
    heatmaps, guide = torch.rand(2, 3, 6, 5), torch.rand(2, 4, 6, 5)
    same = GuidedDeformation(4, 3, 2, masked=False, identity=True)(heatmaps, guide)
    torch.testing.assert_close(same, heatmaps)
    assert GuidedDeformation(4, 3, 2, masked=masked, identity=False)(heatmaps, guide).abs().max() == 0


def test_it_is_in_float32_under_autocast() -> None:
    layer = GuidedDeformation(4, 3, 2, masked=True, identity=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.rand(1, 3, 6, 5).bfloat16(), torch.rand(1, 4, 6, 5)).dtype == torch.float32
