"""A model made cheaper to run, with the same answers.

# B clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from posegraph.encoders.fast_deconvolution import FastDeconvolution
from posegraph.encoders.fast_pose_query import FastPoseQuery
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.graph import ClipData, skeleton_hops, with_self_loops
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.ncstr import NCSTR
from posegraph.nn.stacked_branches import StackedBranches

NODES_AT_ONCE = 400
"""Joints that a CPU reasons over at once: beyond, the memory of every product is taken from the system anew."""


class InferenceModel(nn.Module):
    """A copy of a model's stages in evaluation mode, for clips whose frames are encoded one by one.

    Batch norms are folded, neighbouring linear maps multiplied out, both branches computed as one, and on a CPU the
    decoder takes fewer multiplications. Tensors that are not rewritten are shared with the model, which is not changed:
    make a new copy after its weights change. Differentiable it is not: call it without gradient.
    """

    @torch.no_grad()
    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        shared: dict[int, Any] = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
        copy = deepcopy(model, shared).eval()
        self.backbone = copy.backbone
        patches = self.backbone.vit.patch_embed.proj
        if isinstance(patches, nn.Conv2d):
            # Its output is then laid out as tokens are; otherwise every block copies them.
            patches.weight = nn.Parameter(patches.weight.to(memory_format=torch.channels_last), requires_grad=False)
        classic = isinstance(copy.heatmap_head.deconv[0], nn.ConvTranspose2d)
        on_cpu = next(copy.parameters()).is_cpu
        self.heatmap_head: nn.Module = copy.heatmap_head
        if not model.reads_heatmaps:
            self.heatmap_head = NoHeatmaps(model.config.heatmap_hw)
        elif classic and on_cpu:
            self.heatmap_head = FastHeatmapHead(copy.heatmap_head)
        self.head = FastHead(copy) if isinstance(copy, NCSTR) else PlainHead(copy)
        self.clips_at_once = max(NODES_AT_ONCE // model.skeleton.num_joints, 1) if on_cpu else None

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H_in, W_in]`` -> features ``[N, C, h, w]``, heatmaps ``[N, J, H, W]``; ``J`` 0 where not needed."""
        features = self.backbone(crops)
        return features, self.heatmap_head(features)

    def forward(self, encoded: Encoded) -> PoseOutput:
        """Encoded frames of a batch of clips -> :class:`PoseOutput`, that of the model."""
        size = self.clips_at_once or len(encoded.features)
        parts = zip(torch.split(encoded.features, size), torch.split(encoded.heatmaps, size), strict=True)
        outputs = [self.head(Encoded(*part)) for part in parts]
        if len(outputs) == 1:
            output: PoseOutput = outputs[0]
            return output
        nodes, heatmaps, values = (torch.cat(parts) for parts in zip(*(output[:3] for output in outputs), strict=True))
        return PoseOutput(nodes, heatmaps, values)


class FastHeatmapHead(nn.Module):
    """The classic decoder with its batch norms folded into fewer multiplications, channels last."""

    def __init__(self, head: HeatmapHead) -> None:
        super().__init__()
        deconvolutions = [layer for layer in head.deconv if isinstance(layer, nn.ConvTranspose2d)]
        norms = [layer for layer in head.deconv if isinstance(layer, nn.BatchNorm2d)]
        self.deconv = nn.Sequential(*(_folded(*pair) for pair in zip(deconvolutions, norms, strict=True)))
        self.final = head.final

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, J, H, W]``."""
        grid = self.deconv(features.permute(0, 2, 3, 1))
        # As this product the joints come first: nothing is transposed.
        heatmaps: Tensor = self.final.weight.flatten(1) @ grid.flatten(1, 2).transpose(1, 2)
        if self.final.bias is not None:
            heatmaps += self.final.bias.unsqueeze(-1)
        return heatmaps.view(*heatmaps.shape[:2], *grid.shape[1:3])


class NoHeatmaps(nn.Module):
    """In the decoder's place, where the answer does without."""

    def __init__(self, heatmap_hw: tuple[int, int]) -> None:
        super().__init__()
        self.heatmap_hw = heatmap_hw

    def forward(self, features: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, 0, H, W]``."""
        return features.new_zeros(features.size(0), 0, *self.heatmap_hw)


class FastHead(nn.Module):
    """:meth:`NCSTR.reason`, on the graphs of its skeleton."""

    def __init__(self, model: NCSTR) -> None:
        super().__init__()
        branches = {window: branch for window, branch in enumerate((model.local, model.global_)) if branch is not None}
        num_joints = model.skeleton.num_joints
        edges = [with_self_loops(skeleton_hops(model.skeleton, window + 1), num_joints) for window in branches]
        self.joint_embedding, self.anchor = model.joint_embedding, model.anchor
        self.pose_query = FastPoseQuery(model.pose_query, list(branches))
        self.branches = StackedBranches(list(branches.values()), model.cross_branch, edges, num_joints)
        self.fusion = model.fusion

    def forward(self, encoded: Encoded) -> PoseOutput:
        """Encoded frames of a batch of clips -> :class:`PoseOutput`."""
        heatmaps = encoded.heatmaps.float()
        joints = self.joint_embedding(heatmaps)
        nodes = self.branches(self.pose_query(joints, encoded.features, heatmaps))  # [S, B, J, D]
        anchor = self.anchor(joints, (heatmaps.size(-2), heatmaps.size(-1)))
        values = joints.values[:, -1]
        return PoseOutput(self.fusion(*nodes, anchor, values), encoded.heatmaps[:, -1], values)


class PlainHead(nn.Module):
    """:meth:`PoseModel.reason` of a model that needs no graph, as it is written.

    Takes the model, which must be a copy: backbone and decoder are taken out of it.
    """

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        del model.backbone, model.heatmap_head
        self.model = model

    def forward(self, encoded: Encoded) -> PoseOutput:
        """Encoded frames of a batch of clips -> :class:`PoseOutput`, without what only training reads."""
        nodes, heatmaps, values, *_ = self.model.reason(encoded, ClipData())
        return PoseOutput(nodes, heatmaps, values)


def _folded(deconvolution: nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> FastDeconvolution:
    assert norm.running_mean is not None  # only without track_running_stats; for mypy
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        deconvolution.weight,
        deconvolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=True,
    )
    return FastDeconvolution(weight.detach(), bias.detach())
