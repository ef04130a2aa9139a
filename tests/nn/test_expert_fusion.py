"""NSEF: what an untrained expert says, and how two are blended."""

from __future__ import annotations

import math

import pytest
import torch

from posegraph.nn.expert_fusion import ExpertFusion, NodeExpert, confidence

B, J, D = 2, 5, 8


def inputs() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    z_local, z_global = torch.randn(2, B, J, D, generator=generator)
    return z_local, z_global, torch.rand(B, J, 2, generator=generator), torch.rand(B, J, generator=generator)


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def test_untrained_experts_return_the_anchor_and_its_confidence() -> None:
    torch.manual_seed(0)
    z_local, z_global, anchor, values = inputs()
    for nodes in (
        NodeExpert(D)(z_local, anchor, values),
        ExpertFusion(D)(z_local, z_global, anchor, values),
    ):
        torch.testing.assert_close(nodes[..., :2], anchor, atol=1e-7, rtol=0)
        torch.testing.assert_close(nodes[..., 2], values.clamp(0.01, 0.99), atol=1e-6, rtol=0)


def test_confidence_is_clipped_where_its_logit_is_finite() -> None:
    found = confidence(torch.tensor([-3.0, 0.0, 0.5, 1.0, 7.0]))
    assert found.tolist() == pytest.approx([0.01, 0.01, 0.5, 0.99, 0.99])


def test_an_expert_adds_an_offset_and_shifts_the_logit() -> None:
    expert = NodeExpert(D)
    expert.mlp[-1].bias.data = torch.tensor([0.1, -0.2, math.log(3.0)])
    nodes = expert(torch.randn(1, 1, D), torch.tensor([[[0.4, 0.6]]]), torch.tensor([[0.5]]))
    torch.testing.assert_close(nodes[0, 0], torch.tensor([0.5, 0.4, 0.75]))  # odds 1 become odds 3


def test_fusion_is_a_convex_combination_with_the_gates_weights() -> None:
    fusion = randomised(ExpertFusion(D))
    z_local, z_global, anchor, values = inputs()
    y_local, y_global = fusion.local_expert(z_local, anchor, values), fusion.global_expert(z_global, anchor, values)
    fused = fusion(z_local, z_global, anchor, values)
    scores = fusion.gate(torch.cat([z_local, z_global, y_local, y_global], dim=-1)).exp().log1p()
    share = (scores[..., 0] / (scores[..., 0] + scores[..., 1])).unsqueeze(-1)
    assert share.min() < 0.4 < 0.6 < share.max()
    torch.testing.assert_close(fused, share * y_local + (1 - share) * y_global)
    low, high = torch.minimum(y_local, y_global), torch.maximum(y_local, y_global)
    assert ((fused >= low - 1e-6) & (fused <= high + 1e-6)).all()


def test_gate_weights_in_closed_form() -> None:
    """Scores of softplus(0) = ln 2 and softplus(ln 3) = ln 4: one third and two thirds."""
    fusion = ExpertFusion(D)
    torch.nn.init.zeros_(fusion.gate[-1].weight)
    fusion.gate[-1].bias.data = torch.tensor([0.0, math.log(3.0)])
    fusion.local_expert.mlp[-1].bias.data = torch.tensor([0.3, 0.0, 0.0])
    fusion.global_expert.mlp[-1].bias.data = torch.tensor([0.0, 0.6, 0.0])
    z_local, z_global, anchor, values = inputs()
    fused = fusion(z_local, z_global, anchor, values)
    torch.testing.assert_close(fused[..., :2] - anchor, torch.tensor([0.1, 0.4]).expand(B, J, 2), atol=1e-6, rtol=0)


def test_a_gate_whose_scores_vanish_stays_finite() -> None:
    fusion = ExpertFusion(D)
    torch.nn.init.zeros_(fusion.gate[-1].weight)
    fusion.gate[-1].bias.data = torch.tensor([-200.0, -200.0])
    assert fusion(*inputs()).isfinite().all()


def test_permuting_the_batch_permutes_the_nodes() -> None:
    fusion = randomised(ExpertFusion(D))
    together = fusion(*inputs())
    torch.testing.assert_close(fusion(*(item.flip(0) for item in inputs())), together.flip(0))
    torch.testing.assert_close(fusion(*(item.flip(1) for item in inputs())), together.flip(1))
