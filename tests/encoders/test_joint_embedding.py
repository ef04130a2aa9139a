"""VTVJE on drawn Gaussians: which descriptor each frame's token is made from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from posegraph.codec import decode
from posegraph.encoders.joint_embedding import JointEmbedding

H, W, D = 32, 24, 8
SIZE = torch.tensor([W - 1.0, H - 1.0])


def draw(points: list[tuple[float, float]], values: list[float]) -> Tensor:
    """One joint over three frames: ``[1, 3, 1, H, W]``."""
    nodes = torch.cat([torch.tensor(points) / SIZE, torch.tensor(values).unsqueeze(1)], dim=1)
    return decode(nodes.view(1, 3, 1, 3), (H, W))


POINTS = [(8.0, 10.0), (10.5, 9.0), (15.0, 20.0)]
CASES = [
    ([0.9, 0.8, 0.7], (13.0, 8.0), [1, 1, 1]),  # both past frames seen: the estimate goes on by (2.5, -1)
    ([0.1, 0.8, 0.7], (10.5, 9.0), [0, 1, 1]),  # a point that was not seen gives no velocity
    ([0.9, 0.1, 0.7], (10.5, 9.0), [1, 0, 0]),
    ([0.9, 0.8, 0.1], (13.0, 8.0), [1, 1, 1]),  # the current heatmap decides nothing about its own centre
]


@pytest.mark.parametrize(("values", "estimate", "seen"), CASES)
def test_points_values_and_centres(values: list[float], estimate: tuple[float, float], seen: list[int]) -> None:
    found = JointEmbedding(1, D)(draw(POINTS, values))
    torch.testing.assert_close(found.points[0, :, 0], torch.tensor(POINTS), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.values[0, :, 0], torch.tensor(values), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.centres[0, :2, 0], torch.tensor(POINTS[:2]), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.centres[0, 2, 0], torch.tensor(estimate), atol=2e-3, rtol=0)
    moved = torch.tensor(estimate) - torch.tensor(POINTS[1])
    torch.testing.assert_close(found.speed, moved.norm().view(1, 1), atol=2e-3, rtol=0)


@pytest.mark.parametrize(("values", "estimate", "seen"), CASES)
@pytest.mark.parametrize("with_peak", [True, False])
def test_tokens_are_made_from_the_descriptors(values, estimate, seen, with_peak: bool) -> None:
    module = JointEmbedding(1, D, with_peak=with_peak)
    tokens = module(draw(POINTS, values)).tokens
    places = [POINTS[0], POINTS[1], estimate]
    for frame in range(3):
        x, y = places[frame]
        descriptor = torch.tensor([x / (W - 1), y / (H - 1), values[frame], float(seen[frame])])
        if frame == 2 and with_peak:
            own = [torch.tensor(POINTS[2]) - torch.tensor(estimate), torch.tensor(estimate) - torch.tensor(POINTS[1])]
            descriptor = torch.cat([descriptor, *own])
        mlp = module.current_mlp if frame == 2 else module.past_mlp
        expected = mlp(descriptor) + module.joint_embedding.weight[0] + module.frame_embedding.weight[frame]
        torch.testing.assert_close(tokens[0, frame, 0], expected, atol=1e-3, rtol=0)


def test_without_centre_prediction_the_last_point_is_the_centre() -> None:
    found = JointEmbedding(1, D, predict_center=False)(draw(POINTS, [0.9, 0.8, 0.7]))
    torch.testing.assert_close(found.centres[0, 2, 0], torch.tensor(POINTS[1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.speed, torch.tensor([[(2.5**2 + 1) ** 0.5]]), atol=2e-3, rtol=0)


def test_without_centre_prediction_the_token_knows_no_displacement() -> None:
    module = JointEmbedding(1, D, predict_center=False)
    token = module(draw(POINTS, [0.9, 0.8, 0.7])).tokens[0, 2, 0]
    (x, y), (last_x, last_y) = POINTS[2], POINTS[1]
    descriptor = torch.tensor([last_x / (W - 1), last_y / (H - 1), 0.7, 1.0, x - last_x, y - last_y, 0.0, 0.0])
    expected = module.current_mlp(descriptor) + module.joint_embedding.weight[0] + module.frame_embedding.weight[2]
    torch.testing.assert_close(token, expected, atol=1e-3, rtol=0)


def test_theta_is_a_setting_and_counts_from_its_own_value() -> None:
    heatmaps = torch.zeros(1, 3, 1, H, W)
    heatmaps[0, 0, 0, 10, 8], heatmaps[0, 1, 0, 10, 11], heatmaps[0, 2, 0, 3, 3] = 0.5, 0.5, 1.0
    assert JointEmbedding(1, D, visible_threshold=0.5)(heatmaps).speed.tolist() == [[3.0]]
    assert JointEmbedding(1, D, visible_threshold=0.51)(heatmaps).speed.tolist() == [[0.0]]


def test_joints_move_on_their_own() -> None:
    still, moving = draw([(8.0, 8.0)] * 3, [0.9] * 3), draw(POINTS, [0.9] * 3)
    found = JointEmbedding(2, D)(torch.cat([still, moving], dim=2))
    torch.testing.assert_close(found.speed, torch.tensor([[0.0, 7.25**0.5]]), atol=2e-3, rtol=0)


def test_empty_and_negative_heatmaps_give_finite_tokens() -> None:
    for heatmaps in (torch.zeros(2, 3, 4, H, W), -torch.rand(2, 3, 4, H, W)):
        found = JointEmbedding(4, D)(heatmaps)
        assert found.tokens.isfinite().all()
        assert found.speed.tolist() == [[0.0] * 4] * 2
