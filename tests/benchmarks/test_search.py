"""What the search benchmark counts, and that it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def search(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("search")


def test_what_a_frame_counts(search: ModuleType) -> None:
    people = np.array([[0.0, 0, 10, 20], [100, 0, 10, 20], [200, 0, 10, 20]])
    # The first person twice, the second half covered (IoU 1/3), nobody for the third, one box on nobody.
    boxes = np.array([[0.0, 0, 10, 20], [0, 0, 10, 15], [100, 10, 10, 20], [400, 0, 10, 20]])
    counts = {"frames": 1, "references": 3, "found": 1, "boxes": 4, "right": 2, "on nobody": 1}
    assert search.frame_counts(boxes, people) == counts
    empty = np.zeros((0, 4))
    assert set(search.frame_counts(empty, empty).values()) == {0, 1}
    assert search.frame_counts(empty, people)["found"] == search.frame_counts(boxes, empty)["right"] == 0


def test_a_row_in_the_table(search: ModuleType) -> None:
    row = {"frames": 40, "references": 80, "found": 60, "boxes": 70, "right": 63, "on nobody": 2, "ids": 3}
    table = search.table({"three people": row | {"searched crops": 500, "cpu seconds": 9.0}})
    assert table.splitlines()[-1] == "| three people | 40 | 60 of 80 (0.750) | 0.900 | 0.050 | 3 | 12.5 |"


def test_it_runs_over_a_synthetic_clip(
    search: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(search, "DRAWN", {"one person": 1})
    monkeypatch.setattr(search, "SEQUENCES", 1)
    monkeypatch.setattr(search, "FRAMES", 3)
    search.main(["--out", str(tmp_path / "clips"), "--json", str(tmp_path / "search.json")])
    said = json.loads((tmp_path / "search.json").read_text())
    row = said["rows"]["one person"]
    assert (row["frames"], row["references"]) == (3, 3)
    assert row["searched crops"] > 90  # the windows of a first frame
    assert said["commit"]
    assert "| one person | 3 |" in capsys.readouterr().out


def test_a_video_without_boxes_is_refused(search: ModuleType) -> None:
    with pytest.raises(SystemExit, match="expected NAME=MOVIE,BOXES"):
        search.main(["--video", "match=match.mp4"])
