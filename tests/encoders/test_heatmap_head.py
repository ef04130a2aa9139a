"""ViTPose's two decoders."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from posegraph.encoders.heatmap_head import HeatmapHead


@pytest.mark.parametrize(("channels", "hw"), [((256, 256), (64, 48)), ((16,), (32, 24)), ((), (16, 12))])
def test_each_entry_doubles_the_grid(channels: tuple[int, ...], hw: tuple[int, int]) -> None:
    assert HeatmapHead(8, 5, channels)(torch.randn(2, 8, 16, 12)).shape == (2, 5, *hw)


def test_size_of_vitposes_decoder() -> None:
    count = sum(parameter.numel() for parameter in HeatmapHead(768, 17).parameters())
    # two 4x4 deconvolutions without bias, two batch norms, and a 1x1 convolution with bias
    assert count == 768 * 256 * 16 + 256 * 256 * 16 + 2 * 2 * 256 + 256 * 17 + 17


def test_heatmaps_are_raw_and_start_near_zero() -> None:
    torch.manual_seed(0)
    heatmaps = HeatmapHead(8, 5, (16,))(torch.randn(4, 8, 16, 12))
    assert heatmaps.min() < 0 < heatmaps.max()
    assert heatmaps.abs().max() < 0.1


def test_the_simple_decoder_is_relu_upsampling_and_a_convolution() -> None:
    head, features = HeatmapHead(8, 5, (256, 256), "simple"), torch.randn(2, 8, 16, 12)
    assert [tuple(parameter.shape) for parameter in head.parameters()] == [(5, 8, 3, 3), (5,)]
    nn.init.normal_(head.final.weight)
    before = features.clone()
    raised = functional.interpolate(features.clamp(min=0), size=(64, 48), mode="bilinear", align_corners=False)
    wanted = functional.conv2d(raised, head.final.weight, head.final.bias, padding=1)
    torch.testing.assert_close(head(features), wanted)
    assert torch.equal(features, before)


def test_the_simple_decoder_counts_the_deconvolutions_only() -> None:
    assert HeatmapHead(8, 5, (7,), "simple")(torch.randn(2, 8, 4, 3)).shape == (2, 5, 8, 6)
