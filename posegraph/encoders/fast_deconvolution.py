"""The decoder's 4x4 transposed convolution of stride 2, with 9 multiplications where it takes 16. For inference.

# N images, C channels in, D channels out, h x w grid in, 2h x 2w grid out

Of each output row's four taps two fall between the inputs, so that even and odd rows are two convolutions with two taps
each (of even and odd columns likewise: four with 2x2 taps). Two neighbouring outputs of a convolution with two taps,
``y0 = x0 g0 + x1 g1`` and ``y1 = x1 g0 + x2 g1``, take three products (Winograd's F(2, 2); Lavin and Gray, 2016):

    m0 = (x0 - x1) g0,  m1 = x1 (g0 + g1),  m2 = (x1 - x2) g1;   y0 = m0 + m1,  y1 = m1 - m2

and in two dimensions nine instead of sixteen. The products are matrix products over channels, one batch of 36.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILES = 192
"""Pairs of rows and columns whose products are made at once: those of more would not stay in the processor's caches."""


class FastDeconvolution(nn.Module):
    """``relu(conv_transpose2d(x, weight, bias, stride=2, padding=1))``, on grids whose last dimension is the channel.

    Args:
        weight: ``[C, D, 4, 4]``, as in :class:`torch.nn.ConvTranspose2d`.
        bias: ``[D]``.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("products", _transformed(weight), persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    products: Tensor  # [36, C, D]
    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """``[N, h, w, C]`` -> ``[N, 2h, 2w, D]``."""
        num_images, height, width, _ = x.shape
        rows, columns = -(-height // 2), -(-width // 2)  # pairs
        padded = F.pad(x, (0, 0, 1, 1 + width % 2, 1, 1 + height % 2))
        # An output's row is its pair, its place in the pair, and even or odd; its column likewise.
        out = x.new_empty(num_images, rows, 2, 2, columns, 2, 2, self.bias.numel())
        at_once = max(1, TILES // (rows * columns))
        for first in range(0, num_images, at_once):
            tiles = _tiles(padded[first : first + at_once], rows, columns)
            products = torch.bmm(tiles.flatten(0, 3).flatten(1, 3), self.products)
            self._sum_up(products.view(*tiles.shape[:-1], -1), out[first : first + at_once])
        return out.view(num_images, 4 * rows, 4 * columns, -1)[:, : 2 * height, : 2 * width].relu_()

    def _sum_up(self, m: Tensor, out: Tensor) -> None:
        """Products ``[2, 3, 2, 3, N, rows, columns, D]``, overwritten, to ``out [N, rows, 2, 2, columns, 2, 2, D]``."""
        m[:, 1, :, 1] += self.bias  # the one product that each output holds once
        m[:, 0] += m[:, 1]
        m[:, 1] -= m[:, 2]
        places = out.permute(3, 2, 6, 5, 0, 1, 4, 7)  # even/odd, place, even/odd, place, N, rows, columns, D
        torch.add(m[:, :2, :, 0], m[:, :2, :, 1], out=places[:, :, :, 0])
        torch.sub(m[:, :2, :, 1], m[:, :2, :, 2], out=places[:, :, :, 1])


def _transformed(weight: Tensor) -> Tensor:
    """``[C, D, 4, 4]`` -> ``[36, C, D]``: even/odd, product, of rows and then of columns."""
    taps = torch.tensor([[3, 1], [2, 0]], device=weight.device)  # of even and of odd outputs, in the order of inputs
    sums = weight.new_tensor([[1, 0], [1, 1], [0, 1]])
    by_row = torch.einsum("mt,cdptx->pmcdx", sums, weight[:, :, taps])
    both = torch.einsum("nt,pmcdqt->pmqncd", sums, by_row[..., taps])
    return both.flatten(0, 3).contiguous()


def _tiles(padded: Tensor, rows: int, columns: int) -> Tensor:
    """``[N, 2 rows + 2, 2 columns + 2, C]`` -> the factors ``[2, 3, 2, 3, N, rows, columns, C]``."""
    num_images, _, wide, channels = padded.shape
    by_row = padded.new_empty(2, 3, num_images, rows, wide, channels)
    for odd in (0, 1):
        x0, x1, x2 = (padded[:, odd + step : odd + step + 2 * rows - 1 : 2] for step in range(3))
        torch.sub(x0, x1, out=by_row[odd, 0])
        by_row[odd, 1] = x1
        torch.sub(x1, x2, out=by_row[odd, 2])
    out = padded.new_empty(2, 3, 2, 3, num_images, rows, columns, channels)
    for odd in (0, 1):
        x0, x1, x2 = (by_row[..., odd + step : odd + step + 2 * columns - 1 : 2, :] for step in range(3))
        torch.sub(x0, x1, out=out[:, :, odd, 0])
        out[:, :, odd, 1] = x1
        torch.sub(x1, x2, out=out[:, :, odd, 2])
    return out
