"""One frozen, typed, validated description of a run; YAML in and out, dotted overrides.

Values are merged in this order: the defaults here, the preset (``posegraph/presets/*.yaml``), the user's file, the
``-o key=value`` overrides. A key that exists nowhere is an error that names the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.validation import read_yaml, validated

PRESETS = Path(__file__).parent / "presets"

Variant = Literal[
    "full", "local_only", "global_only", "spatial_only", "temporal_only", "no_center_predict", "vit_alone"
]
Positive = Annotated[int, Field(gt=0)]
PositiveReal = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of the configuration: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def option(default: Any, text: str) -> Any:
    """A field with its default and the comment that the written configuration carries."""
    return Field(default=default, description=text)


class ModelConfig(Section):
    """The numbers of a model. Spec section in brackets; lengths are in pixels of the heatmap grid."""

    preset: str = option("ncstr-b", "ncstr-tiny, ncstr-s, ncstr-b, ncstr-l, ncstr-h: where the other values come from")
    variant: Variant = option("full", "what of the method is on (paper Tables 6 and 7)")
    weights: str | None = option(None, "run or checkpoint to start from")
    input_hw: tuple[Positive, Positive] = option((256, 192), "height and width of a person's crop")
    num_frames: Annotated[int, Field(ge=3, le=3)] = option(3, "frames of a causal clip, the last is the key frame [1]")
    patch_size: Positive = option(16, "ViT patch: the backbone grid is the input divided by it [2]")
    stem: Literal["patch", "conv"] = option("patch", "patch embedding as in ViTPose, or small convolutions [7]")
    embed_dim: Positive = option(768, "backbone channels C")
    depth: Positive = option(12, "transformer blocks of the backbone")
    num_heads: Positive = option(12, "attention heads of the backbone")
    drop_path: Annotated[float, Field(ge=0, lt=1)] = option(0.0, "stochastic depth of the backbone")
    deconv_channels: tuple[Positive, ...] = option((256, 256), "classic decoder: each entry doubles the grid [2]")
    past_gradient: bool = option(True, "let gradients reach the backbone through the two past frames too")
    node_channels: Positive = option(256, "node channels D")
    attention_heads: Positive = option(4, "heads of graph, memory and cross-branch attention")
    memory_layers: Positive = option(2, "transformer layers of the past memory [5]")
    visible_threshold: float = option(0.2, "theta: a past joint was seen where its peak reaches this [3]")
    heatmap_prior: bool = option(True, "add the log of the heatmap to the query's logits [4]")
    prior_epsilon: PositiveReal = option(1e-6, "epsilon inside that log [4]")
    radius_min: PositiveReal = option(3.0, "r_min of the current frame's local window [4]")
    radius_growth: NotNegative = option(1.0, "alpha: window growth a pixel of motion [4]")
    radius_max: PositiveReal = option(12.0, "r_max of the current frame's local window [4]")
    past_radius: tuple[PositiveReal, PositiveReal] = option((4.0, 8.0), "past windows, local and global [4]")
    anchor: Literal["taylor", "velocity", "none"] = option("taylor", "point that the experts' offsets start from [6]")

    @model_validator(mode="after")
    def _grid_fits(self) -> ModelConfig:
        height, width = self.input_hw
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"input_hw {height}x{width} is not a multiple of patch_size {self.patch_size}; change one of them"
            )
        if self.radius_min > self.radius_max:
            raise ValueError(f"radius_min {self.radius_min:g} is above radius_max {self.radius_max:g}; swap them")
        if self.embed_dim % self.num_heads:
            raise ValueError(f"embed_dim {self.embed_dim} is not a multiple of num_heads {self.num_heads}")
        if self.node_channels % self.attention_heads:
            raise ValueError(
                f"node_channels {self.node_channels} is not a multiple of attention_heads {self.attention_heads}"
            )
        if self.stem == "conv" and self.patch_size & (self.patch_size - 1):
            raise ValueError(
                f"stem conv halves the grid at each step: patch_size {self.patch_size} must be a power of 2"
            )
        return self

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Backbone grid ``(h, w)``."""
        return self.input_hw[0] // self.patch_size, self.input_hw[1] // self.patch_size

    @property
    def clip_frames(self) -> int:
        """Frames that the model looks at: ViT alone needs the key frame only."""
        return 1 if self.variant == "vit_alone" else self.num_frames

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Heatmap grid ``(H, W)``."""
        factor = 2 ** len(self.deconv_channels)
        return self.grid_hw[0] * factor, self.grid_hw[1] * factor


class DataConfig(Section):
    """Where clips come from."""

    train: str | None = option(None, "PoseTrack18-layout JSON, or a folder of them, to train on")
    val: str | None = option(None, "the same, to validate on after every epoch")
    images: str | None = option(
        None, "folder that image names start from; empty: looked up from the JSON's folder upwards"
    )
    frames: str | None = option(None, "train on these frames of every video only, A-B, counted from 0, B included")
    val_frames: str | None = option(None, "validate on these frames of every video only")
    box_scale: PositiveReal = option(1.25, "enlargement of the person's box [1]")
    workers: Annotated[int, Field(ge=0)] = option(0, "loader processes; 0: none beside the training")
    cache_frames: Annotated[int, Field(ge=0)] = option(64, "decoded frames that each loader keeps")

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
    visibility: NotNegative = option(1.0, "lambda: weight of the visibility term")
    visibility_target: Literal["annotated", "visible"] = option(
        "annotated",
        "what visibility means: a position was given, or the joint was seen (where the data say it)",
    )
    heatmap: NotNegative = option(
        0.0, "weight of the loss on the prior heatmaps: 0 with a pretrained backbone, 1 from scratch"
    )
    heatmap_sigma: PositiveReal = option(2.0, "width of the target Gaussians")
    heatmap_foreground: NotNegative = option(60.0, "squared errors are weighted by 1 + this x target; 0: plain MSE")


class TrainingConfig(Section):
    """The optimiser and the loop."""

    epochs: Positive = option(20, "passes over the training clips")
    max_steps: Annotated[int, Field(ge=-1)] = option(-1, "stop after this many optimiser steps; -1: epochs decide")
    batch_size: Positive = option(32, "clips a step and device")
    lr: PositiveReal = option(5e-5, "peak learning rate of AdamW")
    backbone_lr_scale: NotNegative = option(1.0, "backbone and decoder learn at lr x this; 0 freezes them")
    weight_decay: NotNegative = option(0.01, "AdamW's, not on norms and biases")
    schedule: Literal["milestones", "cosine"] = option(
        "milestones", "x 0.1 at two thirds of the milestones, or cosine to 0"
    )
    milestones: tuple[Share, ...] = option((0.5, 0.75), "shares of the run after which the rate falls to a tenth")
    warmup_steps: Annotated[int, Field(ge=0)] = option(0, "steps of linear warm-up")
    clip_gradient: NotNegative = option(1.0, "largest gradient norm; 0: no clipping")
    accumulate: Positive = option(1, "batches a step")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = option("32-true", "Lightning's precision")
    accelerator: Literal["auto", "cpu", "gpu"] = option("auto", "where to train")
    devices: Positive | Literal["auto"] = option("auto", "how many of them")
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


class RunConfig(Section):
    """Everything that decides what a run does."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = option(0, "of weights, order and augmentation")
    skeleton: str = option("posetrack17", "a shipped skeleton's name, or a YAML file")
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @classmethod
    def from_preset(cls, preset: str, overrides: Iterable[str] = ()) -> RunConfig:
        """A preset's configuration, with ``key=value`` overrides."""
        return cls.from_dict({"model": {"preset": preset}}, overrides)

    @classmethod
    def from_file(cls, path: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
        """Read a YAML file. Raises :class:`PoseGraphError` naming file, field, what was found and a cure."""
        return cls.from_dict(read_yaml(path, "a run's configuration"), overrides, source=str(path))

    @classmethod
    def from_dict(cls, content: Any, overrides: Iterable[str] = (), source: str = "configuration") -> RunConfig:
        """Merge preset, content and overrides, and validate the whole."""
        if not isinstance(content, dict):
            raise PoseGraphError(
                f"{source}: expected a mapping; `posegraph config ncstr-b` writes one that can be edited"
            )
        changes: dict[str, Any] = {}
        for override in overrides:
            _set(changes, override)
        chosen = _merged(content, changes)
        model = chosen.get("model")
        preset = model.get("preset", "ncstr-b") if isinstance(model, dict) else "ncstr-b"
        return validated(cls, _merged(preset_values(str(preset)), chosen), source)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and checkpoints hold them."""
        return self.model_dump(mode="json")


def preset_names() -> list[str]:
    """The presets that come with posegraph."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_values(name: str) -> dict[str, Any]:
    """What a preset sets, as a nested mapping. Raises :class:`PoseGraphError` for an unknown name."""
    names = preset_names()
    if name not in names:
        raise PoseGraphError(
            f"model.preset: no preset {name!r}; presets are: {', '.join(names)}{did_you_mean(name, names)}"
        )
    values = read_yaml(PRESETS / f"{name}.yaml", "a preset")
    return _merged(values, {"model": {"preset": name}})


def parse_frames(text: str | None) -> tuple[int, int] | None:
    """``"A-B"`` -> ``(A, B)``, both included, counted from 0; None -> None (all frames)."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ValueError(f"frames {text!r} is no range; write A-B with A <= B, for instance 0-19")
    return int(first), int(last)


def commented_yaml(config: RunConfig, model_values: bool = False) -> str:
    """The configuration as YAML in which every key carries its meaning.

    What the preset decides about the model stands there as comments: uncommented, a line overrides the preset. With
    ``model_values`` these lines are live: the record of a run does not depend on a later version's presets.
    """
    return "\n".join(_commented(config, indent="", model_values=model_values)).lstrip("\n") + "\n"


def _commented(section: BaseModel, indent: str, model_values: bool) -> Iterator[str]:
    free = ("preset", "variant", "weights")
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield f"\n{indent}{key}:"
            yield from _commented(value, indent + "  ", model_values)
            continue
        plain = section.model_dump(mode="json")[key]
        text = yaml.safe_dump(plain, default_flow_style=True, width=200).removesuffix("\n").removesuffix("\n...")
        hidden = isinstance(section, ModelConfig) and key not in free and not model_values
        line = f"{indent}{'# ' if hidden else ''}{key}: {text}"
        yield f"{line:<44}  # {field.description}"


def _set(target: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise PoseGraphError(
            f"override {override!r} is not of the form key=value; write for instance -o training.epochs=5"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise PoseGraphError(f"override {override!r}: {text!r} is no YAML value; quote it or check brackets") from None
    *path, last = key.strip().split(".")
    for part in path:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise PoseGraphError(f"override {override!r}: an earlier override gives {part!r} a value; drop one of them")
    target[last] = value


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
