"""The plain ViT of ViTPose as a feature grid (spec section 2; ViTPose, Xu et al. 2022). Blocks are timm's."""

from __future__ import annotations

import math

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn


class ViTBackbone(nn.Module):
    """Images -> last block's features after the final norm, as a grid.

    Args:
        input_hw: Image size.
        patch_size: Side of a patch; the grid is the image divided by it.
        embed_dim, depth, num_heads: Of the transformer.
        drop_path: Stochastic depth at the last block, growing linearly from 0.
        stem: ``"patch"``, ViTPose's padded patch embedding, or ``"conv"``, halving 3x3 convolutions, which learn from
            little data (spec section 7).
    """

    def __init__(
        self,
        input_hw: tuple[int, int],
        patch_size: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        drop_path: float = 0.0,
        stem: str = "patch",
    ) -> None:
        super().__init__()
        self.grid_hw = (input_hw[0] // patch_size, input_hw[1] // patch_size)
        self.out_channels = embed_dim
        self.vit = VisionTransformer(
            img_size=input_hw,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            drop_path_rate=drop_path,
            class_token=False,
            global_pool="",
            num_classes=0,
        )
        if stem == "conv":
            self.vit.patch_embed.proj = conv_stem(embed_dim, patch_size)
        else:
            # ViTPose pads its patches by 2 pixels: same grid, other alignment; its weights expect it.
            self.vit.patch_embed.proj = nn.Conv2d(3, embed_dim, patch_size, stride=patch_size, padding=2)

    def forward(self, images: Tensor) -> Tensor:
        """``[N, 3, H_in, W_in]`` -> ``[N, C, h, w]``."""
        tokens = self.vit.forward_features(images)
        grid: Tensor = tokens.transpose(1, 2).reshape(images.size(0), self.out_channels, *self.grid_hw)
        return grid

    def fuse_attention(self, fused: bool) -> None:
        """Whether blocks attend by PyTorch's fused operator; the same function either way.

        On a CPU the backward pass of that operator takes a third of a small model's training step.
        """
        for block in self.vit.blocks:
            block.attn.fused_attn = fused  # type: ignore[union-attr]


def conv_stem(out_channels: int, patch_size: int) -> nn.Sequential:
    """Convolutions from an image to ``out_channels`` at ``1 / patch_size`` (after Xiao et al. 2021).

    Each halving 3x3 convolution but the first is followed by one that keeps the size: measured from scratch, that
    learns more from a step than halving alone.
    """
    steps = int(math.log2(patch_size))
    layers: list[nn.Module] = []
    before = 3
    for step in range(1, steps + 1):
        width = max(out_channels >> (steps - step), 16)
        layers += _convolution(before, width, stride=2)
        if step > 1:
            layers += _convolution(width, width, stride=1)
        before = width
    layers.append(nn.Conv2d(before, out_channels, 1))
    return nn.Sequential(*layers)


def _convolution(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def one_frame_gradient(backbone: nn.Module, frames: Tensor, frame: int) -> Tensor:
    """Run ``backbone`` on ``frames [B, T, ...]`` with gradients through one frame alone.

    The others cost a forward pass and no backward one. Returns ``[B, T, ...]``.
    """
    before, after = frames[:, :frame], frames[:, frame + 1 :]
    others = torch.cat([before, after], dim=1)
    with torch.no_grad():
        out = backbone(others.flatten(0, 1)).unflatten(0, others.shape[:2])
    return torch.cat([out[:, :frame], backbone(frames[:, frame]).unsqueeze(1), out[:, frame:]], dim=1)
