"""The same transposed convolution, on small grids of every parity."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from posegraph.encoders.fast_deconvolution import FastDeconvolution


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (4, 3), (5, 6), (16, 12)])
def test_same_as_torchs(height: int, width: int) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(6, 5, 4, 4), torch.randn(5), torch.randn(5, height, width, 6)
    theirs = F.conv_transpose2d(x.permute(0, 3, 1, 2), weight, bias, stride=2, padding=1).relu()
    ours = FastDeconvolution(weight, bias)(x)
    torch.testing.assert_close(ours.permute(0, 3, 1, 2), theirs, atol=1e-5, rtol=1e-5)


def test_one_pixel_becomes_the_middle_of_the_kernel() -> None:
    """A single input at 1 puts kernel rows and columns 1 and 2 into its 2 x 2 outputs."""
    kernel = torch.arange(16.0).view(1, 1, 4, 4)
    out = FastDeconvolution(kernel, torch.tensor([0.5]))(torch.ones(1, 1, 1, 1))
    assert out[0, :, :, 0].tolist() == [[5.5, 6.5], [9.5, 10.5]]


def test_nine_products_instead_of_sixteen() -> None:
    assert FastDeconvolution(torch.randn(3, 2, 4, 4), torch.zeros(2)).products.shape == (4 * 9, 3, 2)
