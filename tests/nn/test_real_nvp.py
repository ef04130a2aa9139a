"""The flow is invertible, its determinant is the jacobian's, and it starts as the normal distribution."""

from __future__ import annotations

import math

import pytest
import torch

from posegraph.nn.real_nvp import RealNVP


@pytest.fixture(scope="module")
def bent() -> RealNVP:
    """Weights that move points far."""
    torch.manual_seed(0)
    flow = RealNVP(layers=4, hidden=8).double()
    for parameter in flow.parameters():
        parameter.data = torch.randn_like(parameter)
    return flow


POINTS = torch.tensor([[0.0, 0.0], [1.0, -2.0], [-0.3, 0.7], [3.0, 4.0]], dtype=torch.float64)


def test_untrained_it_is_the_standard_normal_distribution() -> None:
    found = RealNVP()(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    expected = [-math.log(2 * math.pi), -math.log(2 * math.pi) - 2.5]
    assert found.tolist() == pytest.approx(expected)


def test_back_is_where_it_came_from(bent: RealNVP) -> None:
    z, _ = bent.to_normal(POINTS)
    assert (z - POINTS).abs().max() > 1
    torch.testing.assert_close(bent.from_normal(z), POINTS)


def test_the_log_determinant_is_that_of_the_jacobian(bent: RealNVP) -> None:
    _, found = bent.to_normal(POINTS)
    for point, log_determinant in zip(POINTS, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: bent.to_normal(x)[0], point)
        torch.testing.assert_close(log_determinant, torch.linalg.slogdet(jacobian).logabsdet)


def test_the_density_integrates_to_one() -> None:
    torch.manual_seed(1)
    flow = RealNVP(layers=4, hidden=8)
    for parameter in flow.parameters():
        parameter.data = 0.3 * torch.randn_like(parameter)
    axis = torch.linspace(-12, 12, 401)
    with torch.no_grad():
        density = flow(torch.cartesian_prod(axis, axis)).exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-3)


def test_log_densities_stay_in_float32_under_autocast(bent: RealNVP) -> None:
    flow = RealNVP()
    with torch.autocast("cpu", torch.bfloat16):
        assert flow(torch.zeros(1, 2, dtype=torch.bfloat16)).dtype == torch.float32
