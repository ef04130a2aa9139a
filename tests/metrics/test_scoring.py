"""One call for all scores: what is measured, what is left out and why, and what tables and files say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posegraph.data import TrackSet
from posegraph.errors import PoseGraphError
from posegraph.files import json_text
from posegraph.metrics import jitter, mota, oks, pck, pck_curve, posetrack_ap, precision_recall, recovery, score
from posegraph.metrics.files import score_files

A, B = (50.0, 50.0), (90.0, 50.0)


def sides(build: SimpleNamespace, head: Any = (0, 0, 30, 40), visibility: Any = None) -> tuple[TrackSet, TrackSet]:
    """Two videos of four frames; joint b is annotated in the first only; ids 1 and 2 become 8."""
    rng = np.random.default_rng(0)
    truth, found = [], []
    for name in ("one", "two"):
        video = build.video(4, name=name)
        people = [
            build.person(1, f, [A, B if name == "one" else None], head=head, visibility=visibility) for f in range(4)
        ]
        truth.append(build.tracks(people, video))
        guesses = [
            build.person(8, f, [tuple(A + rng.normal(0, 12, 2)), B], scores=rng.random(2).tolist()) for f in range(4)
        ]
        found.append(build.tracks(guesses, video))
    return build.merge(*truth), build.merge(*found)


def only(tracks: TrackSet, name: str) -> TrackSet:
    videos = tuple(video for video in tracks.videos if video.name == name)
    return TrackSet(tracks.skeleton, videos, tuple(track for track in tracks if track.video.name == name))


def test_all_metrics_are_those_of_their_own_functions(build: SimpleNamespace) -> None:
    truth, found = sides(build, visibility=[1, 0])
    scores = score(truth, found, alpha=[0.5, 0.1], metrics=["ap", "mota", "pck", "stability", "pr", "oks"])
    assert scores.ap == posetrack_ap(truth, found)
    assert scores.mota == mota(truth, found)
    assert list(scores.pck) == pck_curve(truth, found, [0.5, 0.1])
    assert scores.oks is not None
    assert scores.oks.values == pytest.approx(oks(truth, found).values, nan_ok=True)
    assert scores.jitter == jitter(truth, found)
    assert scores.recovery == recovery(truth, found)
    assert scores.curves is not None
    assert json_text(scores.curves.figures) == json_text(precision_recall(truth, found).figures)
    assert (scores.metric, scores.reason, scores.left_out) == ("PoseTrack AP", "", {})
    assert scores.table == posetrack_ap(truth, found).table
    assert [row.title.split(" ")[0] for row in scores.tables] == [
        "PoseTrack", "PCK@0.5", "PCK@0.1", "MOTA", "OKS", "Jitter:", "Frames",
    ]  # fmt: skip
    figures = json.loads(json_text(scores.figures))
    assert figures["OKS"]["values"].keys() == oks(truth, found).values.keys()
    assert len(figures["PR"]["per_joint"]["a"]["precision"]) == 101
    assert [one["alpha"] for one in figures["PCK_curve"]] == [0.5, 0.1]


def test_each_video_has_its_own_scores(build: SimpleNamespace) -> None:
    truth, found = sides(build)
    videos = score(truth, found).videos
    for name in ("one", "two"):
        truth_of, found_of = only(truth, name), only(found, name)
        assert videos[name].table == pytest.approx(posetrack_ap(truth_of, found_of).table, nan_ok=True)
        assert videos[name].mota == pytest.approx(mota(truth_of, found_of).mota["total"])
    by_box, found = sides(build, head=None)
    assert score(by_box, found).videos["two"].table["Mean"] == score(by_box, found).videos["two"].table["A"]


def test_by_default_what_the_data_allow(build: SimpleNamespace) -> None:
    truth, found = sides(build)
    scores = score(truth, found)
    assert all(one is not None for one in (scores.ap, scores.mota, scores.jitter))
    assert (scores.oks, scores.curves, scores.recovery) == (None, None, None)
    assert scores.left_out == {"recovery": "the ground truth does not say which joints are occluded"}
    assert scores.pck[0].alpha == 0.5  # of a head size


def test_without_head_boxes_the_headline_is_pck_and_says_why(build: SimpleNamespace) -> None:
    truth, found = sides(build, head=None)
    scores = score(truth, found)
    assert (scores.metric, scores.ap, scores.mota) == ("PCK@0.2 of the box's longer side", None, None)
    assert scores.reason == "8 of 8 annotated people have no head box, from which AP takes its head size"
    assert scores.left_out["mota"] == "it needs a head box of every annotated person, as AP does"
    assert scores.notes[0] == f"{scores.metric} in place of AP: {scores.reason}"
    assert scores.jitter is not None
    assert scores.jitter.reference == "box"
    with pytest.raises(PoseGraphError, match="has no head box"):
        score(truth, found, metrics=["ap"])


def test_mota_needs_the_ids_of_a_tracker(build: SimpleNamespace) -> None:
    truth, _ = sides(build)
    own = score(truth, truth)
    assert (own.mota, own.left_out["mota"]) == (None, "the predictions carry the ground truth's own track ids")
    asked = score(truth, truth, metrics=["mota"])
    assert asked.mota is not None
    assert asked.mota.mota["total"] == 100
    video = build.video(2)
    people = build.tracks([build.person(1, frame, [A, B]) for frame in range(2)], video)
    loose = build.tracks([build.person(7 + frame, frame, [A, B]) for frame in range(2)], video)
    expected = "nobody is followed in the {} (no track id is in two frames)"
    assert score(people, loose).left_out["mota"] == expected.format("predictions")
    assert score(loose, people).left_out["mota"] == expected.format("ground truth")


def test_joints_without_ground_truth_are_marked_and_told(build: SimpleNamespace) -> None:
    video = build.video(3)
    truth = build.tracks([build.person(1, frame, [A, None]) for frame in range(3)], video)
    found = build.tracks([build.person(8, frame, [A, None], scores=[1, 1]) for frame in range(3)], video)
    scores = score(truth, found)
    assert scores.no_ground_truth == tuple(scores.figures["no_ground_truth"]) == ("b",)
    assert scores.table == {"Both": 50, "A": 100, "Mean": 50}  # poseval's: b counts with 0
    assert scores.figures["AP_table_with_ground_truth"] == {"Both": 100, "A": 100, "Mean": 100}
    assert scores.figures["AP_averaged"] == ["a", "b"]
    assert list(scores.tables[0].values) == ["Both*", "A", "Mean"]
    note = "* no ground truth: b; poseval's Mean is over 2 joints; over those with ground truth it is 100.0"
    assert note in scores.notes
    assert scores.pck[0].no_ground_truth == ("b",)


def test_unknown_metrics_and_thresholds(build: SimpleNamespace) -> None:
    truth, found = sides(build)
    with pytest.raises(PoseGraphError, match=r"metrics: found 'motta', expected some of ap, .*; did you mean 'mota'\?"):
        score(truth, found, metrics=["motta"])
    with pytest.raises(PoseGraphError, match=r"alpha: found -1, expected a number above 0"):
        score(truth, found, alpha=-1)


def test_pck_at_several_thresholds_is_pck_at_each(build: SimpleNamespace) -> None:
    truth, found = sides(build)
    alphas = [0.05, 0.2, 0.5, 1.0]
    curve = pck_curve(truth, found, alphas)
    assert curve == [pck(truth, found, alpha) for alpha in alphas]
    means = [one.table["Mean"] for one in curve]
    assert means == sorted(means)
    assert means[0] < means[-1] == 100


def test_files_and_coco_results(real_data: Path) -> None:
    folder = real_data / "eval_vectors/e_real_model"
    scores, skipped, *_ = score_files(folder / "gt", folder / "pred")
    assert (scores.metric, skipped) == ("PoseTrack AP", [])
    folder = real_data / "eval_vectors/f_coco_oks"
    scores, *_ = score_files(folder / "gt.json", folder / "pred.json", metrics=["oks"])
    assert scores.metric == "OKS (fractions, as COCO prints them)"
    assert scores.table["AP"] == pytest.approx(0.7185808580858085, abs=1e-6)
    with pytest.raises(PoseGraphError, match=r"metrics: found ap, expected oks: .* holds COCO results"):
        score_files(folder / "gt.json", folder / "pred.json", metrics=["ap"])


def test_counts_of_what_was_left_out_are_written(build: SimpleNamespace) -> None:
    """A box without a width has no reference length; the reason and the number reach the file."""
    truth, found = sides(build)
    scores = score(truth, found, metrics=["pck", "stability"])
    counted = Counter({"person without a reference length": 3})
    assert scores.jitter is not None
    spoilt = replace(scores, pck=tuple(replace(one, skipped=counted) for one in scores.pck),
                     jitter=replace(scores.jitter, skipped=counted))  # fmt: skip
    figures = json.loads(json_text(spoilt.figures))
    assert figures["PCK_curve"][0]["skipped"] == figures["jitter"]["skipped"] == dict(counted)
