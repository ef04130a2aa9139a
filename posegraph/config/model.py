"""The numbers of a model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from posegraph.config.section import NotNegative, Positive, PositiveReal, Section, option

Variant = Literal[
    "full", "local_only", "global_only", "spatial_only", "temporal_only", "no_center_predict", "vit_alone"
]


class ModelConfig(Section):
    """The numbers of a model. Spec section in brackets; lengths are in pixels of the heatmap grid."""

    preset: str = option("ncstr-b", "ncstr-tiny, ncstr-s|b|l|h, vitpose-s|b|l|h: where the other values come from")
    variant: Variant = option("full", "what of the method is on (paper Tables 6 and 7)")
    method: Literal["ncstr", "dsta", "dcpose", "posewarper"] = option(
        "ncstr", "the paper's method, or one of its rivals on the same backbone (docs/architecture.md)"
    )
    weights: str | None = option(None, "where to start from: a run, or other people's weights (docs/weights.md)")
    weights_skeleton: str | None = option(
        None, "skeleton whose joint order the rows of these weights have; null: what the file says, or coco17"
    )
    weights_expert: Annotated[int, Field(ge=0)] = option(0, "ViTPose+: which expert of its mixture is taken; 0: COCO")
    input_hw: tuple[Positive, Positive] = option((256, 192), "height and width of a person's crop")
    num_frames: Annotated[int, Field(ge=3, le=5)] = option(
        3, "frames of a clip; ncstr: 3, the last is the key frame [1]"
    )
    future_frames: Annotated[int, Field(ge=0)] = option(
        0, "how many of them come after the key frame; ncstr: none, it is causal"
    )
    patch_size: Positive = option(16, "ViT patch: the backbone grid is the input divided by it [2]")
    stem: Literal["patch", "conv"] = option("patch", "patch embedding as in ViTPose, or small convolutions [7]")
    embed_dim: Positive = option(768, "backbone channels C")
    depth: Positive = option(12, "transformer blocks of the backbone")
    num_heads: Positive = option(12, "attention heads of the backbone")
    drop_path: Annotated[float, Field(ge=0, lt=1)] = option(0.0, "stochastic depth of the backbone")
    decoder: Literal["auto", "classic", "simple"] = option(
        "auto", "features to heatmaps as in ViTPose; auto: as in the weights, classic where there are none"
    )
    deconv_channels: tuple[Positive, ...] = option(
        (256, 256), "classic decoder: each entry doubles the grid; the simple one only counts them [2]"
    )
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

    @model_validator(mode="after")
    def _method_fits(self) -> ModelConfig:
        if self.future_frames >= self.num_frames:
            raise ValueError(
                f"future_frames {self.future_frames} leaves no key frame in num_frames {self.num_frames}; give at most "
                f"{self.num_frames - 1}"
            )
        if self.method != "ncstr":
            if self.variant != "full":
                raise ValueError(
                    f"variant {self.variant} is one of method ncstr's, and method {self.method} has none; leave "
                    "variant at full"
                )
        elif self.future_frames:
            raise ValueError(
                f"future_frames {self.future_frames}: method ncstr is causal; set it to 0, or choose another method"
            )
        elif self.num_frames != 3:
            raise ValueError(
                f"num_frames {self.num_frames}: method ncstr is made for 3; set it to 3, or choose another method"
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
    def key_frame(self) -> int:
        """Which of them the pose is of, counted from 0."""
        return self.clip_frames - 1 - self.future_frames

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Heatmap grid ``(H, W)``."""
        factor = 2 ** len(self.deconv_channels)
        return self.grid_hw[0] * factor, self.grid_hw[1] * factor
