"""GNC: closed forms of Gaussians, the round trip, and every case that keeps the integer peak."""

from __future__ import annotations

import pytest
import torch

from posegraph.codec import decode, encode, taylor_peaks, to_grid, to_norm

H, W = 64, 48


def gaussian(x: float, y: float, precision: list[list[float]], height: float = 1.0, hw=(H, W)) -> torch.Tensor:
    """``height exp(-d^T P d / 2)`` on the grid, float64."""
    rows, columns = torch.meshgrid(torch.arange(hw[0]).double(), torch.arange(hw[1]).double(), indexing="ij")
    d = torch.stack([columns - x, rows - y], dim=-1)
    energy = torch.einsum("...i,ij,...j->...", d, torch.tensor(precision, dtype=torch.float64), d)
    return height * (-energy / 2).exp()


def round_isotropic(sigma: float) -> list[list[float]]:
    return [[1 / sigma**2, 0.0], [0.0, 1 / sigma**2]]


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_round_trip_away_from_the_border(sigma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    low, size = torch.tensor([2.0, 2.0]), torch.tensor([W - 5.0, H - 5.0])
    points = to_norm(low + size * torch.rand(200, 2, generator=generator), (H, W))
    nodes = torch.cat([points, 0.05 + 0.95 * torch.rand(200, 1, generator=generator)], dim=-1)
    for dtype, cells in ((torch.float32, 1e-3), (torch.float64, 1e-9)):
        again = encode(decode(nodes.to(dtype), (H, W), sigma))
        moved = to_grid(again[:, :2] - nodes[:, :2].to(dtype), (H, W))
        assert moved.abs().max() < cells
        assert (again[:, 2] - nodes[:, 2]).abs().max() < 1e-5


def test_the_integer_peak_is_within_half_a_cell() -> None:
    points = to_norm(
        torch.rand(300, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([W - 1, H - 1]), (H, W)
    )
    heatmaps = decode(torch.cat([points, torch.ones(300, 1)], dim=-1), (H, W))
    cell = heatmaps.flatten(-2).argmax(-1)
    peak = torch.stack([cell % W, cell // W], dim=-1)
    assert (peak - to_grid(points, (H, W))).abs().max() <= 0.5 + 1e-4
    # at the border the integer peak is what encode keeps
    found = to_grid(encode(heatmaps)[:, :2], (H, W))
    assert (found - to_grid(points, (H, W))).abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    "precision",
    [
        round_isotropic(2.0),
        [[0.5, 0.0], [0.0, 0.1]],
        [[0.4, 0.2], [0.2, 0.3]],  # turned: the cross term of the Hessian is 0.2, exactly
        [[0.4, -0.25], [-0.25, 0.3]],
    ],
)
@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.3, 30.45), (19.6, 29.7), (20.5, 30.1)])
def test_a_gaussian_is_found_exactly(x: float, y: float, precision: list[list[float]]) -> None:
    peaks = taylor_peaks(gaussian(x, y, precision, height=0.7))
    torch.testing.assert_close(peaks.points, torch.tensor([x, y], dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(peaks.values, torch.tensor(0.7, dtype=torch.float64), atol=1e-10, rtol=0)


def kept(heatmap: torch.Tensor, x: float, y: float, value: float) -> bool:
    peaks = taylor_peaks(heatmap)
    return peaks.points.tolist() == [x, y] and abs(float(peaks.values) - value) < 1e-7


@pytest.mark.parametrize(("x", "y"), [(0, 9), (W - 1, 9), (9, 0), (9, H - 1), (0, 0), (W - 1, H - 1)])
def test_a_peak_on_the_border_is_kept(x: int, y: int) -> None:
    heatmap = gaussian(x + 0.3, y - 0.2, round_isotropic(2.0)).float()
    assert kept(heatmap, x, y, float(heatmap[y, x]))


def test_a_flat_map_keeps_its_first_cell() -> None:
    assert kept(torch.full((H, W), 0.4), 0, 0, 0.4)


def test_a_saddle_is_kept() -> None:
    heatmap = torch.full((H, W), 0.1)
    heatmap[10, 20] = 0.5
    heatmap[10, 19], heatmap[10, 21] = 0.44, 0.46  # a slope, so that a step would be taken
    heatmap[9, 20] = heatmap[11, 20] = 0.45
    heatmap[9, 19] = heatmap[11, 21] = 0.499  # falls along the axes, nearly flat along one diagonal
    heatmap[9, 21] = heatmap[11, 19] = 1e-3
    assert kept(heatmap, 20, 10, 0.5)


def test_a_step_longer_than_a_cell_is_kept() -> None:
    turned = gaussian(20.0, 10.0, [[0.05, 0.0], [0.0, 0.5]])
    turned[11, 21] = turned[9, 19] = 0.9  # a cross term that the axes do not bear out
    turned[9, 20] = 0.99
    gy = (turned[11, 20].log() - turned[9, 20].log()) / 2
    axx = turned[10, 21].log() * 2
    ayy = turned[11, 20].log() + turned[9, 20].log()
    axy = (turned[11, 21].log() - turned[9, 21].log() - turned[11, 19].log() + turned[9, 19].log()) / 4
    dx = float(axy * gy / (axx * ayy - axy**2))
    assert axx * ayy - axy**2 > 0
    assert abs(dx) > 1
    assert kept(turned, 20, 10, 1.0)


def test_a_single_cell_stands_still() -> None:
    heatmap = torch.zeros(H, W)
    heatmap[12, 7] = 0.8
    assert kept(heatmap, 7, 12, 0.8)


def test_negative_maps_give_finite_points_and_their_maximum() -> None:
    heatmap = -torch.ones(H, W)
    heatmap[12, 7] = -0.25
    assert kept(heatmap, 7, 12, -0.25)
    mixed = gaussian(20.3, 30.4, round_isotropic(2.0), 0.9) - 1e-3
    peaks = taylor_peaks(mixed)
    assert (peaks.points - torch.tensor([20.3, 30.4])).abs().max() < 0.01
    noise = torch.randn(50, H, W, generator=torch.Generator().manual_seed(2)) * 0.1 - 0.5
    peaks = taylor_peaks(noise)
    assert peaks.points.isfinite().all()
    assert peaks.values.isfinite().all()
    assert (peaks.points >= 0).all()
    assert (peaks.points <= torch.tensor([W - 1, H - 1])).all()


def test_leading_dimensions_are_the_maps_one_by_one() -> None:
    heatmaps = torch.randn(2, 3, 5, 9, 7, generator=torch.Generator().manual_seed(3))
    nodes = encode(heatmaps)
    assert nodes.shape == (2, 3, 5, 3)
    for b in range(2):
        for t in range(3):
            for j in range(5):
                peaks = taylor_peaks(heatmaps[b, t, j])
                expected = [float(peaks.points[0]) / 6, float(peaks.points[1]) / 8, float(peaks.values)]
                torch.testing.assert_close(nodes[b, t, j], torch.tensor(expected))


def test_decode_is_the_dense_formula() -> None:
    nodes = torch.tensor([[[0.5, 0.25, 0.8], [0.0, 1.0, 0.3]]], dtype=torch.float64)
    heatmaps = decode(nodes, (9, 5), sigma=1.5)
    assert heatmaps.shape == (1, 2, 9, 5)
    for j, (x, y, v) in enumerate([(2.0, 2.0, 0.8), (0.0, 8.0, 0.3)]):
        torch.testing.assert_close(heatmaps[0, j], gaussian(x, y, round_isotropic(1.5), v, hw=(9, 5)))


def test_grid_units() -> None:
    assert to_norm(torch.tensor([W - 1.0, 0.0]), (H, W)).tolist() == [1.0, 0.0]
    assert to_grid(torch.tensor([0.5, 1.0]), (H, W)).tolist() == [23.5, 63.0]
