"""The exported decoder layer, beside torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from posegraph.encoders.fast_deconvolution import FastDeconvolution
from posegraph.engine.exporting.deconvolution import ExportedDeconvolution


@pytest.mark.parametrize("grid_hw", [(4, 6), (5, 3), (1, 1)])
def test_is_a_transposed_convolution_and_relu(grid_hw: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(5, 7, 4, 4), torch.randn(7), torch.randn(2, 5, *grid_hw)
    wanted = F.relu(F.conv_transpose2d(x, weight, bias, stride=2, padding=1))
    found = ExportedDeconvolution(FastDeconvolution(weight, bias))(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert (wanted > 0).any()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
