"""DSTA's parts: what a token knows, and that space and time are apart."""

from __future__ import annotations

import torch

from posegraph.nn.joint_tokens import SMALLEST_SPREAD, FrameAttention, JointAttention, JointTokens, PointRegression


def test_equal_cells_are_pooled_to_themselves_and_to_the_middle() -> None:
    """Attention to cells that are all alike is even: the mean position is the grid's middle, which is 0."""
    layer = JointTokens(3, 4, num_joints=2, grid_hw=(5, 3), heads=2)
    cell = torch.tensor([1.0, -2.0, 0.5])
    found = layer(cell.view(1, 3, 1, 1).expand(1, 3, 5, 3))
    expected = layer.joint_embedding.weight + layer.out(layer.value(cell))
    torch.testing.assert_close(found[0], expected)


def test_a_token_knows_where_a_thing_is() -> None:
    layer = JointTokens(3, 4, num_joints=2, grid_hw=(5, 3), heads=1)
    features = torch.zeros(2, 3, 5, 3)
    features[0, :, 1, 0] = features[1, :, 3, 2] = 3.0
    one, other = layer(features)
    assert (one - other).abs().min() > 1e-4


def test_space_sees_the_other_joints_and_time_does_not() -> None:
    tokens = torch.randn(2, 3, 4, 8)
    changed = tokens.clone()
    changed[:, 0, 1] += torch.randn(8)  # joint 1 in the first frame
    time = FrameAttention(8, 2, 1, num_frames=3, key=2).eval()
    moved = (time(changed) - time(tokens)).abs().amax(dim=(0, 2))
    assert moved[1] > 1e-4
    assert moved[[0, 2, 3]].max() == 0
    space = JointAttention(8, 2, 1).eval()
    assert (space(changed[:, 0]) - space(tokens[:, 0])).abs().amax(dim=(0, 2)).min() > 1e-5


def test_points_start_near_the_middle_and_spreads_are_bounded() -> None:
    regression = PointRegression(8, 3)
    points, spread = regression(torch.randn(2, 3, 8), torch.randn(2, 3, 8))
    assert points.shape == spread.shape == (2, 3, 2)
    assert (points - 0.5).abs().max() < 0.1
    regression.bias.data.view(3, 4)[:, 2:] = -100
    _, spread = regression(torch.zeros(2, 3, 8), torch.zeros(2, 3, 8))
    assert spread.allclose(torch.tensor(SMALLEST_SPREAD))
