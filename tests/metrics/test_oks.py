"""OKS AP and AR: closed forms, what is ignored, and COCO files with faults."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posegraph.errors import PoseGraphError
from posegraph.metrics import coco_oks, oks, score
from posegraph.skeleton import Skeleton

AREA = 100.0 * 50.0


def distance_for(similarity: float, sigma: float, area: float = AREA) -> float:
    """Pixels at which one joint has this similarity."""
    return math.sqrt(-2 * math.log(similarity) * area) * 2 * sigma


def test_one_joint_at_a_similarity(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(1, 0, [(50, 50), None])], video)
    for sigma, joint in ((0.05, 0), (0.1, 1)):
        points: list[Any] = [None, None]
        points[joint] = (50.0, 50.0)
        truth = build.tracks([build.person(1, 0, points)], video)
        points[joint] = (50.0 + distance_for(0.72, sigma), 50.0)
        values = oks(truth, build.tracks([build.person(1, 0, points)], video)).values
        # Right at 0.5, 0.55 .. 0.7: five of ten thresholds.
        assert (values["AP"], values["AR"], values["AP50"], values["AP75"]) == pytest.approx((0.5, 0.5, 1, 0))
        assert values["AP_M"] == pytest.approx(0.5)  # 32^2 < 5000 px < 96^2
        assert math.isnan(values["AP_L"])


def test_the_similarity_is_the_mean_over_annotated_joints(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(1, 0, [(50, 50), (50, 50)])], video)
    one_off = build.tracks([build.person(1, 0, [(50, 50), (50 + distance_for(0.3, 0.1), 50)])], video)
    assert oks(truth, one_off).values["AP"] == pytest.approx(0.4)  # 0.65: 0.5, 0.55, 0.6, 0.65
    without = build.tracks([build.person(1, 0, [(50, 50), None])], video)
    assert oks(truth, without).values["AP"] == pytest.approx(0.1)  # 0.5: a joint that is not there adds nothing


def test_area_is_the_annotations_else_the_boxs(build: SimpleNamespace) -> None:
    video = build.video(1)
    off = build.tracks([build.person(1, 0, [(50 + distance_for(0.72, 0.05), 50), None])], video)
    truth = build.tracks([build.person(1, 0, [(50, 50), None], extra={"area": 4 * AREA})], video)
    values = oks(truth, off).values
    assert values["AP"] == pytest.approx(0.9)  # exp(ln(0.72) / 4) = 0.921
    assert values["AP_L"] == pytest.approx(0.9)


def test_who_is_ignored(build: SimpleNamespace) -> None:
    video = build.video(2, labeled=[True, False])
    counted = build.person(1, 0, [(50, 50), None])
    others = [
        build.person(2, 0, [None, None], box=(0, 0, 10, 10)),
        build.person(3, 0, [(500, 50), None], extra={"iscrowd": 1}),
        build.person(4, 0, [(700, 50), None], box=None),
        build.person(1, 1, [(50, 50), None]),  # the frame is not labelled
    ]
    found = build.tracks([build.person(1, 0, [(50, 50), None], score=0.5)], video)
    result = oks(build.tracks([counted, *others], video), found)
    assert (result.values["AP"], result.people) == (pytest.approx(1), 1)
    assert dict(result.skipped) == {"person without an area (ignored, as COCO's crowds are)": 1}
    assert result.no_ground_truth == ("b",)


def test_ranking_by_the_persons_score_else_by_its_joints(build: SimpleNamespace) -> None:
    video = build.video(1)
    truth = build.tracks([build.person(1, 0, [(50, 50), (50, 50)])], video)
    right, wrong = [(50, 50), (50, 50)], [(900, 900), (900, 900)]

    def ap(first: dict[str, Any], second: dict[str, Any]) -> float:
        people = [build.person(1, 0, right, **first), build.person(2, 0, wrong, **second)]
        return oks(truth, build.tracks(people, video)).values["AP"]

    assert ap({"score": 0.9}, {"score": 0.8}) == pytest.approx(1)
    assert ap({"score": 0.7}, {"score": 0.8}) == pytest.approx(0.5)
    assert ap({"scores": [0.9, 0.5]}, {"score": 0.8}) == pytest.approx(0.5)
    assert ap({"scores": [0.9, 0.5]}, {"score": 0.6}) == pytest.approx(1)
    assert ap({"score": 0.1}, {}) == pytest.approx(1)  # without any score: last


def test_image_ids_of_two_videos_may_be_the_same(build: SimpleNamespace) -> None:
    one, two = (build.tracks([build.person(1, 0, [spot, spot])], build.video(1, name=name))
                for name, spot in (("one", (50, 50)), ("two", (400, 50))))  # fmt: skip
    assert oks(build.merge(one, two), build.merge(one, two)).values["AR"] == pytest.approx(1)


def test_nothing_predicted_is_0_and_nobody_annotated_is_nan(build: SimpleNamespace) -> None:
    video = build.video(1)
    someone, nobody = build.tracks([build.person(1, 0, [(50, 50), None])], video), build.tracks([], video)
    assert oks(someone, nobody).values["AP"] == 0
    assert math.isnan(oks(nobody, someone).values["AP"])


def test_a_skeleton_without_sigmas(build: SimpleNamespace) -> None:
    plain = Skeleton(name="plain", joints=("a", "b"))
    truth = build.tracks([build.person(1, 0, [(50, 50), None])], build.video(1), plain)
    with pytest.raises(PoseGraphError, match=r"skeleton 'plain': found no OKS sigma for a, b, .*; add oks_sigmas to"):
        oks(truth, truth)
    with pytest.raises(PoseGraphError, match="no OKS sigma"):
        score(truth, truth, metrics=["oks"])


# --- COCO files ----------------------------------------------------------------------------------------------------


def coco(joints: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    keypoints = [50, 50, 2] * joints
    truth = {
        "images": [{"id": 5}],
        "annotations": [{"id": 0, "image_id": 5, "category_id": 3, "keypoints": keypoints, "bbox": [0, 0, 100, 50]},
                        {"id": 1, "image_id": 5, "category_id": 9, "bbox": [0, 0, 9, 9]}],
        "categories": [{"id": 9, "name": "ball"}, {"id": 3, "name": "ant", "keypoints": ["b", "a"]}],
    }  # fmt: skip
    return truth, [{"image_id": 5, "keypoints": keypoints, "score": 0.5}]


def write(folder: Path, truth: Any, results: Any) -> tuple[Path, Path]:
    paths = folder / "gt.json", folder / "results.json"
    for path, content in zip(paths, (truth, results), strict=True):
        path.write_text(json.dumps(content))
    return paths


def test_files_of_a_custom_skeleton_are_matched_by_name(build: SimpleNamespace, tmp_path: Path) -> None:
    truth, results = coco()
    results[0]["keypoints"] = [50 + distance_for(0.72, 0.1), 50, 1] * 2  # b comes first in the file, and is 0.1
    values = coco_oks(*write(tmp_path, truth, results), build.pair).values
    of_a = math.exp(math.log(0.72) * 4)
    assert values["AP"] == pytest.approx(0.1 * np.sum((0.72 + of_a) / 2 >= np.arange(0.5, 1, 0.05)))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["results", 0, "image_id"], 6, "[0].image_id: found 6, expected an image of "),
        (["results", 0, "keypoints"], [1, 2], "[0].keypoints: found 2 numbers, expected 6"),
        (["results", 0, "score"], None, "[0].score: found nothing (null), expected a number"),
        (["results"], {}, "top level: found an object, expected a list of results"),
        (["truth", "images"], None, "images: found nothing (null), expected a list"),
        (["truth", "annotations", 0, "bbox"], None, "annotations[0].bbox: found nothing (null), expected a"),
        (["truth", "annotations", 0, "image_id"], 1, "annotations[0].image_id: found 1, expected an image id"),
        (["truth", "categories", 1, "keypoints"], ["x", "y"], "skeleton 'pair': found no OKS sigma for x, y"),
    ],
)
def test_faults_in_files(build: SimpleNamespace, tmp_path: Path, path: list[Any], value: Any, said: str) -> None:
    sides: Any = dict(zip(("truth", "results"), coco(), strict=True))
    target = sides
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(PoseGraphError) as error:
        coco_oks(*write(tmp_path, sides["truth"], sides["results"]), build.pair)
    assert said in str(error.value)
