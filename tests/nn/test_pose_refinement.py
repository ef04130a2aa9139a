"""DCPose's parts: weights by distance in time, joints apart, and no correction at the start."""

from __future__ import annotations

import pytest
import torch

from posegraph.nn.pose_refinement import PoseCorrection, PoseResidualFusion, PoseTemporalMerger, closeness


def test_closeness_is_the_inverse_distance() -> None:
    assert closeness(3, key=2) == pytest.approx([1 / 3, 2 / 3, 1])
    assert closeness(3, key=1) == [0.5, 1, 0.5]
    assert closeness(5, key=2) == pytest.approx([1 / 6, 1 / 3, 1, 1 / 3, 1 / 6])


def test_a_joint_is_merged_of_its_own_heatmaps() -> None:
    merger = PoseTemporalMerger(3, 2, closeness(3, key=2))
    heatmaps = torch.rand(1, 3, 3, 6, 5)
    changed = heatmaps.clone()
    changed[:, 0, 1] += 1
    moved = (merger(changed) - merger(heatmaps)).abs().amax(dim=(0, 2, 3))
    assert moved[1] > 0
    assert moved[[0, 2]].max() == 0


def test_equal_heatmaps_have_no_residual() -> None:
    fusion = PoseResidualFusion(2, 4, closeness(3, key=1), key=1)
    still = torch.rand(1, 1, 2, 6, 5).expand(1, 3, 2, 6, 5)
    torch.testing.assert_close(fusion(still), fusion(torch.zeros(1, 3, 2, 6, 5)))
    assert (fusion(torch.rand(1, 3, 2, 6, 5)) - fusion(still)).abs().max() > 0


def test_residuals_weigh_by_closeness() -> None:
    fusion = PoseResidualFusion(1, 2, [0.25, 1.0, 0.75], key=1)
    assert fusion.weights.flatten().tolist() == [0.25, 0.75]


def test_an_untrained_correction_is_zero() -> None:
    correction = PoseCorrection(2, 4, dilations=(1, 2))
    assert correction(torch.rand(1, 2, 6, 5), torch.rand(1, 4, 6, 5)).abs().max() == 0
