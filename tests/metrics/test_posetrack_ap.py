"""PoseTrack AP: poseval's own numbers, hand-computed cases, and a brute-force second implementation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegraph.data import UNKNOWN, PersonTrack, TrackSet, Video, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.metrics import posetrack_ap
from posegraph.skeleton import Skeleton

NAN = float("nan")
PAIR = Skeleton(name="pair", joints=("a", "b"), groups={"Both": ("a", "b"), "A": ("a",)}, scored={"B": "b", "A": "a"})
# 0.6 x the diagonal of a 30 x 40 head box is 30, so a joint is right within 15 px.
HEAD = [0.0, 0.0, 30.0, 40.0]

Point = tuple[float, float] | None
Person = tuple[int, list[Point], list[float]]
"""Frame, points (None: not given) and scores."""


def video(num_frames: int, polygons: tuple[Any, ...] = (), name: str = "clip") -> Video:
    regions = tuple(np.array(polygon, dtype=np.float64) for polygon in polygons)
    return Video(
        name=name,
        source=Path(f"{name}.json"),
        frame_files=tuple(f"{frame:06d}.jpg" for frame in range(num_frames)),
        image_ids=np.arange(num_frames) + 100,
        image_hw=np.zeros((num_frames, 2), dtype=np.int64),
        labeled=np.ones(num_frames, dtype=np.bool_),
        ignore_regions=(regions,) * num_frames,
    )


def track(of: Video, track_id: int, person: Person, head: list[float] | None = None) -> PersonTrack:
    frame, points, scores = person
    given_ = np.array([[point is not None for point in points]])
    return PersonTrack(
        video=of,
        track_id=track_id,
        frame=np.array([frame]),
        keypoints_px=np.array([[point or (0.0, 0.0) for point in points]]),
        annotated=given_,
        visibility=np.full(given_.shape, UNKNOWN, dtype=np.int8),
        boxes_xywh=np.array([[0.0, 0.0, 10.0, 10.0]]),
        head_boxes_xywh=np.array([HEAD if head is None else head]),
        keypoint_scores=np.array([scores]),
        scores=np.array([NAN]),
    )


def tracks(people: list[Person], num_frames: int = 1, polygons: tuple[Any, ...] = ()) -> TrackSet:
    of = video(num_frames, polygons)
    return TrackSet(PAIR, (of,), tuple(track(of, row, person) for row, person in enumerate(people)))


def truth(*people: list[Point]) -> list[Person]:
    return [(0, points, [NAN, NAN]) for points in people]


def assert_values(found: dict[str, float], expected: dict[str, Any], tolerance: float = 1e-6) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        want = NAN if value is None else value
        assert found[name] == pytest.approx(want, abs=tolerance, nan_ok=True), name


def test_ground_truth_as_its_own_prediction(real_data: Path) -> None:
    annotated = read_tracks(real_data / "posetrack_bonn/annotations18/with_frames", keep_empty=True)
    result = posetrack_ap(annotated, annotated)
    assert result.ap["nose"] == 0  # the data have no nose: poseval's 0, not NaN, as none is predicted either
    assert result.table["Head"] == pytest.approx(200 / 3)
    assert result.table["Mean"] == pytest.approx(1400 / 15)
    assert result.recall["left_wrist"] == result.precision["left_wrist"] == pytest.approx(100)


def test_a_curve_by_hand() -> None:
    annotated = tracks(truth([(0, 0), None], [(100, 0), None], [(200, 0), None]))
    # Best score first: right, wrong (nearer to person 1 by none), right. Precision 1, 1/2, 2/3; recall 1/3, 1/3, 2/3.
    people: list[Person] = [
        (0, [(0, 15), None], [0.9, NAN]),
        (0, [(50, 0), None], [0.8, NAN]),
        (0, [(100, 1), None], [0.7, NAN]),
    ]
    result = posetrack_ap(annotated, tracks(people))
    assert result.ap["A"] == pytest.approx(100 * (1 / 3 + 1 / 3 * 2 / 3))
    assert (result.precision["A"], result.recall["A"]) == pytest.approx((200 / 3, 200 / 3))
    assert (result.ap["B"], result.precision["B"], result.recall["B"]) == (0, 0, 0)
    assert list(result.ap) == ["B", "A", "total"]
    assert result.ap["total"] == pytest.approx(result.ap["A"] / 2)
    assert result.table == pytest.approx({"Both": result.ap["A"] / 2, "A": result.ap["A"], "Mean": result.ap["A"] / 2})
    assert result.no_ground_truth == ("B",)


def test_half_a_head_size_is_near_enough_and_a_little_more_is_not() -> None:
    annotated = tracks(truth([(0, 0), (0, 0)]))
    result = posetrack_ap(annotated, tracks([(0, [(9, 12), (9.01, 12)], [1, 1])]))
    assert (result.ap["A"], result.ap["B"]) == (100, 0)


def test_a_predicted_joint_that_nobody_has_is_nan_in_ap_and_0_in_precision() -> None:
    result = posetrack_ap(tracks(truth([(0, 0), None])), tracks([(0, [(0, 0), (5, 5)], [1, 1])]))
    assert_values(result.ap, {"B": None, "A": 100, "total": 100})
    assert_values(result.precision, {"B": 0, "A": 100, "total": 50})
    assert_values(result.recall, {"B": None, "A": 100, "total": 100})
    assert math.isnan(result.table["Both"])
    assert (result.table["A"], result.table["Mean"]) == (100, 100)


def test_nothing_predicted_is_0() -> None:
    assert posetrack_ap(tracks(truth([(0, 0), (1, 1)])), tracks([])).ap == {"B": 0, "A": 0, "total": 0}


def test_of_two_equal_predictions_the_first_is_right() -> None:
    annotated = tracks(truth([(0, 0), (50, 50)]))
    twice: list[Person] = [(0, [(1, 0), (50, 50)], [0.5, 0.5]), (0, [(0, 0), (50, 50)], [0.9, 0.9])]
    assert posetrack_ap(annotated, tracks(twice)).ap["A"] == 50
    assert posetrack_ap(annotated, tracks(twice[::-1])).ap["A"] == 100


def test_a_frame_without_people_does_not_count_and_one_whose_people_have_no_joints_does() -> None:
    people: list[Person] = [(0, [(0, 0), None], [0.5, NAN]), (1, [(0, 0), None], [0.9, NAN])]
    annotated = [*truth([(0, 0), None])]
    assert posetrack_ap(tracks(annotated, 2), tracks(people, 2)).ap["A"] == 100
    annotated.append((1, [None, None], [NAN, NAN]))
    assert posetrack_ap(tracks(annotated, 2), tracks(people, 2)).ap["A"] == 50


def test_joints_in_an_ignore_region_count_on_neither_side() -> None:
    square = [[-5, -5], [5, -5], [5, 5], [-5, 5]]
    annotated = tracks(truth([(0, 0), (50, 50)], [(0, 1), None]), polygons=(square,))
    result = posetrack_ap(annotated, tracks([(0, [(1, 1), (50, 50)], [1, 1]), (0, [(2, 2), None], [1, 1])]))
    assert (result.ap["B"], result.ap["A"], result.no_ground_truth) == (100, 0, ("A",))


def test_a_joint_without_a_score_ranks_last() -> None:
    annotated = tracks(truth([(0, 0), None], [(100, 0), None]))
    people: list[Person] = [(0, [(0, 0), None], [NAN, NAN]), (0, [(300, 0), None], [-5000, NAN])]
    assert posetrack_ap(annotated, tracks(people)).ap["A"] == pytest.approx(25)


def test_a_person_without_head_box_is_an_error_that_advises_pck() -> None:
    of = video(1)
    annotated = TrackSet(PAIR, (of,), (track(of, 12, truth([(0, 0), None])[0], head=[NAN] * 4),))
    with pytest.raises(PoseGraphError, match=r"clip\.json: track 12 has no head box .*000000\.jpg.* PCK"):
        posetrack_ap(annotated, tracks([]))


def test_predictions_must_have_every_video_frame_and_the_same_joints() -> None:
    annotated = tracks(truth([(0, 0), None]), num_frames=2)
    other = video(2, name="other")
    with pytest.raises(PoseGraphError, match=r"video 'clip' is missing \(found: other\); .*clip\.json; predict it"):
        posetrack_ap(annotated, TrackSet(PAIR, (other,), ()))
    with pytest.raises(PoseGraphError, match=r"video 'clip' has 3 frames, expected 2 .*list every image"):
        posetrack_ap(annotated, tracks([], num_frames=3))
    renamed = replace(video(2), frame_files=("000000.jpg", "000007.jpg"))
    renamed.image_ids[1] = 7
    with pytest.raises(PoseGraphError, match=r"image 7 \(000007\.jpg\) of video 'clip' is not in .*same image ids"):
        posetrack_ap(annotated, TrackSet(PAIR, (renamed,), ()))
    with pytest.raises(PoseGraphError, match=r"found the joints of 'coco17', expected .*'pair'"):
        posetrack_ap(annotated, TrackSet(Skeleton.load("coco17"), (video(2),), ()))


def test_images_of_other_ids_are_told_by_their_names() -> None:
    annotated = tracks([(0, [(0, 0), None], [NAN, NAN]), (1, [(50, 0), None], [NAN, NAN])], num_frames=2)
    turned = replace(video(2), frame_files=("elsewhere/000001.jpg", "elsewhere/000000.jpg"))
    turned.image_ids[:] = [0, 1]
    people: list[Person] = [(0, [(50, 0), None], [1, NAN]), (1, [(0, 0), None], [1, NAN])]
    found = tracks(people, num_frames=2)
    moved = tuple(replace(one, video=turned) for one in found)
    assert posetrack_ap(annotated, TrackSet(PAIR, (turned,), moved)).ap["A"] == 100
    assert posetrack_ap(annotated, found).ap["A"] == 0


# --- a second implementation, in plain loops, for random inputs -------------------------------------------------


def is_near(one: Point, other: Point) -> bool:
    return one is not None and other is not None and math.dist(one, other) <= 15


def brute_force(annotated: list[Person], predicted: list[Person], joint: int) -> tuple[float, float, float]:
    marks: list[tuple[float, bool]] = []
    for frame in sorted({person[0] for person in annotated}):
        people = [person for person in annotated if person[0] == frame and person[1] != [None, None]]
        guesses = [person for person in predicted if person[0] == frame and person[1] != [None, None]]
        owner: dict[int, tuple[float, int]] = {}
        for row, guess in enumerate(guesses):
            fit = [
                sum(is_near(a, b) for a, b in zip(guess[1], person[1], strict=True))
                / sum(p is not None for p in person[1])
                for person in people
            ]
            if fit and max(fit) > 0:
                best = fit.index(max(fit))
                if best not in owner or owner[best][0] < max(fit):
                    owner[best] = (max(fit), row)
        person_of = {row: best for best, (_, row) in owner.items()}
        for row, guess in enumerate(guesses):
            if guess[1][joint] is not None:
                right = row in person_of and is_near(guess[1][joint], people[person_of[row]][1][joint])
                marks.append((guess[2][joint], right))
    total = sum(person[1][joint] is not None for person in annotated)
    if not marks:
        return 0, 0, 0
    marks.sort(key=lambda mark: -mark[0])
    found = [sum(right for _, right in marks[: n + 1]) for n in range(len(marks))]
    precision = [count / (n + 1) for n, count in enumerate(found)]
    if not total:
        return NAN, 100 * precision[-1], NAN
    area = sum(max(precision[n:]) / total for n, (_, right) in enumerate(marks) if right)
    return 100 * area, 100 * precision[-1], 100 * found[-1] / total


spot = st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda cell: (9.0 * cell[0], 9.0 * cell[1]))
poses = st.lists(st.tuples(st.integers(0, 1), st.lists(spot, min_size=2, max_size=2)), max_size=5)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(poses, poses, st.randoms(use_true_random=False))
def test_equals_a_brute_force_implementation(people: Any, guesses: Any, random: Any) -> None:
    ranks = random.sample(range(2 * len(guesses)), 2 * len(guesses))
    annotated: list[Person] = [(frame, points, [NAN, NAN]) for frame, points in people]
    predicted: list[Person] = [
        (frame, points, [float(ranks[2 * row]), float(ranks[2 * row + 1])])
        for row, (frame, points) in enumerate(guesses)
    ]
    result = posetrack_ap(tracks(annotated, 2), tracks(predicted, 2))
    for official, joint in (("A", 0), ("B", 1)):
        expected = brute_force(annotated, predicted, joint)
        found = (result.ap[official], result.precision[official], result.recall[official])
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
