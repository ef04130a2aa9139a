"""One field of all entries of a JSON list at once, checked.

Well-formed columns are checked and converted without a Python loop over their numbers. Where anything is unusual, the
checks of :mod:`posegraph.data.json_checks` go over the entries one by one: they accept the same values, and say what is
wrong with the first one that they refuse.

Letters: M entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from posegraph.data.json_checks import Fault, number, numbers, whole_number
from posegraph.data.tracks import ABSENT

Where = Callable[[int], str]
"""Row of an entry -> the field's name in messages."""


def column(entries: Iterable[dict[str, Any]], key: str) -> list[Any]:
    """``M`` values of ``key``, ``ABSENT`` where an entry lacks it."""
    return [entry.get(key, ABSENT) for entry in entries]


def is_missing(value: Any) -> bool:
    """Absent, null and the empty list all say that there is no value."""
    return value is ABSENT or value is None or value == []


def number_lists(
    values: Sequence[Any],
    count: int,
    where: Where,
    fault: Fault,
    cure: str,
    wrong_count: Callable[[int, int], NoReturn] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Lists of ``count`` numbers: ``[M, count]`` (null is NaN), and ``[M]`` whether an entry has one.

    ``wrong_count(row, found)`` words the error of a list of another length; None: plain words.

    Raises:
        PoseGraphError: a value that is no list, has another length, or holds anything but numbers and nulls.
    """
    plain = plain_lists(values, count)
    if plain is not None:
        return plain, np.ones(len(values), dtype=np.bool_)
    given = np.array([not is_missing(value) for value in values], dtype=np.bool_)
    table = np.full((len(values), count), np.nan)
    rows = np.flatnonzero(given).tolist()
    plain = plain_lists([values[row] for row in rows], count)
    if plain is not None:
        table[given] = plain
        return table, given
    for row in rows:
        found = numbers(values[row], count if wrong_count is None else None, where(row), fault, cure)
        if wrong_count is not None and len(found) != count:
            wrong_count(row, len(found))
        table[row] = found
    return table, given


def plain_lists(lists: Sequence[Any], count: int) -> NDArray[np.float64] | None:
    """``[M, count]``, or None where a list is not simply ``count`` numbers."""
    if set(map(type, lists)) != {list} or set(map(len, lists)) != {count}:
        return None
    if not set(map(type, chain.from_iterable(lists))) <= {int, float}:
        return None
    flat = _floats(chain.from_iterable(lists), len(lists) * count)
    return None if flat is None else flat.reshape(-1, count)


def _floats(plain_numbers: Iterable[int | float], count: int) -> NDArray[np.float64] | None:
    try:
        return np.fromiter(plain_numbers, dtype=np.float64, count=count)
    except OverflowError:  # a whole number beyond all floats
        return None


def single_numbers(values: Sequence[Any], where: Where, fault: Fault) -> NDArray[np.float64]:
    """``[M]`` numbers, NaN where there is none or null.

    Raises:
        PoseGraphError: anything but a number.
    """
    types = set(map(type, values))
    plain = _floats(values, len(values)) if types <= {int, float} else None
    if plain is not None:
        return plain
    found = np.full(len(values), np.nan)
    if not types <= {type(None), type(ABSENT)}:
        for row, value in enumerate(values):
            if not (value is ABSENT or value is None):
                found[row] = number(value, where(row), fault, "write one number")
    return found


def whole_numbers(values: Sequence[Any], where: Where, fault: Fault) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ids: ``[M]`` whole numbers, 0 where there is none or null, and ``[M]`` whether there is one.

    Raises:
        PoseGraphError: anything but a whole number of 64 bits.
    """
    if set(map(type, values)) == {int}:
        try:
            return np.array(values, dtype=np.int64), np.ones(len(values), dtype=np.bool_)
        except OverflowError:
            pass
    given = [not (value is ABSENT or value is None) for value in values]
    found = [
        whole_number(value, where(row), fault) if there else 0
        for row, (value, there) in enumerate(zip(values, given, strict=True))
    ]
    return np.array(found, dtype=np.int64), np.array(given, dtype=np.bool_)


def unwrapped(values: Sequence[Any], where: Where, fault: Fault) -> tuple[list[Any], NDArray[np.bool_]]:
    """Values that may each sit in a list of one: the ``M`` values, ``ABSENT`` for an empty list, and ``[M]`` which were
    in a list.

    Raises:
        PoseGraphError: a list of several.
    """
    if set(map(type, values)) == {list} and set(map(len, values)) == {1}:
        return list(chain.from_iterable(values)), np.ones(len(values), dtype=np.bool_)
    found = []
    for row, value in enumerate(values):
        if isinstance(value, list):
            if len(value) > 1:
                fault(where(row), value, "one value, bare or in a list of its own", "give one value")
            value = value[0] if value else ABSENT
        found.append(value)
    in_list = np.fromiter((isinstance(value, list) and len(value) == 1 for value in values), np.bool_, len(values))
    return found, in_list
