"""From a parsed file to a validated pydantic model, with errors a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from posegraph.errors import PoseGraphError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: str | Path, expected: str) -> Any:
    """The parsed content of a YAML file. ``expected`` says in errors what the file should hold.

    Raises :class:`PoseGraphError` naming the file and the place of a fault.
    """
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; expected {expected}; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PoseGraphError(f"{path}: cannot be read ({error}); expected {expected}") from None
    except yaml.YAMLError as error:
        raise PoseGraphError(f"{path}: not valid YAML ({error}); expected {expected}") from None


def validated(model: type[Model], content: Any, source: str) -> Model:
    """``content`` as a ``model``. ``source`` (a file, usually) is named in errors.

    Raises :class:`PoseGraphError` for the first fault: field, what was found, what was expected, nearest valid key.
    """
    if not isinstance(content, dict):
        raise PoseGraphError(f"{source}: expected a mapping of {', '.join(model.model_fields)}; got {_shown(content)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        valid = _keys_beside(model, first["loc"])
        wrong = str(first["loc"][-1])
        raise PoseGraphError(
            f"{source}: unknown key {field!r}; keys are: {', '.join(valid)}{did_you_mean(wrong, valid)}"
        )
    message = first["msg"].removeprefix("Value error, ")
    # A validator of a whole model says itself what it found; for one field the value is worth showing.
    found = f", got {_shown(first['input'])}" if field and first["type"] not in ("missing", "value_error") else ""
    raise PoseGraphError(f"{source}: {field + ': ' if field else ''}{message}{found}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location[:-1]:
        model = next(iter(_models_in(model.model_fields[str(part)].annotation)), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
