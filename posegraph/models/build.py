"""From a preset's name and a skeleton to a model: the place where numbers meet modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from posegraph.config import ModelConfig, RunConfig
from posegraph.encoders.heatmap_head import HeatmapHead
from posegraph.encoders.joint_embedding import JointEmbedding
from posegraph.encoders.pose_query import PoseQueryEncoder
from posegraph.encoders.vit import ViTBackbone
from posegraph.models.base import PoseModel
from posegraph.models.dcpose import DCPose
from posegraph.models.dsta import DSTA
from posegraph.models.ncstr import NCSTR
from posegraph.models.posewarper import PoseWarper
from posegraph.models.vitpose import ViTPose
from posegraph.models.weights import load_weights, read_weights
from posegraph.nn.branch import Branch
from posegraph.nn.cross_branch import CrossBranchAttention
from posegraph.nn.expert_fusion import ExpertFusion, NodeExpert
from posegraph.nn.heatmap_warping import FrameDifference, HeatmapWarping
from posegraph.nn.joint_tokens import FrameAttention, JointAttention, JointTokens, PointRegression
from posegraph.nn.pose_refinement import PoseCorrection, PoseResidualFusion, PoseTemporalMerger, closeness
from posegraph.nn.real_nvp import RealNVP
from posegraph.nn.skeleton_gat import SkeletonGAT
from posegraph.nn.temporal_gat import PastMemory, TemporalGAT
from posegraph.skeleton import Skeleton

MERGED_CHANNELS = 4
"""Of dcpose: maps of a joint between the two convolutions that merge its heatmaps of all frames."""


def build_model(
    preset: str,
    skeleton: str | Path | Skeleton = "coco17",
    variant: str | None = None,
    *,
    weights: str | Path | None = None,
    **overrides: Any,
) -> PoseModel:
    """A model, with random weights or those that SPEC holds.

    Args:
        preset: ``ncstr-tiny``, ``ncstr-s``, ``ncstr-b``, ``ncstr-l``, ``ncstr-h``, or the ViTPose alone: ``vitpose-s``,
            ``vitpose-b``, ``vitpose-l``, ``vitpose-h``.
        skeleton: Name of a shipped skeleton, YAML file, or :class:`Skeleton`.
        variant: One of the seven of the paper's Table 6, ``full`` ... ``vit_alone``; None: the preset's.
        weights: A run, a checkpoint, or other people's weights (docs/weights.md). ``weights_report`` of the model says
            what became of them.
        overrides: Fields of :class:`ModelConfig`, for instance ``input_hw=(384, 288)``.

    Raises:
        PoseGraphError: unknown preset, variant, skeleton or field, a value out of its range, or weights that cannot be
            opened or do not fit.
    """
    content = {"preset": preset, "weights": None if weights is None else str(weights), **overrides}
    if variant is not None:
        content["variant"] = variant
    config = RunConfig.from_dict({"model": content}, source="build_model")
    return started_model(config.model, Skeleton.load(skeleton))


def started_model(config: ModelConfig, skeleton: Skeleton) -> PoseModel:
    """The model that a configuration describes, with the weights that it names.

    A decoder that the configuration leaves open is that of the weights.

    Raises:
        PoseGraphError: weights that cannot be opened or do not fit.
    """
    if config.weights is None:
        return model_from_config(config, skeleton)
    weights = read_weights(config.weights, config.weights_expert)
    if config.decoder == "auto":
        config = config.model_copy(update={"decoder": weights.decoder or "classic"})
    model = model_from_config(config, skeleton)
    model.weights_report = load_weights(model, weights, skeleton=config.weights_skeleton)
    return model


def model_from_config(config: ModelConfig, skeleton: Skeleton) -> PoseModel:
    """The model that a configuration describes, with random weights; a decoder left open is the classic one."""
    decoder: Literal["classic", "simple"] = "simple" if config.decoder == "simple" else "classic"
    config = config.model_copy(update={"decoder": decoder})
    backbone = ViTBackbone(
        config.input_hw,
        config.patch_size,
        config.embed_dim,
        config.depth,
        config.num_heads,
        config.drop_path,
        config.stem,
    )
    heatmap_head = HeatmapHead(config.embed_dim, skeleton.num_joints, config.deconv_channels, decoder)
    if config.method != "ncstr":
        return _rival(config, skeleton, backbone, heatmap_head)
    if config.variant == "vit_alone":
        return ViTPose(config, skeleton, backbone, heatmap_head)
    channels = config.node_channels
    local = None if config.variant == "global_only" else _branch(config, hops=1)
    global_ = None if config.variant == "local_only" else _branch(config, hops=2)
    both = local is not None and global_ is not None
    # It is attention among the joints of a frame: temporal only has no spatial reasoning at all (paper section 4.5.1).
    crossed = both and config.variant != "temporal_only"
    return NCSTR(
        config,
        skeleton,
        backbone,
        heatmap_head,
        _joint_embedding(config, skeleton),
        _pose_query(config),
        local,
        global_,
        CrossBranchAttention(channels, config.attention_heads) if crossed else None,
        ExpertFusion(channels) if both else NodeExpert(channels),
    )


def _rival(config: ModelConfig, skeleton: Skeleton, backbone: ViTBackbone, heatmap_head: HeatmapHead) -> PoseModel:
    channels, heads, layers = config.node_channels, config.attention_heads, config.memory_layers
    num_joints, frames, key = skeleton.num_joints, config.num_frames, config.key_frame
    image = (config, skeleton, backbone, heatmap_head)
    if config.method == "dsta":
        return DSTA(
            *image,
            JointTokens(config.embed_dim, channels, num_joints, config.grid_hw, heads),
            JointAttention(channels, heads, layers),
            FrameAttention(channels, heads, layers, frames, key),
            PointRegression(channels, num_joints),
            RealNVP(),
        )
    guide = max(channels // 4, 1)
    # As far as the largest window of a joint's query: both are what a joint may move between frames.
    dilations = [max(round(config.radius_max * share), 1) for share in (0.25, 0.5, 1.0)]
    if config.method == "posewarper":
        difference = FrameDifference(config.embed_dim, num_joints, guide)
        return PoseWarper(*image, difference, HeatmapWarping(num_joints, guide, dilations))
    weights = closeness(frames, key)
    return DCPose(
        *image,
        PoseTemporalMerger(num_joints, MERGED_CHANNELS, weights),
        PoseResidualFusion(num_joints, guide, weights, key),
        PoseCorrection(num_joints, guide, dilations),
    )


def _joint_embedding(config: ModelConfig, skeleton: Skeleton) -> JointEmbedding:
    return JointEmbedding(
        skeleton.num_joints,
        config.node_channels,
        config.visible_threshold,
        predict_center=config.variant != "no_center_predict",
        # The literal reading of the paper predicts absolute points and has no anchor to be told of.
        with_peak=config.anchor != "none",
        num_frames=config.num_frames,
    )


def _pose_query(config: ModelConfig) -> PoseQueryEncoder:
    return PoseQueryEncoder(
        config.embed_dim,
        config.node_channels,
        config.grid_hw,
        config.heatmap_hw,
        radius_min=config.radius_min,
        radius_growth=config.radius_growth,
        radius_max=config.radius_max,
        past_radius=config.past_radius,
        # Without a predicted centre the window is doubled (paper section 4.5.1).
        window_scale=2.0 if config.variant == "no_center_predict" else 1.0,
        heatmap_prior=config.heatmap_prior,
        prior_epsilon=config.prior_epsilon,
    )


def _branch(config: ModelConfig, hops: Literal[1, 2]) -> Branch:
    channels, heads = config.node_channels, config.attention_heads
    with_time, with_space = config.variant != "spatial_only", config.variant != "temporal_only"
    return Branch(
        hops,
        temporal=TemporalGAT(channels, heads) if with_time else None,
        memory=PastMemory(channels, heads, config.memory_layers, config.num_frames - 1) if with_time else None,
        spatial=SkeletonGAT(channels, heads) if with_space else None,
    )
