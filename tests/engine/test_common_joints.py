"""A model of one skeleton on data of another: the joints that both have are scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegraph.data import read_tracks, write_tracks
from posegraph.engine.common_joints import on_common_joints
from posegraph.metrics import score

COMMON = [
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
    "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
]  # fmt: skip


@pytest.fixture(scope="module")
def val(synthetic: Path) -> Path:
    return synthetic / "annotations/val"


def test_a_coco_model_on_posetrack_data(val: Path) -> None:
    """The files name no eyes, and name ears that they never annotate."""
    truth = read_tracks(val, "coco17", keep_empty=True)
    ours, theirs, left_out = on_common_joints(truth, truth)
    assert left_out == ("left_eye", "right_eye", "left_ear", "right_ear")
    assert list(ours.skeleton.scored_rows) == COMMON
    assert ours.skeleton == theirs.skeleton
    assert ours.skeleton.joints == truth.skeleton.joints
    perfect = score(ours, theirs)
    assert perfect.table == pytest.approx(dict.fromkeys(perfect.table, 100.0))
    assert list(perfect.table) == ["Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Mean"]


def test_data_that_name_every_joint_are_scored_as_ever(val: Path) -> None:
    """Also joints that nobody annotated: poseval has its rule for them."""
    truth = read_tracks(val, "posetrack17", keep_empty=True)
    assert on_common_joints(truth, truth) == (truth, truth, ())


def test_joints_that_are_not_scored_may_be_missing(val: Path, tmp_path: Path) -> None:
    """A PoseTrack17 file has no ears, and posetrack17 does not score them."""
    write_tracks(read_tracks(val, "posetrack17", keep_empty=True), tmp_path, format="posetrack17")
    truth = read_tracks(tmp_path, "posetrack17", keep_empty=True)
    assert not truth.tracks[0].annotated[:, 3:5].any()
    assert on_common_joints(truth, truth) == (truth, truth, ())
