"""NCSTR, the paper in one forward (paper section 3).

# B clips, T frames, J joints, C backbone channels, D node channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

import torch
from torch import Tensor

from posegraph.codec import to_norm
from posegraph.config import ModelConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.joint_embedding import JointEmbedding, Joints
from posegraph.encoders.pose_query import PoseQueryEncoder
from posegraph.encoders.vit import ViTBackbone
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.nn.branch import Branch
from posegraph.nn.cross_branch import CrossBranchAttention
from posegraph.nn.expert_fusion import ExpertFusion, NodeExpert
from posegraph.skeleton import Skeleton


class NCSTR(PoseModel):
    """Backbone and prior heatmaps, joint embedding, pose queries, two graph branches, expert fusion.

    Takes built modules; :func:`posegraph.build_model` holds the numbers. With one branch (the local-only and
    global-only variants) ``cross_branch`` is None and ``fusion`` is that branch's expert alone; without spatial
    reasoning (temporal only) ``cross_branch`` is None too.
    """

    def __init__(
        self,
        config: ModelConfig,
        skeleton: Skeleton,
        backbone: ViTBackbone,
        heatmap_head: HeatmapHead,
        joint_embedding: JointEmbedding,
        pose_query: PoseQueryEncoder,
        local: Branch | None,
        global_: Branch | None,
        cross_branch: CrossBranchAttention | None,
        fusion: ExpertFusion | NodeExpert,
    ) -> None:
        super().__init__(config, skeleton, backbone, heatmap_head)
        self.joint_embedding, self.pose_query = joint_embedding, pose_query
        self.local, self.global_, self.cross_branch, self.fusion = local, global_, cross_branch, fusion

    def reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        """Joints, pose queries, two graph branches, fusion."""
        if torch.is_grad_enabled() and encoded.features.device.type == "cpu":
            # Autocast rounds much for little here: on a CPU a step of the head takes twice as long in bfloat16.
            with torch.autocast("cpu", enabled=False):
                return self._reason(Encoded(encoded.features.float(), encoded.heatmaps), clip)
        return self._reason(encoded, clip)

    def _reason(self, encoded: Encoded, clip: ClipData) -> PoseOutput:
        # The head reads the heatmaps as facts: in float32, and its losses do not reshape them.
        prior = encoded.heatmaps.detach().float()
        joints = self.joint_embedding(prior)
        local, global_ = self.pose_query(joints, encoded.features, prior)  # 2 x [B, T, J, D]
        anchor = self.anchor(joints, (prior.size(-2), prior.size(-1)))  # [B, J, 2]
        values = joints.values[:, -1]  # [B, J]
        nodes = self.nodes(local, global_, clip, anchor, values)
        return PoseOutput(nodes, encoded.heatmaps[:, -1], values)

    def nodes(self, local: Tensor, global_: Tensor, clip: ClipData, anchor: Tensor, values: Tensor) -> Tensor:
        """Two node sets ``[B, T, J, D]`` -> nodes ``[B, J, 3]``: graph branches, cross attention, fusion."""
        if self.local is None or self.global_ is None:
            z = self.local(local, clip) if self.local is not None else self._global_only(global_, clip)
            nodes: Tensor = self.fusion(z, anchor, values)
            return nodes
        z_local, z_global = self.local(local, clip), self.global_(global_, clip)
        if self.cross_branch is not None:
            z_local, z_global = self.cross_branch(z_local, z_global)
        nodes = self.fusion(z_local, z_global, anchor, values)
        return nodes

    def _global_only(self, global_: Tensor, clip: ClipData) -> Tensor:
        assert self.global_ is not None
        out: Tensor = self.global_(global_, clip)
        return out

    def anchor(self, joints: Joints, grid_hw: tuple[int, int]) -> Tensor:
        """Points that the experts' offsets start from, ``[B, J, 2]`` normalised."""
        point = joints.points[:, -1]
        if self.config.anchor == "none":
            return torch.zeros_like(point)
        if self.config.anchor == "velocity":
            unseen = joints.values[:, -1:] < self.config.visible_threshold
            point = torch.where(unseen.transpose(1, 2), joints.centres[:, -1], point)
        return to_norm(point, grid_hw)
