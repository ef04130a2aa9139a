"""Every number that the official tools print on the test vectors (shared/data: eval_vectors/*/expected.json)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import TrackSet, read_tracks, write_tracks
from posegraph.metrics import PoseTrackAP, coco_oks, mota, oks, pose_map, posetrack_ap, score
from posegraph.metrics.posetrack_matching import posetrack_matches
from posegraph.metrics.table import group_table

CASES = ["a_jitter_pt17", "b_jitter_pt18", "c_posetrack18_ignore", "d_edge_pt17", "e_real_model"]
Sides = tuple[TrackSet, TrackSet, dict[str, Any]]


@pytest.fixture(scope="module")
def sides(real_data: Path) -> Callable[[str], Sides]:
    """Ground truth, predictions and expected numbers of a case; each is read once."""

    @cache
    def sides(case: str) -> Sides:
        folder = real_data / "eval_vectors" / case
        truth, found = (read_tracks(folder / side, keep_empty=True) for side in ("gt", "pred"))
        return truth, found, json.loads((folder / "expected.json").read_text())

    return sides


def same(expected: dict[str, Any]) -> Any:
    """The numbers to 1e-6; null is NaN. The order counts too."""
    return pytest.approx({key: np.nan if x is None else x for key, x in expected.items()}, abs=1e-6, nan_ok=True)


def with_mean(printed: dict[str, Any]) -> dict[str, Any]:
    """poseval's Total is the column Mean."""
    return {("Mean" if name == "Total" else name): value for name, value in printed.items()}


def assert_poseval(result: PoseTrackAP, expected: dict[str, Any]) -> None:
    for found, name in ((result.ap, "AP"), (result.precision, "precision"), (result.recall, "recall")):
        assert list(found) == list(expected[name])
        assert found == same(expected[name])
    assert list(result.table) == list(with_mean(expected["table_AP"]))
    assert result.table == same(with_mean(expected["table_AP"]))
    cells = [f"{value:>5.1f}" for value in result.table.values()]
    assert "&" + " &".join(cells) + r" \\" == expected["table_row_printed"]


@pytest.mark.parametrize("case", CASES)
def test_ap_equals_poseval(sides: Callable[[str], Sides], case: str) -> None:
    truth, found, expected = sides(case)
    result = posetrack_ap(truth, found)
    assert_poseval(result, expected)
    assert result.no_ground_truth == (() if case.startswith("c") else ("nose",))
    assert sum(len(match.frames) for match in posetrack_matches(truth, found)) == expected["n_frames_after_cleanup"]


def test_the_order_of_people_in_the_file_is_written_and_read_back(
    sides: Callable[[str], Sides], tmp_path: Path
) -> None:
    truth, found, expected = sides("b_jitter_pt18")
    write_tracks(found, tmp_path)
    assert_poseval(posetrack_ap(truth, read_tracks(tmp_path, keep_empty=True)), expected)


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("c")])
def test_mota_equals_poseval(sides: Callable[[str], Sides], case: str) -> None:
    truth, found, expected = sides(case)
    result = mota(truth, found)
    assert list(result.mota) == list(expected["MOTA"])
    assert result.mota == same(expected["MOTA"])
    assert result.motp["total"] == pytest.approx(expected["MOTP_total"], abs=1e-6)
    assert result.precision["total"] == pytest.approx(expected["MOT_precision_total"], abs=1e-6)
    assert result.recall["total"] == pytest.approx(expected["MOT_recall_total"], abs=1e-6)


def test_mota_of_one_frame_sequences_on_which_poseval_stops(sides: Callable[[str], Sides]) -> None:
    truth, found, _ = sides("c_posetrack18_ignore")
    result = mota(truth, found)
    assert result.too_short == ("003418_mpii_test", "009473_mpii_test")
    assert np.isnan(result.mota["total"])


@pytest.mark.parametrize("case", ["b_jitter_pt18", "e_real_model"])
def test_pose_map_equals_posetrack21(sides: Callable[[str], Sides], case: str) -> None:
    truth, found, expected = sides(case)
    result = pose_map(truth, found)
    figures = {"map": result.ap, "precision": result.precision, "recall": result.recall}
    for name, per_joint in figures.items():
        row = group_table(truth.skeleton, per_joint, mean=per_joint["total"])
        assert row == same(with_mean(expected["posetrack21_PosemAP"][name]))
    assert result.table == same(with_mean(expected["posetrack21_PosemAP"]["map"]))


@pytest.mark.parametrize("case", CASES)
def test_one_call_gives_the_same_numbers(sides: Callable[[str], Sides], case: str) -> None:
    truth, found, expected = sides(case)
    scores = score(truth, found)
    assert scores.figures["AP"] == same(expected["AP"])
    if "MOTA" in expected:
        assert scores.figures["MOTA"]["mota"] == same(expected["MOTA"])
    else:
        assert scores.left_out["mota"] == "nobody is followed in the ground truth (no track id is in two frames)"
    assert json.dumps(scores.figures)


def test_oks_equals_pycocotools(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "eval_vectors/f_coco_oks"
    expected = json.loads((folder / "expected.json").read_text())
    numbers = {name: expected[name] for name in expected if name.startswith("A")}
    result = coco_oks(folder / "gt.json", folder / "pred.json")
    assert result.values == same(numbers)
    assert list(result.values) == list(numbers)
    assert (result.people, result.no_ground_truth) == (12, ())
    # The same results as an annotation file, through tracks.
    content = json.loads((folder / "gt.json").read_text())
    results = json.loads((folder / "pred.json").read_text())
    assert len(results) == expected["n_pred"]
    content["annotations"] = [row | {"id": place} for place, row in enumerate(results)]
    (tmp_path / "pred.json").write_text(json.dumps(content))
    (tmp_path / "gt.json").write_bytes((folder / "gt.json").read_bytes())
    truth = read_tracks(tmp_path / "gt.json", "coco17", keep_empty=True)
    (tmp_path / "gt.json").write_bytes((tmp_path / "pred.json").read_bytes())
    found = read_tracks(tmp_path / "gt.json", "coco17", keep_empty=True)  # a video is named after its file
    assert oks(truth, found).values == same(numbers)
