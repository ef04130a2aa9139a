"""PQE against the dense form that the paper describes: features up-sampled first, projected after."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from posegraph.codec import decode
from posegraph.encoders.joint_embedding import JointEmbedding, Joints
from posegraph.encoders.pose_query import PoseQueryEncoder, upsampling_matrix, window_mask

B, T, J, C, D = 2, 3, 17, 48, 32
SIZES = [((16, 12), (64, 48)), ((8, 6), (32, 24))]


def dense(
    module: PoseQueryEncoder, joints: Joints, features: Tensor, heatmaps: Tensor, radii: tuple[Tensor, Tensor]
) -> list[Tensor]:
    """An independent PQE: everything on the full grid, masks cell by cell."""
    height, width = heatmaps.shape[-2:]
    full = F.interpolate(features.flatten(0, 1), size=(height, width), mode="bilinear", align_corners=False)
    cells = full.flatten(2).transpose(1, 2).unflatten(0, features.shape[:2])  # [B, T, H*W, C]
    keys = F.linear(cells, module.key.weight)
    values = F.linear(cells, module.value.weight, module.value.bias)
    queries = F.linear(joints.tokens, module.query.weight, module.query.bias)
    kappa = torch.log1p(torch.exp(module.raw_temperature))
    logits = torch.einsum("btjd,btid->btji", queries, keys) / (math.sqrt(keys.size(-1)) * kappa)
    if module.heatmap_prior:
        logits = logits + torch.log(torch.relu(heatmaps) + module.prior_epsilon).flatten(-2)
    found = []
    for radius in radii:
        mask = torch.zeros_like(heatmaps, dtype=torch.bool)
        for index in torch.cartesian_prod(*(torch.arange(size) for size in heatmaps.shape[:3])).tolist():
            b, t, j = index
            x = min(max(round(float(joints.centres[b, t, j, 0])), 0), width - 1)
            y = min(max(round(float(joints.centres[b, t, j, 1])), 0), height - 1)
            r = float(radius[b, t, j])
            top, left = max(math.ceil(y - r), 0), max(math.ceil(x - r), 0)
            mask[b, t, j, top : math.floor(y + r) + 1, left : math.floor(x + r) + 1] = True
        attention = torch.where(mask.flatten(-2), logits, -math.inf).softmax(-1)
        context = torch.einsum("btji,btid->btjd", attention, values)
        out = F.linear(context, module.out.weight, module.out.bias)
        found.append(F.layer_norm(joints.tokens + out, (keys.size(-1),), module.norm.weight, module.norm.bias))
    return found


def scene(grid_hw, heatmap_hw, prior: bool = True):
    """A randomised encoder, joints with points all over and outside the grid, features and raw heatmaps."""
    torch.manual_seed(0)
    module = PoseQueryEncoder(C, D, grid_hw, heatmap_hw, heatmap_prior=prior)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tokens = torch.randn(B, T, J, D)
    extent = torch.tensor([heatmap_hw[1] - 1.0, heatmap_hw[0] - 1.0])
    centres = (torch.rand(B, T, J, 2) * 1.4 - 0.2) * extent
    speed = torch.rand(B, J) * 12
    joints = Joints(tokens, centres, torch.rand(B, T, J), centres, speed)
    heatmaps = decode(torch.cat([centres / extent, torch.rand(B, T, J, 1)], dim=-1), heatmap_hw)
    return module, joints, torch.randn(B, T, C, *grid_hw), heatmaps + 0.05 * torch.randn_like(heatmaps)


def expected_radii(speed: Tensor) -> tuple[Tensor, Tensor]:
    local = torch.full((B, T, J), 4.0)
    local[:, -1] = torch.minimum(3 + speed, torch.tensor(12.0))
    wide = torch.full((B, T, J), 8.0)
    wide[:, -1] = 2 * local[:, -1]
    return local, wide


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize(("grid_hw", "heatmap_hw"), SIZES)
def test_equals_the_dense_form(grid_hw, heatmap_hw, prior: bool) -> None:
    module, joints, features, heatmaps = scene(grid_hw, heatmap_hw, prior)
    found = module(joints, features, heatmaps)
    for fast, slow in zip(found, dense(module, joints, features, heatmaps, expected_radii(joints.speed)), strict=True):
        assert fast.shape == (B, T, J, D)
        assert (fast - slow).abs().max() <= 1e-5


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize(("grid_hw", "heatmap_hw"), SIZES)
def test_gradients_equal_those_of_the_dense_form(grid_hw, heatmap_hw, prior: bool) -> None:
    module, joints, features, heatmaps = scene(grid_hw, heatmap_hw, prior)
    tokens = joints.tokens.requires_grad_()
    joints, features = joints._replace(tokens=tokens), features.requires_grad_()
    learnt = [tokens, features, *module.parameters()]
    weights = torch.randn(2, B, T, J, D)
    radii = expected_radii(joints.speed)
    fast = torch.autograd.grad((torch.stack(module(joints, features, heatmaps)) * weights).sum(), learnt)
    slow_out = torch.stack(dense(module, joints, features, heatmaps, radii))
    slow = torch.autograd.grad((slow_out * weights).sum(), learnt)
    for one, other in zip(fast, slow, strict=True):
        assert (one - other).abs().max() <= 1e-4 * max(1.0, float(other.abs().max()))
    assert all(float(gradient.abs().max()) > 0 for gradient in fast)


def test_one_cell_of_attention_returns_its_value() -> None:
    """A window of one cell: the node is LayerNorm(e + W_o (W_v F_i + b_v) + b_o), whatever the logits are."""
    module = PoseQueryEncoder(2, 3, (1, 1), (1, 1))
    joints = Joints(torch.zeros(1, 3, 1, 3), *(torch.zeros(1, 3, 1, 2),), torch.zeros(1, 3, 1), torch.zeros(1, 3, 1, 2),
                    torch.zeros(1, 1))  # fmt: skip
    features = torch.tensor([0.5, -2.0]).view(1, 1, 2, 1, 1).expand(1, 3, 2, 1, 1)
    local, wide = module(joints, features, torch.zeros(1, 3, 1, 1, 1))
    value = module.value.weight @ torch.tensor([0.5, -2.0]) + module.value.bias
    expected = F.layer_norm(module.out.weight @ value + module.out.bias, (3,))
    torch.testing.assert_close(local, expected.expand(1, 3, 1, 3))
    torch.testing.assert_close(wide, local)


def test_the_attention_starts_at_one_over_root_d() -> None:
    module = PoseQueryEncoder(C, D, (8, 6), (32, 24), heatmap_prior=False)
    torch.testing.assert_close(F.softplus(module.raw_temperature), torch.ones(1))
    tokens, features = torch.randn(B, T, J, D), torch.ones(B, T, C, 8, 6)
    logits = module.logits(tokens, features, torch.zeros(B, T, J, 32, 24))
    expected = module.query(tokens) @ module.key(torch.ones(C)) / math.sqrt(D)
    torch.testing.assert_close(logits, expected[..., None, None].expand_as(logits))


def test_the_prior_is_the_log_of_the_positive_part() -> None:
    module = PoseQueryEncoder(C, D, (8, 6), (32, 24), prior_epsilon=1e-6)
    torch.nn.init.zeros_(module.key.weight)
    heatmaps = torch.tensor([0.5, -0.5]).view(1, 1, 2, 1, 1).expand(1, 1, 2, 32, 24)
    logits = module.logits(torch.randn(1, 1, 2, D), torch.randn(1, 1, C, 8, 6), heatmaps)
    torch.testing.assert_close(logits[0, 0, :, 3, 4], torch.tensor([math.log(0.5 + 1e-6), math.log(1e-6)]))


def test_radii_grow_with_the_speed_between_their_bounds() -> None:
    module = PoseQueryEncoder(C, D, (8, 6), (32, 24))
    local, wide = module.radii(torch.tensor([[0.0, 2.5, 9.0, 100.0]]), num_frames=3)
    assert local.tolist() == [[[4.0] * 4, [4.0] * 4, [3.0, 5.5, 12.0, 12.0]]]
    assert wide.tolist() == [[[8.0] * 4, [8.0] * 4, [6.0, 11.0, 24.0, 24.0]]]


def test_radii_follow_their_settings() -> None:
    module = PoseQueryEncoder(
        C,
        D,
        (8, 6),
        (32, 24),
        radius_min=1.0,
        radius_growth=2.0,
        radius_max=6.0,
        past_radius=(1.5, 2.5),
        window_scale=2.0,
    )
    local, wide = module.radii(torch.tensor([[0.0, 1.0, 9.0]]), num_frames=3)
    assert local[0, :, :].tolist() == [[1.5] * 3, [1.5] * 3, [2.0, 6.0, 12.0]]
    assert wide[0, :, :].tolist() == [[2.5] * 3, [2.5] * 3, [4.0, 12.0, 24.0]]


def test_a_tiny_mask() -> None:
    mask = window_mask(torch.tensor([1.4, 2.6]), torch.tensor(1.0), (5, 4))
    assert mask.int().tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 0],
    ]


def test_half_widths_count_whole_cells() -> None:
    for radius, side in ((0.0, 1), (0.9, 1), (1.0, 3), (1.9, 3), (2.5, 5)):
        assert window_mask(torch.tensor([5.0, 5.0]), torch.tensor(radius), (11, 11)).sum() == side**2


@pytest.mark.parametrize(
    ("centre", "corner"),
    [((-40.0, -3.0), (0, 0)), ((99.0, -3.0), (0, 3)), ((-1.0, 99.0), (4, 0)), ((99.0, 99.0), (4, 3))],
)
def test_a_centre_outside_is_clamped_so_that_no_window_is_empty(centre, corner) -> None:
    mask = window_mask(torch.tensor(centre), torch.tensor(0.0), (5, 4))
    assert mask.nonzero().tolist() == [list(corner)]


def test_upsampling_matrix_of_a_doubling() -> None:
    assert upsampling_matrix(2, 4).tolist() == [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]


def test_the_current_window_follows_the_motion_and_the_past_ones_the_points() -> None:
    """Moving a feature cell changes a node only while it lies in that node's window."""
    torch.manual_seed(0)
    embedding = JointEmbedding(1, D)
    module = PoseQueryEncoder(C, D, (16, 12), (64, 48))
    nodes = torch.tensor([[10.0, 10.0], [16.0, 10.0], [40.0, 50.0]]) / torch.tensor([47.0, 63.0])
    heatmaps = decode(torch.cat([nodes, torch.ones(3, 1)], dim=-1)[:, None], (64, 48))[None]
    joints = embedding(heatmaps)
    torch.testing.assert_close(joints.centres[0, 2, 0], torch.tensor([22.0, 10.0]), atol=1e-3, rtol=0)
    features = torch.randn(1, 3, C, 16, 12)
    before = module(joints, features, heatmaps)[0]
    far = features.clone()
    far[:, 2, :, 12, 10] += 5  # where the current heatmap peaks: far from the estimate
    torch.testing.assert_close(module(joints, far, heatmaps)[0], before)
    near = features.clone()
    near[:, 2, :, 2, 5] += 5
    assert (module(joints, near, heatmaps)[0] - before)[0, :, 0].abs().amax(-1).gt(1e-3).tolist() == [
        False,
        False,
        True,
    ]


class LargestTensor(TorchDispatchMode):
    """Watches the size of everything that is computed."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for item in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(item, Tensor):
                self.largest = max(self.largest, item.numel())
        return out


def test_nothing_of_channels_times_heatmap_size_is_built() -> None:
    channels, dim = 1024, 256
    module = PoseQueryEncoder(channels, dim, (16, 12), (64, 48))
    points = torch.full((1, 3, 2, 2), 20.0)
    tokens = torch.randn(1, 3, 2, dim, requires_grad=True)
    joints = Joints(tokens, points, torch.ones(1, 3, 2), points, torch.ones(1, 2))
    features = torch.randn(1, 3, channels, 16, 12, requires_grad=True)
    with LargestTensor() as watched:
        local, wide = module(joints, features, torch.rand(1, 3, 2, 64, 48))
        (local.sum() + wide.sum()).backward()
    # all frames' features are the largest; a single frame on the heatmap grid, C or D deep, would be larger
    assert watched.largest == features.numel() < dim * 64 * 48
