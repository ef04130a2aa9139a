"""One frozen, typed, validated description of a run; YAML in and out, dotted overrides.

Values are merged in this order: the defaults, the preset (``posegraph/presets/*.yaml``), the user's file, the
``-o key=value`` overrides. A key that exists nowhere is an error that names the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from posegraph.config.model import ModelConfig
from posegraph.config.section import Section, option
from posegraph.config.stages import (
    AugmentConfig,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    StreamConfig,
    TrainingConfig,
)
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.validation import read_yaml, validated

PRESETS = Path(__file__).parents[1] / "presets"


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
    stream: StreamConfig = StreamConfig()

    @model_validator(mode="after")
    def _something_learns(self) -> RunConfig:
        frozen, depth = self.training.freeze_blocks, self.model.depth
        if frozen > depth:
            raise ValueError(
                f"training.freeze_blocks: {frozen}, but model.depth gives the backbone {depth}; give at most {depth}"
            )
        if self.training.backbone_lr_scale == 0 and self.model.variant == "vit_alone":
            raise ValueError(
                "training.backbone_lr_scale: 0 freezes all that model.variant vit_alone is made of; give a larger one"
            )
        return self

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
