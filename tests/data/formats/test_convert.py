"""Converting between layouts: what is kept, what is said to be lost, and what is never written over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from posegraph.data import convert, read_tracks
from posegraph.errors import PoseGraphError
from posegraph.metrics import posetrack_ap
from posegraph.skeleton import Skeleton
from posegraph_cli.data import data


def posetrack18(folder: Path) -> Path:
    """Two people in two frames; the first has an ear and a box of its own."""
    joints = Skeleton.load("posetrack17").joints
    keypoints = [value for row in range(17) for value in ((row + 1, 2 * row, 1) if row in (0, 1, 3, 9) else (0, 0, 0))]
    images = [
        {
            "id": 10**10 + 50000 + n,
            "file_name": f"images/000005_mpii/{n:06d}.jpg",
            "is_labeled": True,
            "width": 9,
            "height": 8,
        }
        for n in (0, 1)
    ]
    person = {"keypoints": keypoints, "bbox_head": [1, 2, 3, 4], "category_id": 1, "scores": []}
    people = [
        {"image_id": images[0]["id"], "id": 1, "track_id": 4, "bbox": [0, 0, 50, 60], "person_id": 77, **person},
        {"image_id": images[1]["id"], "id": 2, "track_id": 4, **person},
    ]
    content = {
        "images": images,
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints)}],
    }
    folder.mkdir(parents=True)
    (folder / "000005_mpii.json").write_text(json.dumps(content))
    return folder


def test_posetrack18_to_17_and_back(tmp_path: Path) -> None:
    source = posetrack18(tmp_path / "in")
    done = convert(source, tmp_path / "old", "posetrack17", format="posetrack18")
    assert (done.paths, done.videos, done.frames, done.people) == ((tmp_path / "old" / "000005_mpii.json",), 1, 2, 2)
    assert dict(done.lost) == {
        "position of left_ear, which the layout lacks": 2,
        "box of a person": 1,
        "size of an image": 2,
    }
    frames = json.loads(done.paths[0].read_text())["annolist"]
    assert [frame["imgnum"] for frame in frames] == [[1], [2]]  # counted from 1, though the names count from 0
    assert frames[0]["annorect"][0]["x2"] == [4]
    assert [point["id"] for point in frames[0]["annorect"][0]["annopoints"][0]["point"]] == [[11], [12], [13]]
    assert frames[0]["annorect"][0]["person_id"] == 77
    convert(tmp_path / "old", tmp_path / "new", "posetrack18")
    one, other = read_tracks(source, keep_empty=True), read_tracks(tmp_path / "new", keep_empty=True)
    assert other.skeleton.name == "posetrack17"
    assert one.videos[0].image_ids.tolist() == other.videos[0].image_ids.tolist()
    scored = list(one.skeleton.scored_rows.values())
    np.testing.assert_array_equal(one.tracks[0].keypoints_px[:, scored], other.tracks[0].keypoints_px[:, scored])
    np.testing.assert_array_equal(one.tracks[0].head_boxes_xywh, other.tracks[0].head_boxes_xywh)
    image = json.loads((tmp_path / "new" / "000005_mpii.json").read_text())["images"][1]
    assert (image["vid_id"], image["nframes"], image["frame_id"]) == ("000005_mpii", 2, 10**10 + 50001)


def test_visibility_goes_with_v(tmp_path: Path) -> None:
    points = [{"id": [0], "x": [1], "y": [2], "is_visible": [1]}, {"id": [1], "x": [3], "y": [4], "is_visible": [0]}]
    frame = {"image": [{"name": "a/1.jpg"}], "annorect": [{"track_id": [0], "annopoints": [{"point": points}]}]}
    (tmp_path / "a.json").write_text(json.dumps({"annolist": [frame]}))
    convert(tmp_path / "a.json", tmp_path / "out.json", "coco")
    (person,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert person["keypoints"][:6] == [1, 2, 2, 3, 4, 1]
    assert read_tracks(tmp_path / "out.json").tracks[0].visibility[0, :2].tolist() == [1, 0]


def test_joints_of_a_skeleton(tmp_path: Path) -> None:
    source = posetrack18(tmp_path / "in")
    convert(source, tmp_path / "out", "coco", format="posetrack18", skeleton="coco17")
    content = json.loads((tmp_path / "out" / "000005_mpii.json").read_text())
    assert content["categories"][0]["keypoints"] == list(Skeleton.load("coco17").joints)
    assert content["annotations"][0]["keypoints"][:3] == [1, 0, 1]  # the nose
    assert content["annotations"][0]["num_keypoints"] == 3
    assert (content["annotations"][1]["iscrowd"], "bbox" in content["annotations"][1]) == (0, True)


def test_files_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    source = posetrack18(tmp_path / "in")
    before = (source / "000005_mpii.json").read_bytes()
    for out in (source, source / "000005_mpii.json"):
        with pytest.raises(PoseGraphError, match=r"000005_mpii\.json: is there already, .*; give another folder"):
            convert(source, out, "posetrack17")
    assert (source / "000005_mpii.json").read_bytes() == before
    with pytest.raises(PoseGraphError, match="format 'posetrack19' is not written"):
        convert(source, tmp_path / "out", "posetrack19")
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path: Path) -> None:
    source = posetrack18(tmp_path / "in")
    arguments = ["convert", str(source), str(tmp_path / "out"), "--to", "posetrack17", "--json", "-"]
    result = CliRunner().invoke(data, arguments)
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["paths"] == [str(tmp_path / "out" / "000005_mpii.json")]
    assert (found["people"], found["lost"]["size of an image"]) == (2, 2)
    assert result.stderr.splitlines()[-1] == f"{tmp_path / 'out'}: 1 files, 1 videos, 2 frames, 2 people"
    # the ears of a PoseTrack21 file (person_id) are not read
    assert "2 not read: position of a joint that PoseTrack21 does not annotate" in result.stderr
    assert "2 lost: size of an image" in result.stderr


@pytest.mark.parametrize("layout", ["posetrack18", "coco"])
def test_real_posetrack17_scores_the_same_in_another_layout(real_data: Path, tmp_path: Path, layout: str) -> None:
    folder = real_data / "eval_vectors/d_edge_pt17"
    direct, converted = {}, {}
    for side in ("gt", "pred"):
        convert(folder / side, tmp_path / side, layout)
        direct[side] = read_tracks(folder / side, keep_empty=True)
        converted[side] = read_tracks(tmp_path / side, direct[side].skeleton, keep_empty=True)
    one, other = (posetrack_ap(tracks["gt"], tracks["pred"]) for tracks in (direct, converted))
    assert one.ap == pytest.approx(json.loads((folder / "expected.json").read_text())["AP"], abs=1e-6)
    assert other.ap == pytest.approx(one.ap, abs=1e-9)
