"""Clips that show nothing, with their graph and targets: what a model computes depends on sizes alone."""

from __future__ import annotations

import torch
from torch_geometric.data import Batch

from posegraph.config import ModelConfig
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData
from posegraph.skeleton import Skeleton


def blank_clips(config: ModelConfig, skeleton: Skeleton, count: int) -> ClipData:
    """A batch of ``count`` clips as training has them: frames are zero, every joint is annotated."""
    num_frames, num_joints = config.clip_frames, skeleton.num_joints
    clip = ClipData(
        frames=torch.zeros(1, num_frames, 3, *config.input_hw),
        num_nodes=num_frames * num_joints,
        keypoints_norm=torch.zeros(1, num_joints, 2),
        annotated=torch.ones(1, num_joints, dtype=torch.bool),
        visibility=torch.ones(1, num_joints, dtype=torch.int8),
        in_crop=torch.ones(1, num_joints, dtype=torch.bool),
        counted=torch.ones(1, dtype=torch.bool),
    )
    clip = AddSkeletonHops(skeleton)(AddTemporalChains(num_frames, num_joints)(clip))
    clips: ClipData = Batch.from_data_list([clip] * count)
    return clips
