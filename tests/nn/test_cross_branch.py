"""Cross-branch attention, both ways."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from posegraph.nn.cross_branch import CrossBranchAttention

B, J, D = 2, 4, 8


def module() -> CrossBranchAttention:
    torch.manual_seed(0)
    built = CrossBranchAttention(D, heads=1)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built


def test_swapping_branches_and_their_weights_swaps_the_results() -> None:
    one, other = module(), module()
    other.to_local, other.to_global = one.to_global, one.to_local
    other.local_norm, other.global_norm = one.global_norm, one.local_norm
    local, global_ = torch.randn(B, J, D), torch.randn(B, J, D)
    for found, expected in zip(other(global_, local), reversed(one(local, global_)), strict=True):
        torch.testing.assert_close(found, expected)


def test_local_reads_global_and_the_reverse_by_hand() -> None:
    built, local, global_ = module(), torch.randn(B, J, D), torch.randn(B, J, D)

    def attend(attention: torch.nn.MultiheadAttention, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        wq, wk, wv = attention.in_proj_weight.chunk(3)
        bq, bk, bv = attention.in_proj_bias.chunk(3)
        scores = (query @ wq.t() + bq) @ (memory @ wk.t() + bk).transpose(1, 2) / D**0.5
        return attention.out_proj(scores.softmax(-1) @ (memory @ wv.t() + bv))

    def norm(x: torch.Tensor, layer: torch.nn.LayerNorm) -> torch.Tensor:
        return F.layer_norm(x, (D,), layer.weight, layer.bias)

    found = built(local, global_)
    torch.testing.assert_close(found[0], norm(local + attend(built.to_local, local, global_), built.local_norm))
    torch.testing.assert_close(found[1], norm(global_ + attend(built.to_global, global_, local), built.global_norm))


def test_clips_do_not_see_one_another() -> None:
    built, local, global_ = module(), torch.randn(B, J, D), torch.randn(B, J, D)
    before = built(local, global_)
    local[1], global_[1] = torch.randn(J, D), torch.randn(J, D)
    for found, expected in zip(built(local, global_), before, strict=True):
        assert torch.equal(found[0], expected[0])
