"""Columns converted at once give what the checks of one entry at a time give, value or error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegraph.data.formats.columns import number_lists, single_numbers, unwrapped, whole_numbers
from posegraph.data.json_checks import Fault, number, numbers, whole_number
from posegraph.data.tracks import ABSENT
from posegraph.errors import PoseGraphError

FAULT = Fault(Path("x.json"))

plain = st.one_of(st.integers(-9, 9), st.floats(-1e3, 1e3))
odd = st.one_of(
    st.none(), st.booleans(), st.text(max_size=2), st.just(ABSENT), st.just([]), st.just({}), st.floats(),
    st.integers(-(2**64), 2**64), st.sampled_from([10**400, -(2**63), 2**63 - 1, 2**63, 9.3e18, 1e300]),
)  # fmt: skip


def where(row: int) -> str:
    return f"[{row}]"


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return [np.asarray(part).tolist() for part in work()]
    except PoseGraphError as error:
        return str(error)


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other), (one, other)
    if isinstance(one, str):
        assert one == other
        return
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.lists(st.one_of(st.lists(plain, min_size=2, max_size=2), st.lists(odd, min_size=1, max_size=3), odd), max_size=4)
)
def test_lists_of_numbers(values: list[Any]) -> None:
    def one_by_one() -> Any:
        given_ = [not (value is ABSENT or value is None or value == []) for value in values]
        rows = [
            numbers(value, 2, where(row), FAULT, "cure").tolist() if there else [np.nan] * 2
            for row, (value, there) in enumerate(zip(values, given_, strict=True))
        ]
        return np.array(rows).reshape(-1, 2), given_

    assert_same(outcome(lambda: number_lists(values, 2, where, FAULT, "cure")), outcome(one_by_one))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.one_of(st.lists(plain, max_size=4), st.lists(st.one_of(plain, odd), max_size=4)))
def test_single_numbers(values: list[Any]) -> None:
    def one_by_one() -> Any:
        return ([
            np.nan if value is ABSENT else number(value, where(row), FAULT, "write one number")
            for row, value in enumerate(values)
        ],)  # fmt: skip

    assert_same(outcome(lambda: (single_numbers(values, where, FAULT),)), outcome(one_by_one))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.one_of(st.lists(st.integers(-9, 9), max_size=4), st.lists(st.one_of(plain, odd), max_size=4)))
def test_whole_numbers(values: list[Any]) -> None:
    def one_by_one() -> Any:
        given_ = [not (value is ABSENT or value is None) for value in values]
        found = [whole_number(v, where(row), FAULT) if given_[row] else 0 for row, v in enumerate(values)]
        return found, given_

    assert_same(outcome(lambda: whole_numbers(values, where, FAULT)), outcome(one_by_one))


def test_whole_numbers_of_64_bits() -> None:
    values, given_ = whole_numbers([2**63 - 1, -(2**63), None, 3.0], where, FAULT)
    assert values.tolist() == [2**63 - 1, -(2**63), 0, 3]
    assert given_.tolist() == [True, True, False, True]
    with pytest.raises(PoseGraphError, match=r"x\.json: \[1\]: found a number too large, expected a whole number"):
        whole_numbers([1, 2**63], where, FAULT)


def test_values_in_lists_of_one() -> None:
    for values, bare, in_list in (
        ([[1], [2]], [1, 2], [True, True]),
        ([[1], 2, [], ABSENT, None], [1, 2, ABSENT, ABSENT, None], [True, False, False, False, False]),
    ):
        found, wrapped = unwrapped(values, where, FAULT)
        assert (found, wrapped.tolist()) == (bare, in_list)
    with pytest.raises(PoseGraphError, match=r"\[1\]: found a list of 2, expected one value, bare or in a list"):
        unwrapped([1, [1, 2]], where, FAULT)
