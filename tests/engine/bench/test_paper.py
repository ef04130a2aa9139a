"""The paper's figures stay the paper's, and ours stay counted."""

from __future__ import annotations

import pytest

from posegraph.engine.bench.paper import PaperRow, paper_table


@pytest.fixture(scope="module")
def rows() -> list[PaperRow]:
    return paper_table()


def values(rows: list[PaperRow], figure: str, source: str) -> list[tuple[float, ...]]:
    return [row.values for row in rows if (row.figure, row.source) == (figure, source)]


def test_the_papers_table_is_untouched(rows: list[PaperRow]) -> None:
    assert values(rows, "parameters, M", "paper") == [(30.7, 96.2, 314.9, 643.7)]
    assert values(rows, "GMACs a clip", "paper") == [(19.2, 47.1, 141.7, 285.6)]
    assert values(rows, "GFLOPs a clip", "paper") == [(38.6, 94.0, 283.2, 573.3)]


def test_ours_by_hand(rows: list[PaperRow]) -> None:
    assert values(rows, "parameters, M", "ours")[0] == pytest.approx((30.43, 96.33, 315.01, 643.81), abs=0.005)
    frames = values(rows, "GMACs a frame", "ours")[0]
    assert frames == pytest.approx((5.594, 18.523, 61.569, 125.830), abs=0.001)
    with_attention, without, head = values(rows, "GMACs a clip", "ours")
    for total, bare, rest, frame in zip(with_attention, without, head, frames, strict=True):
        assert bare < total == pytest.approx(3 * frame + rest)
        assert 0.2 < rest < 0.3
    assert values(rows, "GFLOPs a clip", "ours")[0] == pytest.approx([2 * macs for macs in with_attention])
    ratio = values(rows, "GMACs a clip", "ours / paper")[0]
    assert ratio == pytest.approx([one / other for one, other in zip(with_attention, rows[3].values, strict=True)])


def test_every_row_says_what_it_counts(rows: list[PaperRow]) -> None:
    assert all(row.counted and len(row.values) == 4 for row in rows)
