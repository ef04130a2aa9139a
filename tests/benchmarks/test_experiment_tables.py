"""Means, Markdown, and text between markers, with literal answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from posegraph.errors import PoseGraphError


@pytest.fixture(scope="module")
def tables(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("experiment_tables")


def test_mean_and_sample_deviation(tables: ModuleType) -> None:
    three = tables.Spread.of([1.0, 2.0, math.nan, 6.0])
    assert (three.mean, three.n) == (3.0, 3)
    assert three.sd == pytest.approx(math.sqrt(7))
    assert three.text() == "3.0 ± 2.6"
    assert three.text(sign=True) == "+3.0 ± 2.6"
    one = tables.Spread.of([4.25])
    assert math.isnan(one.sd)
    assert one.text() == "4.2"
    assert tables.Spread.of([math.nan]).text() == "-"


def test_markdown(tables: ModuleType) -> None:
    assert tables.markdown_table(["row", "mAP"], [["full", "70.0"]]) == "| row | mAP |\n| --- | ---: |\n| full | 70.0 |"


def test_only_what_is_between_the_markers_is_replaced(tables: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- x begin -->\nold\n<!-- x end -->\nafter\n")
    tables.write_between(path, "x", "new\n\nlines\n")
    tables.write_between(path, "x", "new\n\nlines")
    assert path.read_text() == "before\n<!-- x begin -->\nnew\n\nlines\n<!-- x end -->\nafter\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- x begin -->",
        "<!-- x end --> <!-- x begin -->",
        "<!-- x begin --> <!-- x end --> <!-- x end -->",
        "<!-- x begin --> <!-- x begin --> <!-- x end -->",
    ],
)
def test_markers_that_are_not_one_pair_are_refused(tables: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(PoseGraphError, match=r"page.md: expected one line <!-- x begin -->"):
        tables.write_between(path, "x", "new")
    assert path.read_text() == text


def test_a_null_is_not_a_number(tables: ModuleType) -> None:
    assert tables.value_at({"a": {"b": 2}}, ["a", "b"]) == 2.0
    assert math.isnan(tables.value_at({"a": None}, ["a"]))
