"""Checks on the parsed content of a JSON file, whose errors all have one form: file, field, found, expected, cure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from posegraph.errors import PoseGraphError

LARGEST_ID = 2**63 - 1


class Fault:
    """Raises the errors of one file in one form."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, field: str, found: Any, expected: str, cure: str) -> NoReturn:
        what = found if isinstance(found, Found) else describe(found)
        # JSON may hold characters that no terminal can print (half of a surrogate pair).
        what = what.encode("utf-8", "backslashreplace").decode()
        raise PoseGraphError(f"{self.path}: {field}: found {what}, expected {expected}; {cure}")


class Found(str):
    """Words that already say what was found (anything else is described by its type)."""


def describe(value: Any) -> str:
    """A JSON value in a few words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, (int, float)) and LARGEST_ID < abs(value) < math.inf:
        return "a number too large"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def whole_number(value: Any, field: str, fault: Fault) -> int:
    """An id: a whole number that fits 64 bits."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not -LARGEST_ID - 1 <= value <= LARGEST_ID:
        fault(field, value, "a whole number", "write the id as a number")
    return int(value)


def numbers(value: Any, count: int | None, field: str, fault: Fault, cure: str) -> NDArray[np.float64]:
    """A flat list of numbers, ``[count]`` float64; null is NaN."""
    if not isinstance(value, list):
        fault(field, value, "a list of numbers", cure)
    if count is not None and len(value) != count:
        fault(field, Found(f"{len(value)} numbers"), f"{count}", cure)
    return np.array([number(item, f"{field}[{place}]", fault, cure) for place, item in enumerate(value)])


def number(value: Any, field: str, fault: Fault, cure: str) -> float:
    """A number that a float can hold; null is NaN."""
    if value is None:
        return math.nan
    if type(value) not in (float, int):
        fault(field, value, "a number", cure)
    try:
        return float(value)
    except OverflowError:
        fault(field, value, "a number", cure)
