"""Where clips come from, how they are varied, what is minimised, how it is trained, scored and run as a stream."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from posegraph.config.section import NotNegative, Positive, PositiveReal, Section, Share, option


class DataConfig(Section):
    """Where clips come from."""

    train: str | None = option(None, "annotations to train on: a file, a folder, or an index (docs/data.md)")
    val: str | None = option(None, "the same, to validate on after every epoch")
    images: str | None = option(
        None, "folder that image names start from; empty: looked up from the JSON's folder upwards"
    )
    frames: str | None = option(None, "train on these frames of every video only, A-B, counted from 0, B included")
    val_frames: str | None = option(None, "validate on these frames of every video only")
    box_scale: PositiveReal = option(1.25, "enlargement of the person's box [1]")
    workers: Annotated[int, Field(ge=0)] = option(0, "loader processes; 0: none beside the training")
    group_frames: Annotated[int, Field(ge=0)] = option(
        0, "draw batches from shuffled groups of this many frames of a video, each decoded once; 0: plain shuffling"
    )
    mixed_groups: Positive = option(8, "groups that a batch is drawn from, with data.group_frames")
    features: str | None = option(
        None, "folder of features of a frozen backbone, computed once, augmentation off; see docs/training.md"
    )
    cache_frames: Annotated[int, Field(ge=0)] = option(
        64, "decoded frames that each loader keeps; with data.group_frames at least those of the open groups"
    )

    @field_validator("frames", "val_frames", mode="before")
    @classmethod
    def _is_range(cls, text: Any) -> Any:
        parse_frames(text if text is None else str(text))
        return text


class AugmentConfig(Section):
    """One draw a clip, the same for all its frames, in this order (spec section 11)."""

    half_body: Share = option(0.3, "probability of showing the upper or the lower body alone")
    half_body_joints: Annotated[int, Field(ge=0)] = option(8, "only people with more annotated joints than this")
    half_body_scale: PositiveReal = option(1.5, "enlargement of the half body's box, in place of data.box_scale")
    scale: NotNegative = option(0.35, "sd of the scale factor")
    scale_range: tuple[PositiveReal, PositiveReal] = option((0.65, 1.35), "bounds of the scale factor")
    rotation: NotNegative = option(45.0, "sd of the rotation in degrees")
    rotation_max: NotNegative = option(90.0, "bound of the rotation")
    rotation_probability: Share = option(0.6, "probability of a rotation")
    flip: Share = option(0.5, "probability of a horizontal flip")
    shift: Share = option(
        0.7, "largest shift of the crop in x and in y, a share of the room around the box, as stream.hysteresis"
    )
    colour: NotNegative = option(0.0, "strength of changes of exposure, contrast, gamma and tint; 1 is strong")

    @model_validator(mode="after")
    def _range_is_ordered(self) -> AugmentConfig:
        if self.scale_range[0] > self.scale_range[1]:
            raise ValueError(f"scale_range {list(self.scale_range)} is upside down; write the smaller factor first")
        return self


class LossConfig(Section):
    """Spec section 7."""

    huber_beta: PositiveReal = option(0.02, "smooth-L1 beta, normalised units")
    geometry: NotNegative = option(20.0, "weight of the geometric term")
    saturation: PositiveReal | None = option(
        None, "bound of a joint's geometric loss; null: plain Huber, as in the paper"
    )
    regression: NotNegative = option(1.0, "weight of the likelihood of regressed points (model.method dsta)")
    visibility: NotNegative = option(1.0, "lambda: weight of the visibility term")
    visibility_target: Literal["annotated", "visible", "correct"] = option(
        "annotated",
        "what visibility means: a position was given, the joint was seen (where the data say it), or the node's own "
        "point is right",
    )
    heatmap: NotNegative = option(
        0.0, "weight of the loss on the prior heatmaps: 0 with a pretrained backbone, 1 from scratch"
    )
    heatmap_sigma: PositiveReal = option(2.0, "width of the target Gaussians")
    heatmap_occluded: Share = option(
        1.0, "height of the target Gaussian of a joint annotated as occluded; below 1, a peak also says what is seen"
    )
    heatmap_sides: NotNegative = option(
        0.0,
        "weight of the difference between the heatmaps of left and right, on top of their own errors; falls to 0 along "
        "the run",
    )
    heatmap_foreground: NotNegative = option(60.0, "squared errors are weighted by 1 + this x target; 0: plain MSE")


class TrainingConfig(Section):
    """The optimiser and the loop."""

    epochs: Positive = option(20, "passes over the training clips")
    max_steps: Annotated[int, Field(ge=-1)] = option(-1, "stop after this many optimiser steps; -1: epochs decide")
    batch_size: Positive = option(32, "clips a step and device")
    lr: PositiveReal = option(5e-5, "peak learning rate of AdamW")
    backbone_lr_scale: NotNegative = option(1.0, "backbone and decoder learn at lr x this; 0 freezes them")
    layer_decay: Annotated[float, Field(gt=0, le=1)] = option(
        1.0, "each block of the backbone learns at this x the rate of the block above it"
    )
    freeze_blocks: Annotated[int, Field(ge=0)] = option(0, "the patch embedding and this many first blocks stay fixed")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = option(
        None, "decay of the exponential moving average of the weights, which is what is kept; null: none"
    )
    checkpoint_blocks: bool = option(False, "compute the backbone's blocks again in the backward pass: less memory")
    compile: bool = option(False, "run the model through torch.compile")
    weight_decay: NotNegative = option(0.01, "AdamW's, not on norms, biases and tables of positions")
    schedule: Literal["milestones", "cosine"] = option(
        "milestones", "a tenth after each milestone, or half a cosine down to 0"
    )
    milestones: tuple[Share, ...] = option((0.5, 0.75), "shares of the run after which the rate falls to a tenth")
    warmup_steps: Annotated[int, Field(ge=0)] = option(0, "steps of linear warm-up")
    clip_gradient: NotNegative = option(1.0, "largest gradient norm; 0: no clipping")
    accumulate: Positive = option(1, "batches a step")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = option("32-true", "Lightning's; 16-mixed needs a GPU")
    accelerator: Literal["auto", "cpu", "gpu"] = option("auto", "where to train")
    devices: Positive | Literal["auto"] = option("auto", "how many of them")
    nodes: Positive = option(1, "how many machines")
    strategy: Literal["auto", "ddp", "fsdp2"] = option("auto", "several devices: copies of the model, or shards of it")
    checkpoint_every: Annotated[int, Field(ge=0)] = option(
        0, "steps between two checkpoints within an epoch; 0: only at the end of every epoch"
    )
    log_every: Positive = option(20, "steps between two lines of the logs")


class EvaluationConfig(Section):
    """How a run is scored."""

    batch_size: Positive = option(32, "clips a forward pass")
    box_score: Share = option(0.2, "detections below this score are left out [11]")
    keypoint_score: Literal["visibility", "peak", "both"] = option(
        "peak",
        "what ranks keypoints in AP: the node's v, the heatmap's peak, or their product; x box score [6]",
    )
    pck_alpha: PositiveReal = option(0.2, "threshold of PCK, a share of the skeleton's reference length")


class StreamConfig(Section):
    """How a stream looks at a person who moves (docs/streaming.md)."""

    hysteresis: NotNegative = option(
        0.6,
        "a crop stays while its person's box is off its middle by at most this share of the room around the box (1: "
        "until the box touches the crop's edge); 0: every frame has its own box's crop, and the past is encoded anew",
    )
    size_range: tuple[PositiveReal, PositiveReal] = option(
        (0.85, 1.25), "and while the crop has between these times the size of the box's own crop"
    )
    lead: Share = option(0.25, "how far ahead of a moving person a new crop is placed at most, a share of that room")
    batch_size: Positive = option(64, "crops of a backbone pass; more are encoded in several")
    compile: bool = option(False, "run the model through torch.compile")
    compile_mode: Literal["default", "reduce-overhead"] = option(
        "default", "torch.compile's mode; reduce-overhead: CUDA graphs, on a GPU whose frames have about as many people"
    )
    dtype: Literal["float32", "bfloat16"] = option("float32", "of autocast, in the model; float32: none")
    device_crops: bool = option(
        False, "crop on the model's device: images move there once, however many people they show"
    )

    @property
    def reuses_memory(self) -> bool:
        """Whether what the model returns may be overwritten when it is called again, as by CUDA graphs."""
        return self.compile and self.compile_mode == "reduce-overhead"

    @model_validator(mode="after")
    def _range_holds_one(self) -> StreamConfig:
        low, high = self.size_range
        if not low <= 1 <= high:
            raise ValueError(f"size_range {[low, high]} leaves out 1, the size of a new crop; give low <= 1 <= high")
        return self


def parse_frames(text: str | None) -> tuple[int, int] | None:
    """``"A-B"`` -> ``(A, B)``, both included, counted from 0; None -> None (all frames)."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ValueError(f"frames {text!r} is no range; write A-B with A <= B, for instance 0-19")
    return int(first), int(last)
