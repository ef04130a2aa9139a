"""VTVJE: visuo-temporal, velocity-based joint embedding (paper section 3.2; spec section 3).

# B clips, T frames (the last is the current one), J joints, D node channels, H x W heatmap grid
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from posegraph.codec import taylor_peaks, to_norm


class Joints(NamedTuple):
    """What the heatmaps of a clip say about the joints. Points are (x, y) in heatmap pixels.

    Fields:
        tokens: ``[B, T, J, D]`` joint embeddings ``e``.
        points: ``[B, T, J, 2]`` Taylor points of all frames, the current one included.
        values: ``[B, T, J]`` peak values ``s``.
        centres: ``[B, T, J, 2]`` window centres: Taylor points of the past, motion estimate of the current frame.
        speed: ``[B, J]`` length of the displacement between the past frames.
    """

    tokens: Tensor
    points: Tensor
    values: Tensor
    centres: Tensor
    speed: Tensor


class JointEmbedding(nn.Module):
    """Heatmaps -> joint tokens from sub-pixel points, velocity, peak values and visibility.

    ``d_past = [x, y, s, v]`` with ``v = 1[s >= theta]``; ``d_current = [x^, y^, s_t, v_{t-1}]`` with the motion
    estimate ``p^_t = p_{t-1} + (p_{t-1} - p_{t-2})`` (paper eq. 4, 5). A point not seen gives no velocity.

    Args:
        num_joints: ``J``.
        channels: ``D``.
        visible_threshold: ``theta``.
        predict_center: False is the variant without centre prediction: the current centre is ``p_{t-1}``, and
            ``d_current`` knows no displacement.
        with_peak: Append to ``d_current`` the current frame's own point ``p_t``, relative to the motion estimate, and
            the displacement that the estimate is made with. Experts that predict an offset from ``p_t`` cannot know it
            otherwise: the rest of ``d_current`` is about the past. With both they can tell what a still joint would be.
    """

    def __init__(
        self,
        num_joints: int,
        channels: int,
        visible_threshold: float = 0.2,
        predict_center: bool = True,
        with_peak: bool = True,
        num_frames: int = 3,
    ) -> None:
        super().__init__()
        self.visible_threshold = visible_threshold
        self.predict_center = predict_center
        self.past_mlp = _mlp(4, channels)
        self.with_peak = with_peak
        self.current_mlp = _mlp(8 if with_peak else 4, channels)
        self.joint_embedding = nn.Embedding(num_joints, channels)
        self.frame_embedding = nn.Embedding(num_frames, channels)
        nn.init.normal_(self.joint_embedding.weight, std=0.02)
        nn.init.normal_(self.frame_embedding.weight, std=0.02)

    def forward(self, heatmaps: Tensor) -> Joints:
        """``[B, T, J, H, W]`` float32, detached -> :class:`Joints`."""
        grid_hw = (heatmaps.size(-2), heatmaps.size(-1))
        points, values = taylor_peaks(heatmaps)
        visible = (values >= self.visible_threshold).to(values.dtype)
        before, last = points[:, -3], points[:, -2]
        seen_twice = (visible[:, -3] * visible[:, -2]).unsqueeze(-1)
        displacement = (last - before) * seen_twice
        velocity = displacement if self.predict_center else torch.zeros_like(displacement)
        estimate = last + velocity
        centres = torch.cat([points[:, :-1], estimate.unsqueeze(1)], dim=1)
        seen = torch.cat([visible[:, :-1], visible[:, -2:-1]], dim=1)
        descriptors = torch.cat([to_norm(centres, grid_hw), values.unsqueeze(-1), seen.unsqueeze(-1)], dim=-1)
        past_descriptors, current_descriptor = descriptors[:, :-1], descriptors[:, -1:]
        if self.with_peak:
            # In heatmap pixels, not normalised: a step of one cell should be no small number.
            own = torch.cat([points[:, -1] - estimate, velocity], dim=-1)
            current_descriptor = torch.cat([current_descriptor, own.unsqueeze(1)], dim=-1)
        # Autocast would round normalised points to a quarter of a cell.
        with torch.autocast(heatmaps.device.type, enabled=False):
            tokens = torch.cat([self.past_mlp(past_descriptors), self.current_mlp(current_descriptor)], dim=1)
        tokens = tokens + self.joint_embedding.weight + self.frame_embedding.weight.unsqueeze(1)
        return Joints(tokens, points, values, centres, displacement.norm(dim=-1))


def _mlp(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_channels, channels), nn.GELU(), nn.Linear(channels, channels))
