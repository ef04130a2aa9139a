"""The description of a run: typed sections, presets, YAML."""

from posegraph.config.model import ModelConfig, Variant
from posegraph.config.run import RunConfig, preset_names
from posegraph.config.stages import (
    AugmentConfig,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    StreamConfig,
    TrainingConfig,
    parse_frames,
)
from posegraph.config.text import commented_yaml

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "EvaluationConfig",
    "LossConfig",
    "ModelConfig",
    "RunConfig",
    "StreamConfig",
    "TrainingConfig",
    "Variant",
    "commented_yaml",
    "parse_frames",
    "preset_names",
]
