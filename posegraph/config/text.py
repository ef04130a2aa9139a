"""The configuration as YAML that explains itself."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from pydantic import BaseModel

from posegraph.config.model import ModelConfig
from posegraph.config.run import RunConfig


def commented_yaml(config: RunConfig, model_values: bool = False) -> str:
    """The configuration as YAML in which every key carries its meaning.

    What the preset decides about the model stands there as comments: uncommented, a line overrides the preset. With
    ``model_values`` these lines are live: the record of a run does not depend on a later version's presets.
    """
    return "\n".join(_commented(config, indent="", model_values=model_values)).lstrip("\n") + "\n"


def _commented(section: BaseModel, indent: str, model_values: bool) -> Iterator[str]:
    free = ("preset", "variant", "method", "weights")
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
