"""Every loss against a number computed another way."""

from __future__ import annotations

import math

import pytest
import torch

from posegraph import codec
from posegraph.losses import geometry_loss, heatmap_loss, regression_loss, visibility_loss, visibility_target
from posegraph.nn.real_nvp import RealNVP

ALL = torch.ones(1, 2, dtype=torch.bool)


def test_geometry_is_quadratic_then_linear() -> None:
    beta = 0.02
    points = torch.tensor([[[0.51, 0.50], [0.50, 0.80]]])  # off by (0.01, 0) and by (0, 0.3)
    target = torch.full((1, 2, 2), 0.5)
    expected = (0.01**2 / (2 * beta) + (0.3 - beta / 2)) / 2
    assert float(geometry_loss(points, target, ALL, beta)) == pytest.approx(expected, rel=1e-4)


def test_geometry_is_zero_at_the_target_and_takes_its_beta() -> None:
    points = torch.rand(3, 4, 2)
    mask = torch.ones(3, 4, dtype=torch.bool)
    assert geometry_loss(points, points, mask) == 0
    shifted = points + torch.tensor([0.1, 0.0])
    assert float(geometry_loss(shifted, points, mask, beta=1.0)) == pytest.approx(0.005, rel=1e-4)


def test_what_is_masked_counts_nothing_and_the_divisor_stays() -> None:
    points, target = torch.zeros(1, 4, 2), torch.ones(1, 4, 2)
    mask = torch.tensor([[True, False, False, False]])
    one_joint = 2 * (1 - 0.02 / 2)
    assert float(geometry_loss(points, target, mask)) == pytest.approx(one_joint / 4)
    assert geometry_loss(points, target, torch.zeros_like(mask)) == 0
    points[0, 1:] = 1e6
    assert float(geometry_loss(points, target, mask)) == pytest.approx(one_joint / 4)


def test_parts_of_a_batch_add_up() -> None:
    """Ranks and accumulation steps: the mean over equal parts is the whole."""
    torch.manual_seed(0)
    points, target, mask = torch.rand(4, 5, 2), torch.rand(4, 5, 2), torch.rand(4, 5) < 0.4
    heatmaps, probability, scored = torch.rand(4, 5, 8, 6), torch.rand(4, 5), torch.tensor([1, 1, 0, 1, 1]) > 0
    halves = (slice(0, 2), slice(2, 4))
    for whole, part in (
        (geometry_loss(points, target, mask), lambda s: geometry_loss(points[s], target[s], mask[s])),
        (heatmap_loss(heatmaps, target, mask), lambda s: heatmap_loss(heatmaps[s], target[s], mask[s])),
        (
            visibility_loss(probability, mask.float(), scored),
            lambda s: visibility_loss(probability[s], mask[s].float(), scored),
        ),
    ):
        torch.testing.assert_close(whole, (part(halves[0]) + part(halves[1])) / 2)


def test_visibility_is_binary_cross_entropy_over_scored_joints() -> None:
    probability = torch.tensor([[0.9, 0.2, 0.5], [0.6, 0.7, 0.1]])
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    scored = torch.tensor([True, True, False])
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.7)) / 6
    assert float(visibility_loss(probability, target, scored)) == pytest.approx(expected, rel=1e-5)


def test_a_saturated_visibility_is_finite_with_a_finite_gradient() -> None:
    probability = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = visibility_loss(probability, torch.tensor([[1.0, 0.0]]), ALL[0])
    loss.backward()
    assert 13 < loss.item() < 14
    assert probability.grad.isfinite().all()


# joint:              seen   occluded  unknown  not annotated  outside the crop
ANNOTATED = torch.tensor([[True, True, True, False, True]])
VISIBILITY = torch.tensor([[1, 0, -1, -1, 1]], dtype=torch.int8)
IN_CROP = torch.tensor([[True, True, True, False, False]])


@pytest.mark.parametrize(("kind", "expected"), [("annotated", [1, 1, 1, 0, 0]), ("visible", [1, 0, 1, 0, 0])])
def test_visibility_target(kind: str, expected: list[int]) -> None:
    target = visibility_target(ANNOTATED, VISIBILITY, IN_CROP, kind)
    assert target.dtype == torch.float32
    assert target.tolist() == [expected]


def test_a_correct_point_is_what_visibility_asks_for() -> None:
    right = torch.tensor([[True, True, False, True, True]])
    assert visibility_target(ANNOTATED, VISIBILITY, IN_CROP, "correct", right).tolist() == [[1, 1, 0, 0, 0]]


def test_the_map_of_an_absent_joint_is_empty() -> None:
    """A map of ones: present joints miss a Gaussian, absent ones are wrong everywhere by 1, the others do not count."""
    heatmaps, target = torch.ones(1, 3, 7, 5), torch.full((1, 3, 2), 0.5)
    there, absent = torch.tensor([[False, False, False]]), torch.tensor([[False, True, False]])
    assert float(heatmap_loss(heatmaps, target, there)) == 0
    assert float(heatmap_loss(heatmaps, target, there, absent=absent)) == pytest.approx(1 / 3)


def test_an_occluded_joints_map_is_lower_and_weighs_the_same() -> None:
    """Against an empty map, a Gaussian of a quarter of the height has a sixteenth of the error."""
    target, mask = torch.full((1, 2, 2), 0.5), torch.tensor([[True, True]])
    empty = torch.zeros(1, 2, 7, 5)
    full = float(heatmap_loss(empty, target, mask))
    assert float(heatmap_loss(empty, target, mask, peaks=torch.full((1, 2), 0.25))) == pytest.approx(full / 16)


def test_the_difference_between_left_and_right_is_half_of_the_error_where_the_sum_is_right() -> None:
    """Both maps show both places at half height: the sum is right, the difference is missing, and counts 1 + sides."""
    target = torch.tensor([[[0.0, 0.5], [1.0, 0.5], [0.5, 0.0]]])
    mask, rows = torch.ones(1, 3, dtype=torch.bool), torch.tensor([1, 0, 2])
    right = codec.decode(torch.cat([target, torch.ones(1, 3, 1)], dim=-1), (7, 9), 1.0)
    both = right[:, :2].mean(dim=1, keepdim=True)
    unsure = torch.cat([both, both, right[:, 2:]], dim=1)
    plain = float(heatmap_loss(unsure, target, mask, 1.0, foreground=0.0))
    assert float(heatmap_loss(unsure, target, mask, 1.0, 0.0, flip_rows=rows, sides=3.0)) == pytest.approx(4 * plain)
    # Where the sum is wrong and the difference right, sides adds nothing.
    shifted = torch.cat([right[:, :2] + 0.1, right[:, 2:]], dim=1)
    plain = float(heatmap_loss(shifted, target, mask, 1.0, foreground=0.0))
    assert float(heatmap_loss(shifted, target, mask, 1.0, 0.0, flip_rows=rows, sides=3.0)) == pytest.approx(plain)


def test_heatmap_loss_weights_the_foreground() -> None:
    """An empty map against one Gaussian: the mean over cells of t^2 (1 + 60 t), summed cell by cell."""
    height, width, sigma = 7, 5, 1.0
    expected = 0.0
    for y in range(height):
        for x in range(width):
            t = math.exp(-((x - 2) ** 2 + (y - 3) ** 2) / (2 * sigma**2))
            expected += t**2 * (1 + 60 * t) / (height * width)
    target, mask = torch.tensor([[[0.5, 0.5]]]), torch.ones(1, 1, dtype=torch.bool)
    heatmaps = torch.zeros(1, 1, height, width)
    assert float(heatmap_loss(heatmaps, target, mask, sigma)) == pytest.approx(expected, rel=1e-5)
    plain = sum(math.exp(-((x - 2) ** 2 + (y - 3) ** 2) / sigma**2) for y in range(height) for x in range(width)) / (
        height * width
    )
    assert float(heatmap_loss(heatmaps, target, mask, sigma, foreground=0.0)) == pytest.approx(plain, rel=1e-5)


def test_heatmap_loss_is_zero_at_the_target_and_divides_by_all_joints() -> None:
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(5.0), indexing="ij")
    drawn = (-((columns - 2) ** 2 + (rows - 3) ** 2) / 8).exp().expand(1, 4, 7, 5)
    target, mask = torch.full((1, 4, 2), 0.5), torch.tensor([[True, False, False, False]])
    assert float(heatmap_loss(drawn, target, mask)) == pytest.approx(0.0, abs=1e-12)
    empty = torch.zeros(1, 4, 7, 5)
    one = heatmap_loss(empty[:, :1], target[:, :1], mask[:, :1])
    assert float(heatmap_loss(empty, target, mask)) == pytest.approx(float(one) / 4)


def test_a_saturated_geometry_loss_is_bounded_and_huber_for_small_errors() -> None:
    target = torch.zeros(1, 3, 2)
    points = torch.tensor([[[0.5, 0.0], [0.001, 0.0], [0.0, 0.0]]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    far, near = 0.5 - 0.01, 0.001**2 / 0.04
    expected = (0.1 * far / (0.1 + far) + 0.1 * near / (0.1 + near)) / 3
    assert geometry_loss(points, target, mask, 0.02, saturation=0.1).item() == pytest.approx(expected, rel=1e-5)
    assert geometry_loss(1e6 * points, target, mask, 0.02, saturation=0.1).item() < 0.1 * 2 / 3 + 1e-6


def test_regression_loss_without_a_flow_is_laplaces_likelihood() -> None:
    generator = torch.Generator().manual_seed(0)
    points, target = torch.rand(2, 3, 2, generator=generator), torch.rand(2, 3, 2, generator=generator)
    spread = 0.05 + torch.rand(2, 3, 2, generator=generator)
    mask = torch.tensor([[True, False, True], [True, True, False]])
    surprise = -torch.distributions.Laplace(points, spread).log_prob(target).sum(-1)
    found = regression_loss(points, spread, target, mask, lambda error: torch.zeros_like(error[..., 0]))
    assert float(found) == pytest.approx(float(surprise[mask].sum()) / 6, rel=1e-6)


def test_regression_loss_with_an_untrained_flow_adds_the_normal_density_of_the_error() -> None:
    points, spread, target = (torch.tensor([[pair]]) for pair in ([0.5, 0.4], [0.1, 0.2], [0.6, 0.8]))
    # errors of 1 and 2 spreads
    expected = (1 + 2 + 2 * math.log(2)) + (2.5 + math.log(2 * math.pi)) + math.log(0.1) + math.log(0.2)
    found = regression_loss(points, spread, target, torch.ones(1, 1, dtype=torch.bool), RealNVP())
    assert found.item() == pytest.approx(expected, rel=1e-5)
