"""Keeping of a file's entries what the internal form does not hold, and giving it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from posegraph.data.tracks import ABSENT, NO_FIELDS, Fields


class SharedFields:
    """Gives entries with the same kept fields one mapping: a large file has a few kinds, not one for each entry."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Fields] = {}

    def __call__(self, kept: dict[str, Any]) -> Fields:
        if not kept:
            return NO_FIELDS
        try:
            return self._known.setdefault(tuple((name, *_key(value)) for name, value in kept.items()), kept)
        except TypeError:  # a list or an object
            return kept


def _key(value: Any) -> tuple[type, Hashable]:
    # 1, 1.0 and True are equal, but not the same in a file.
    return type(value), None if isinstance(value, list) and not value else value


def unread(entries: list[dict[str, Any]], read: frozenset[str]) -> list[Fields]:
    """For each entry the fields that are not in ``read``."""
    return [{key: value for key, value in entry.items() if key not in read} or NO_FIELDS for entry in entries]


def differences(entry: dict[str, Any], written: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The ``fields`` of an entry that are not what would be written, ``ABSENT`` where the entry lacks one."""
    found = {}
    for key in fields:
        value, other = entry.get(key, ABSENT), written.get(key, ABSENT)
        # true equals 1, but is not the same in a file.
        if value != other or isinstance(value, bool) != isinstance(other, bool):
            found[key] = value
    return found


def give_back(written: dict[str, Any], verbatim: Fields, same_layout: bool) -> dict[str, Any]:
    """A copy of the entry with the fields of ``verbatim`` as they were.

    A field that was absent is only left out in the same layout: another may need it.
    """
    entry = dict(written)
    for key, value in verbatim.items():
        if value is not ABSENT:
            entry[key] = plain_numbers(value.tolist()) if isinstance(value, np.ndarray) else value
        elif same_layout:
            entry.pop(key, None)
    return entry


def carried(extra: Fields, own: frozenset[str], where: str, lost: Counter[str]) -> dict[str, Any]:
    """Fields of another layout that this one does not know; those with a name of its ``own`` are counted as lost."""
    for key in extra.keys() & own:
        lost[f"field {key!r} of {where}, a name that the layout uses itself"] += 1
    return {key: value for key, value in extra.items() if key not in own}


def plain_numbers(values: list[float]) -> list[int | float]:
    """Whole numbers without a decimal point, as annotation tools write them."""
    return [int(value) if value.is_integer() else value for value in values]
