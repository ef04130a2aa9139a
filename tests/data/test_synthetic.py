"""The synthetic clips: what is on disk, and whether the annotation tells the truth about the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.synthetic import Summary, generate, render_sequence
from posegraph.data.synthetic.body import load_skeleton
from posegraph.data.synthetic.camera import Camera
from posegraph.data.synthetic.motion import Motion, make_action
from posegraph.data.synthetic.project import project_actor
from posegraph.data.synthetic.props import Prop
from posegraph.data.synthetic.render import render
from posegraph.data.synthetic.scene import SUBFRAMES, Scene, random_scene
from posegraph.errors import PoseGraphError

NAMES = load_skeleton().landmark_names
SIZE = (320, 180)


def joint(name: str) -> int:
    return NAMES.index(name)


def standing_scene(heading: float = 0.0, place: tuple[float, float, float] = (0.0, 0.0, -4.0)) -> Scene:
    """One person who stands upright and still, 4 m before a level camera; heading 0 faces it."""
    rng = np.random.default_rng(5)
    scene = random_scene(rng, frames=1, people=1, size=SIZE)
    actor = scene.actors[0]
    still = make_action(rng, actor.body.skeleton, {"channels": {}}, 1.0)
    motion = Motion(actor.body, still, (still,), np.zeros(1), heading, 1.0)
    zero = np.zeros(SUBFRAMES)
    camera = Camera(np.array([0.0, 1.0, 0.0]), zero, zero, zero, zero + 240.0, SIZE)
    return replace(scene, actors=(replace(actor, motion=motion, offset=np.array(place)),), props=(), camera=camera)


def keypoints(scene: Scene) -> np.ndarray:
    return render(scene, np.random.default_rng(0)).keypoints[0, 0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    out = tmp_path_factory.mktemp("synthetic")
    return out, generate(out, sequences=3, frames=3, people=2, size=SIZE, seed=3, val_fraction=0.34, workers=1)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_same_bytes_with_one_and_two_workers(dataset: tuple[Path, Summary], tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    arguments = {"sequences": 3, "frames": 3, "people": 2, "size": SIZE, "val_fraction": 0.34}
    generate(tmp_path / "a", seed=3, workers=2, on_sequence=lambda *done: calls.append(done), **arguments)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert contents(tmp_path / "a") == contents(dataset[0])
    generate(tmp_path / "b", seed=4, workers=1, **arguments)
    other, own = contents(tmp_path / "b"), contents(dataset[0])
    assert other.keys() == own.keys()
    assert all(other[name] != own[name] for name in own)


def test_layout_and_schema(dataset: tuple[Path, Summary]) -> None:
    out, summary = dataset
    files = sorted(out.glob("annotations/*/*.json"))
    assert [path.parent.name for path in files] == ["train", "train", "val"]
    image_ids: list[int] = []
    person_ids: list[int] = []
    for path in files:
        data = json.loads(path.read_text())
        assert list(data) == ["images", "annotations", "categories"]
        assert len(data["categories"][0]["keypoints"]) == 17
        for number, image in enumerate(data["images"]):
            assert image["file_name"] == f"images/{path.parent.name}/{path.stem}/{number:06d}.jpg"
            assert cv2.imread(str(out / image["file_name"])).shape == (180, 320, 3)
            assert (image["width"], image["height"], image["nframes"]) == (320, 180, 3)
            assert image["is_labeled"] is True
            assert image["has_no_densepose"] is True
            assert image["frame_id"] == image["id"]
        own = [image["id"] for image in data["images"]]
        image_ids += own
        for person in data["annotations"]:
            assert person["image_id"] in own
            person_ids.append(person["id"])
    assert len(set(image_ids)) == len(image_ids) == summary.frames == 9
    assert len(set(person_ids)) == len(person_ids) == summary.poses > 0
    assert not [name for name in contents(out) if not name.endswith((".json", ".jpg"))]


def test_person_entries(dataset: tuple[Path, Summary]) -> None:
    seen = 0
    for path in sorted(dataset[0].glob("annotations/*/*.json")):
        data = json.loads(path.read_text())
        names = data["categories"][0]["keypoints"]
        for person in data["annotations"]:
            points = np.array(person["keypoints"]).reshape(17, 3)
            assert set(points[:, 2]) <= {0, 1, 2}
            assert (points[points[:, 2] == 0] == 0).all()
            assert (points[[names.index("left_ear"), names.index("right_ear")]] == 0).all()
            inside = points[points[:, 2] > 0, :2]
            assert len(inside) >= 4
            extent = inside.max(axis=0) - inside.min(axis=0)
            np.testing.assert_allclose(person["bbox"][2:], 1.3 * extent, atol=0.01)
            x, y, w, h = person["bbox_head"]
            for end in ("head_top", "head_bottom"):
                px, py, v = points[names.index(end)]
                assert v == 0 or (x - 0.1 <= px <= x + w + 0.1 and y - 0.1 <= py <= y + h + 0.1)
            seen += len(inside)
    assert seen == dataset[1].joints


def test_limbs_keep_their_length() -> None:
    world = render_sequence(1, 0, 8, 3, SIZE).joints_world
    for side in ("left", "right"):
        for chain in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            for start, end in pairwise(chain):
                limb = world[:, :, joint(f"{side}_{start}")] - world[:, :, joint(f"{side}_{end}")]
                length = np.linalg.norm(limb, axis=-1)
                np.testing.assert_allclose(length, np.broadcast_to(length[0], length.shape), rtol=1e-9)
                assert (length > 0.15).all()
                assert (length < 0.6).all()


def test_behind_a_wall_every_joint_is_hidden() -> None:
    scene = standing_scene()
    board = np.array([[-3.0, 0.0], [3.0, 0.0], [3.0, 3.0], [-3.0, 3.0]])
    wall = Prop((board,), (np.array([90.0, 90.0, 90.0]),), np.array([0.0, 0.0, -3.0]), np.zeros(3))
    assert (keypoints(replace(scene, props=(wall,)))[:, 2] == 1).all()
    behind = replace(wall, place=np.array([0.0, 0.0, -6.0]))
    assert (keypoints(replace(scene, props=(behind,)))[:, 2] == 2).all()


def test_half_board_hides_only_what_it_covers() -> None:
    board = np.array([[-3.0, 0.0], [3.0, 0.0], [3.0, 0.7], [-3.0, 0.7]])
    wall = Prop((board,), (np.array([90.0, 90.0, 90.0]),), np.array([0.0, 0.0, -3.9]), np.zeros(3))
    flags = keypoints(replace(standing_scene(), props=(wall,)))[:, 2]
    hidden = {name for name, flag in zip(NAMES, flags, strict=True) if flag == 1}
    assert hidden == {"left_knee", "right_knee", "left_ankle", "right_ankle"}


def test_outside_the_image_is_zero() -> None:
    points = keypoints(standing_scene(place=(-2.75, 0.0, -4.0)))
    outside = points[:, 2] == 0
    assert 0 < outside.sum() < len(NAMES)
    assert (points[outside] == 0.0).all()
    assert (points[~outside, :2] >= 0.0).all()
    assert (points[~outside, :2] <= np.array(SIZE) - 1).all()


@pytest.mark.parametrize(("heading", "left_is_right", "nose"), [(0.0, True, 2), (np.pi, False, 1)])
def test_front_and_back(heading: float, left_is_right: bool, nose: int) -> None:
    points = keypoints(standing_scene(heading))
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        left, right = points[joint(f"left_{name}")], points[joint(f"right_{name}")]
        assert (left[0] > right[0]) is np.bool_(left_is_right)
    assert points[joint("nose"), 2] == nose


def test_side_view_hides_the_far_shoulder_and_hip() -> None:
    points = keypoints(standing_scene(np.pi / 2))  # faces the image's right: the right side is near
    assert points[joint("nose"), 0] > points[joint("head_bottom"), 0]
    assert points[joint("right_shoulder"), 2] == 2
    assert points[joint("left_shoulder"), 2] == 1
    assert points[joint("left_hip"), 2] == 1


def test_face_and_back_of_the_head_look_different() -> None:
    pictures = []
    for heading in (0.0, np.pi):
        scene = replace(standing_scene(heading), noise=0.0)
        sequence = render(scene, np.random.default_rng(0))
        x, y, w, h = np.rint(sequence.head_boxes[0, 0]).astype(int)
        pictures.append(cv2.resize(sequence.images[0][y : y + h, x : x + w], (16, 16)).astype(float))
    assert np.abs(pictures[0] - pictures[1]).mean() > 15.0


def test_people_stand_upright_on_the_ground() -> None:
    scene = standing_scene()
    actor = project_actor(scene.actors[0], scene.camera, scene.times.ravel(), scene.light)
    heights = actor.joints_world[0, :, 1]
    assert heights[joint("head_top")] == pytest.approx(scene.actors[0].body.stature, rel=0.08)
    assert 0.0 < heights[joint("left_ankle")] < 0.12


def test_hands_move_without_jumps() -> None:
    for index in range(6):
        world = render_sequence(2, index, 12, 3, (64, 64)).joints_world
        middle = (world[:, :, joint("left_hip")] + world[:, :, joint("right_hip")]) / 2.0
        for side in ("left", "right"):
            step = np.diff(world[:, :, joint(f"{side}_wrist")] - middle, axis=0)
            # 0.7 m in a frame of 1/11 s is the fastest punch; a swap of the hands would be more often.
            assert np.linalg.norm(step, axis=-1).max() < 0.7


def test_share_of_occluded_joints_and_visible_motion() -> None:
    occluded = inside = 0
    steps = []
    for index in range(12):
        points = render_sequence(11, index, 3, 4, (640, 360)).keypoints
        occluded += int((points[..., 2] == 1).sum())
        inside += int((points[..., 2] > 0).sum())
        both = (points[1:, ..., 2] > 0) & (points[:-1, ..., 2] > 0)
        tall = np.ptp(points[..., 1], axis=2)[1:, :, None]
        steps.append((np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1) / np.maximum(tall, 30.0))[both])
    assert 0.12 < occluded / inside < 0.45
    assert np.percentile(np.concatenate(steps), 90) > 0.04


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"people": 0}, "people"),
        ({"frames": 0}, "frames"),
        ({"sequences": 0}, "sequences"),
        ({"size": (640, 10)}, "height"),
        ({"val_fraction": 1.5}, "val_fraction"),
        ({"workers": 0}, "workers"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, change: dict[str, object], word: str) -> None:
    with pytest.raises(PoseGraphError, match=word) as error:
        generate(tmp_path, **change)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_folder_of_another_set_is_refused(dataset: tuple[Path, Summary]) -> None:
    with pytest.raises(PoseGraphError, match="another set"):
        generate(dataset[0], sequences=1, frames=1, people=1, size=SIZE, workers=1)


def test_two_clips_are_one_to_train_on_and_one_to_validate_on(tmp_path: Path) -> None:
    generate(tmp_path, sequences=2, frames=1, people=1, size=SIZE, workers=1)
    assert [len(list((tmp_path / "annotations" / part).glob("*.json"))) for part in ("train", "val")] == [1, 1]
