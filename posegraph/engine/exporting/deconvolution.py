"""The decoder's fast transposed convolution without writes into parts of a tensor: runtimes copy the whole for each.

# N images, C channels in, D channels out, h x w grid in, 2h x 2w grid out
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posegraph.encoders.fast_deconvolution import FastDeconvolution


class ExportedDeconvolution(nn.Module):
    """Same answers as :class:`FastDeconvolution`, whose module tells how."""

    def __init__(self, fast: FastDeconvolution) -> None:
        super().__init__()
        self.register_buffer("products", fast.products, persistent=False)
        self.register_buffer("bias", fast.bias, persistent=False)

    products: Tensor  # [36, C, D]
    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """``[N, h, w, C]`` -> ``[N, 2h, 2w, D]``."""
        height, width = x.shape[1:3]
        rows, columns = -(-height // 2), -(-width // 2)  # pairs
        by_column = _differences(F.pad(x, (0, 0, 1, 1 + width % 2, 1, 1 + height % 2)), 2, columns)
        tiles = _differences(by_column, 3, rows)  # [2, 3, 2, 3, N, rows, columns, C]
        products = torch.bmm(tiles.reshape(36, -1, x.size(-1)), self.products)
        m = products.view(2, 3, 2, 3, -1, rows, columns, products.size(-1))
        m = torch.stack([m[:, 0] + m[:, 1], m[:, 1] - m[:, 2]], dim=1)
        m = torch.stack([m[:, :, :, 0] + m[:, :, :, 1], m[:, :, :, 1] - m[:, :, :, 2]], dim=3)
        # An output's row is its pair, its place in the pair, and even or odd; its column likewise.
        out = m.permute(4, 5, 1, 0, 6, 3, 2, 7).reshape(-1, 4 * rows, 4 * columns, m.size(-1))
        return F.relu(out[:, : 2 * height, : 2 * width] + self.bias)


def _differences(padded: Tensor, dim: int, pairs: int) -> Tensor:
    """The three factors of every pair of outputs along ``dim``, of even and of odd ones: ``[2, 3, ...]``."""
    sides = []
    for odd in (0, 1):
        x0, x1, x2 = (_every_other(padded, dim, odd + step, pairs) for step in range(3))
        sides.append(torch.stack([x0 - x1, x1, x1 - x2]))
    return torch.stack(sides)


def _every_other(x: Tensor, dim: int, first: int, count: int) -> Tensor:
    places = [slice(None)] * x.ndim
    places[dim] = slice(first, first + 2 * count - 1, 2)
    return x[tuple(places)]
