"""The backbone: its grid, its size, and gradients through the key frame alone."""

from __future__ import annotations

import pytest
import torch

from posegraph.encoders.vit import ViTBackbone, conv_stem, one_frame_gradient
from posegraph.models.build import build_model

PAPER = {"ncstr-s": 30.7, "ncstr-b": 96.2, "ncstr-l": 314.9, "ncstr-h": 643.7}
CLASSIC = {"ncstr-s": 24.29, "ncstr-b": 89.99, "ncstr-l": 308.54, "ncstr-h": 637.21}


def tiny(stem: str = "patch") -> ViTBackbone:
    torch.manual_seed(0)
    return ViTBackbone((64, 48), 8, embed_dim=16, depth=1, num_heads=2, stem=stem)


@pytest.mark.parametrize("stem", ["patch", "conv"])
def test_an_image_becomes_a_grid(stem: str) -> None:
    backbone = tiny(stem)
    assert backbone.grid_hw == (8, 6)
    assert backbone(torch.randn(2, 3, 64, 48)).shape == (2, 16, 8, 6)


def test_patch_embedding_is_padded_as_in_vitpose() -> None:
    proj = tiny().vit.patch_embed.proj
    assert (proj.kernel_size, proj.stride, proj.padding) == ((8, 8), (8, 8), (2, 2))


def test_rows_of_the_grid_are_rows_of_the_image() -> None:
    """A change at one place of the image is strongest at that place of the grid, before the blocks mix it."""
    backbone = tiny()
    backbone.vit.blocks = torch.nn.Identity()
    image = torch.zeros(1, 3, 64, 48)
    spot = image.clone()
    spot[:, :, 40:46, 16:22] = 1
    changed = (backbone(spot) - backbone(image)).abs().sum(1)[0]
    row, column = divmod(int(changed.argmax()), 6)
    assert (row, column) == (5, 2)


def test_conv_stem_halves_until_the_patch_size() -> None:
    stem = conv_stem(64, 16)
    assert stem(torch.randn(1, 3, 64, 48)).shape == (1, 64, 4, 3)
    assert sum(isinstance(layer, torch.nn.Conv2d) and layer.stride == (2, 2) for layer in stem) == 4


def test_one_frame_gradient_has_the_values_but_not_the_past_gradient() -> None:
    backbone = tiny().eval()
    frames = torch.randn(2, 3, 3, 64, 48, requires_grad=True)
    out = one_frame_gradient(backbone, frames, 2)
    with torch.no_grad():
        expected = backbone(frames.flatten(0, 1)).unflatten(0, (2, 3))
    torch.testing.assert_close(out, expected)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    assert frames.grad is not None
    assert (frames.grad[:, :2] == 0).all()
    assert frames.grad[:, 2].abs().max() > 0
    own = {name: parameter.grad.clone() for name, parameter in backbone.named_parameters()}
    backbone.zero_grad()
    (backbone(frames[:, 2].detach()) * weights[:, 2]).sum().backward()
    for name, parameter in backbone.named_parameters():
        torch.testing.assert_close(own[name], parameter.grad, msg=name)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_one_frame_gradient_of_any_frame(frame: int) -> None:
    backbone = tiny().eval()
    frames = torch.randn(2, 3, 3, 64, 48, requires_grad=True)
    out = one_frame_gradient(backbone, frames, frame)
    with torch.no_grad():
        torch.testing.assert_close(out, backbone(frames.flatten(0, 1)).unflatten(0, (2, 3)))
    out.square().sum().backward()
    assert frames.grad is not None
    assert [bool(frames.grad[:, number].any()) for number in range(3)] == [number == frame for number in range(3)]


@pytest.mark.parametrize("preset", list(PAPER))
def test_parameter_totals(preset: str) -> None:
    with torch.device("meta"):
        model = build_model(preset, "posetrack17")
    image = sum(parameter.numel() for parameter in model.image_parameters()) / 1e6
    graph = sum(parameter.numel() for parameter in model.graph_parameters()) / 1e6
    assert image == pytest.approx(CLASSIC[preset], abs=0.0101)
    assert 6.1 <= graph <= 6.7
    assert image + graph == pytest.approx(PAPER[preset], rel=0.01)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(image + graph)
