"""A teacher's poses become annotations: what is kept, what is derived, where the files are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from posegraph.data import read_tracks
from posegraph.data.check import check_data
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

COCO = Skeleton.load("coco17")
HEAD = slice(0, 5)


@pytest.fixture(scope="module")
def labels(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("pseudo_labels")


@pytest.fixture(scope="module")
def cleaning(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("pseudo_poses")


def standing(x: float = 60.0, score: float = 0.9) -> list[list[float]]:
    """Somebody 80 px tall who faces the camera: the person's left is on the right of the image."""
    left = {"eye": (2, 12), "ear": (4, 13), "shoulder": (10, 24), "elbow": (13, 36), "wrist": (14, 47), "hip": (6, 50),
            "knee": (6, 68), "ankle": (6, 86)}  # fmt: skip
    places = {"nose": (0.0, 15.0)}
    places |= {f"left_{part}": (dx, y) for part, (dx, y) in left.items()}
    places |= {f"right_{part}": (-dx, y) for part, (dx, y) in left.items()}
    return [[x + places[joint][0], places[joint][1] + 5, score] for joint in COCO.joints]


def entry(frame: int, points: list[list[float]], track: int = 1, **more: Any) -> dict[str, Any]:
    return {"frame": frame, "id": track, "keypoints": points, "box_xywh": [45.0, 8.0, 30.0, 90.0], **more}


def written(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return path


def kept(cleaning: ModuleType, entries: list[dict[str, Any]], path: Path, **limits: Any) -> tuple[Any, Counter[str]]:
    skipped: Counter[str] = Counter()
    poses = cleaning.read_poses(written(path, entries), skipped)
    return cleaning.usable_joints(poses, cleaning.Limits(**limits), skipped), skipped


def test_low_scores_are_left_out(cleaning: ModuleType, tmp_path: Path) -> None:
    points = standing()
    points[COCO.index["left_wrist"]][2] = 0.1
    found, skipped = kept(cleaning, [entry(0, points), entry(1, standing(score=0.2))], tmp_path / "poses.json")
    assert list(found) == [(0, 1)]
    assert [COCO.joints[row] for row in np.flatnonzero(~found[0, 1])] == ["left_wrist"]
    assert skipped == {"joint with a low score": 1, "joint that jumps": 0, "pose with a low score": 1}


def test_somebody_elses_skeleton_is_left_out(cleaning: ModuleType, tmp_path: Path) -> None:
    entries = [entry(0, standing(), duplicate_of=None), entry(0, standing(), track=2, duplicate_of=1)]
    found, skipped = kept(cleaning, entries, tmp_path / "poses.json")
    assert list(found) == [(0, 1)]
    assert skipped["pose of somebody else (duplicate_of)"] == 1


def test_a_joint_that_jumps_is_left_out_and_one_that_moves_is_not(cleaning: ModuleType, tmp_path: Path) -> None:
    poses = [standing(60 + 10 * frame) for frame in range(3)]
    elbow = COCO.index["right_elbow"]
    poses[1][elbow][1] += 14  # the box is 90 px high: 15% are 13.5
    found, skipped = kept(cleaning, [entry(frame, points) for frame, points in enumerate(poses)], tmp_path / "p.json")
    assert np.flatnonzero(~found[1, 1]).tolist() == [elbow]
    assert found[0, 1].all()
    assert found[2, 1].all()
    assert skipped["joint that jumps"] == 1


def test_a_short_stretch_with_left_and_right_exchanged_is_left_out(cleaning: ModuleType, tmp_path: Path) -> None:
    flipped = [standing()[row] for row in COCO.flip_rows]
    poses = [flipped if 8 <= frame < 11 else standing() for frame in range(20)]
    entries = [entry(frame, points) for frame, points in enumerate(poses)]
    found, skipped = kept(cleaning, entries, tmp_path / "poses.json", run=5)
    assert sorted(frame for frame, _ in found) == [*range(8), *range(11, 20)]
    assert skipped["pose whose left and right are in doubt"] == 3
    everything, _ = kept(cleaning, entries, tmp_path / "poses.json", run=1)
    assert len(everything) == 20


def test_neck_and_head_top_lie_on_the_line_from_shoulders_through_ears(labels: ModuleType) -> None:
    points = np.array(standing())[:, :2]
    every = np.ones(17, dtype=np.bool_)
    places, there = labels.with_derived(points, every)
    names = labels.category()["keypoints"]
    # Shoulders at y 29, ears at y 18: 11 px up.
    assert (names[17:], there[17:].tolist()) == (["head_bottom", "head_top"], [True, True])
    np.testing.assert_allclose(places[17:], [[60, 29 - 0.42 * 11], [60, 29 - 1.56 * 11]])
    # Without ears, through the nose: y 20, 9 px up.
    places, there = labels.with_derived(points, every & ~np.array(["ear" in joint for joint in COCO.joints]))
    np.testing.assert_allclose(places[17:], [[60, 29 - 0.46 * 9], [60, 29 - 1.72 * 9]])
    # Not from ears beside the shoulders, nor without a shoulder.
    bent = points.copy()
    bent[HEAD, 1] = 27
    assert labels.with_derived(bent, every)[1].tolist() == [True] * 17 + [False] * 2
    assert not labels.with_derived(points, every & ~np.array(["left_sh" in joint for joint in COCO.joints]))[1][
        17:
    ].any()


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for number in range(5):
        writer.write(np.full((120, 160, 3), 40 * number, dtype=np.uint8))
    writer.release()
    return path


def test_the_set_is_read_for_any_skeleton(
    labels: ModuleType, cleaning: ModuleType, movie: Path, tmp_path: Path
) -> None:
    poses = [standing(60 + frame) for frame in range(4)]
    poses[3][COCO.index["left_ankle"]][:2] = [70.0, 130.0]  # below the image; so frame 2's is not in the middle
    file = written(tmp_path / "poses.json", [entry(frame, points) for frame, points in enumerate(poses)])
    result = labels.write_set(movie, file, tmp_path / "set", "street", "train", cleaning.Limits())
    assert (result["frames"], result["poses"], result["people"], result["joints"]) == (5, 4, 1, 4 * 19 - 2)
    folder = tmp_path / "set/annotations/train"
    assert [path.name for path in folder.iterdir()] == ["street.json"]

    track = read_tracks(folder, "posetrack17").tracks[0]
    assert track.annotated.sum(axis=1).tolist() == [17, 17, 16, 16]
    row = track.video.frame_files.index("images/train/street/000002.jpg")
    assert track.frame.tolist()[2] == row
    np.testing.assert_allclose(track.keypoints_px[2][Skeleton.load("posetrack17").index["nose"]], [62.0, 20.0])
    # The teacher's box is 45..75 x 8..98; the wrists of frame 0 are at 46 and 74, of frame 3 at 49 and 77.
    np.testing.assert_allclose(track.boxes_xywh[0], [45, 8, 30, 90])
    np.testing.assert_allclose(track.boxes_xywh[3], [45, 8, 32, 90])
    assert read_tracks(folder, "coco17").tracks[0].annotated.sum(axis=1).tolist() == [17, 17, 16, 16]
    assert not any(check_data(folder, "coco17").findings.values())
    image = cv2.imread(str(tmp_path / "set/images/train/street/000002.jpg"))
    assert abs(int(image[60, 80, 0]) - 80) < 8


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2: JSONDecodeError"),
        ('{"frame": 1, "id": 1, "keypoints": []}', r"line 2: KeyError\('box_xywh'\); expected an object with frame"),
        (
            json.dumps(entry(1, standing()[:5])),
            r"line 2: keypoints \(5, 3\) and box \(4,\); expected 17 of x, y, score",
        ),
        (json.dumps(entry(0, standing())), r"line 2: person 1 is in frame 0 twice"),
        (json.dumps(entry(1, [[float("nan")] * 3] * 17)), r"line 2: ValueError\('NaN or infinity'\)"),
    ],
)
def test_faulty_poses(line: str, message: str, cleaning: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "poses.json"
    path.write_text(json.dumps(entry(0, standing())) + "\n" + line + "\n")
    with pytest.raises(PoseGraphError, match=message):
        cleaning.read_poses(path, Counter())


def test_poses_of_another_video(labels: ModuleType, cleaning: ModuleType, movie: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "poses.json", [entry(9, standing())])
    with pytest.raises(PoseGraphError, match=r"has people in frame 9, which .*walk\.avi has not \(5 frames\)"):
        labels.write_set(movie, file, tmp_path / "set", "street", "train", cleaning.Limits())
    assert not (tmp_path / "set/annotations").exists()
