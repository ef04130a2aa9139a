"""A small normalising flow on the plane (RealNVP; Dinh et al. 2017): the shape of a regression's errors.

# N any leading dimensions
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RealNVP(nn.Module):
    """An invertible map between errors and a standard normal distribution, and thereby a density of errors.

    Each coupling layer scales and shifts one coordinate by what it makes of the other: ``z_k = x_k exp(s) + t``. It
    starts as the identity: the density is that of the standard normal distribution.

    Args:
        layers: Coupling layers; they take turns with the coordinates.
        hidden: Width of their networks.
    """

    def __init__(self, layers: int = 6, hidden: int = 64) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(_coupling(hidden) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Errors ``[..., 2]`` -> their log density ``[...]``, float32."""
        # Logarithms of densities: 16 bits would be coarse, and the couplings' exponentials coarser.
        with torch.autocast(x.device.type, enabled=False):
            z, log_determinant = self.to_normal(x.float())
            normal: Tensor = -z.square().sum(dim=-1) / 2 - math.log(2 * math.pi)
            return normal + log_determinant

    def to_normal(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Errors ``[..., 2]`` -> normal ``z [..., 2]``, and ``log |det dz/dx| [...]``."""
        log_determinant = torch.zeros_like(x[..., 0])
        coordinates = list(x.unbind(dim=-1))
        for number, coupling in enumerate(self.couplings):
            moved, given = number % 2, 1 - number % 2
            scale, shift = self._factors(coupling, coordinates[given])
            coordinates[moved] = coordinates[moved] * scale.exp() + shift
            log_determinant = log_determinant + scale
        return torch.stack(coordinates, dim=-1), log_determinant

    def from_normal(self, z: Tensor) -> Tensor:
        """The inverse: normal ``z [..., 2]`` -> errors ``[..., 2]``; of random ``z``, samples of the density."""
        coordinates = list(z.unbind(dim=-1))
        for number, coupling in reversed(list(enumerate(self.couplings))):
            moved, given = number % 2, 1 - number % 2
            scale, shift = self._factors(coupling, coordinates[given])
            coordinates[moved] = (coordinates[moved] - shift) * (-scale).exp()
        return torch.stack(coordinates, dim=-1)

    def _factors(self, coupling: nn.Module, given: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = coupling(given.unsqueeze(-1)).unbind(dim=-1)
        return torch.tanh(scale), shift  # bounded: no layer stretches by more than e


def _coupling(hidden: int) -> nn.Sequential:
    last = nn.Linear(hidden, 2)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(1, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU(), last)
