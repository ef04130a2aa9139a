"""Reading JHMDB: files made in the published layout, and what can be wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from posegraph.data import UNKNOWN, read_tracks
from posegraph.data.video import FrameReader
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

POSITIONS = np.arange(2 * 15 * 3, dtype=np.float64).reshape(2, 15, 3) + 1


def clip(root: Path, name: str = "catch/one", frames: str | None = "Rename_Images", **content: Any) -> Path:
    """``joint_positions.mat`` of one clip with the variables that the published files have, and its frames folder."""
    path = root / "joint_positions" / name / "joint_positions.mat"
    path.parent.mkdir(parents=True)
    made = {"pos_img": POSITIONS, "pos_world": POSITIONS, "scale": np.ones((1, 3)), "viewpoint": "S"} | content
    savemat(path, {key: value for key, value in made.items() if value is not None})
    if frames:
        (root / frames / name).mkdir(parents=True)
    return path


def test_reads_a_clip(tmp_path: Path) -> None:
    tracks = read_tracks(clip(tmp_path))
    (track,), (video,) = tracks.tracks, tracks.videos
    assert (tracks.skeleton, video.name, video.layout) == (Skeleton.load("jhmdb15"), "one", "jhmdb")
    assert video.frame_files == tuple(f"Rename_Images/catch/one/0000{number}.png" for number in (1, 2, 3))
    assert track.frame.tolist() == [0, 1, 2]
    # MATLAB's first pixel is (1, 1)
    assert track.keypoints_px[1, 4].tolist() == [POSITIONS[0, 4, 1] - 1, POSITIONS[1, 4, 1] - 1] == [13, 58]
    assert track.annotated.all()
    assert (track.visibility == UNKNOWN).all()
    # joints span 0..42 and 45..87 in the first frame: 42 x 1.3 = 54.6 about the middle
    np.testing.assert_allclose(track.boxes_xywh[0], [-6.3, 38.7, 54.6, 54.6])


def test_a_folder_of_clips(tmp_path: Path) -> None:
    for name in ("walk/two", "catch/one"):
        clip(tmp_path, name)
    for folder in (tmp_path, tmp_path / "joint_positions"):
        assert [video.name for video in read_tracks(folder).videos] == ["one", "two"]


@pytest.mark.parametrize(("frames", "folder"), [("Frames", "Frames"), (None, "Rename_Images")])
def test_where_the_frames_are(tmp_path: Path, frames: str | None, folder: str) -> None:
    (video,) = read_tracks(clip(tmp_path, frames=frames)).videos
    assert video.frame_files[0] == f"{folder}/catch/one/00001.png"
    if frames:
        (tmp_path / video.frame_files[0]).touch()
        assert FrameReader().root(video) == tmp_path


def test_one_frame_has_no_third_axis(tmp_path: Path) -> None:
    tracks = read_tracks(clip(tmp_path, pos_img=POSITIONS[..., 0]))
    assert tracks.tracks[0].keypoints_px.shape == (1, 15, 2)


def test_positions_that_are_no_numbers(tmp_path: Path) -> None:
    positions = POSITIONS.copy()
    positions[0, 2, 1] = np.nan
    tracks = read_tracks(clip(tmp_path, pos_img=positions))
    assert np.argwhere(~tracks.tracks[0].annotated).tolist() == [[1, 2]]
    assert dict(tracks.skipped) == {"joint at NaN or infinity (taken as not annotated)": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"pos_img": None}, "pos_img: found no such variable, expected"),
        (
            {"pos_img": np.zeros((2, 14, 3))},
            r"pos_img: found float64 of shape \[2, 14, 3\], expected .*\[2, 15, frames\]",
        ),
        ({"pos_img": "text"}, "pos_img: found <U4 of shape"),
        ({"pos_img": {"x": 1}}, r"pos_img: found .* of shape \[1, 1\]"),
    ],
)
def test_another_mat_file(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    path = clip(tmp_path, **content)
    with pytest.raises(PoseGraphError, match=rf"^{path}: {message}.*; give the joint_positions\.mat of JHMDB"):
        read_tracks(path)


def test_damaged_files(tmp_path: Path) -> None:
    path = clip(tmp_path)
    whole, said = path.read_bytes(), []
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            (track,) = read_tracks(path, format="jhmdb")
        except PoseGraphError as error:
            said.append(str(error))
        else:  # only variables behind the positions are gone
            np.testing.assert_array_equal(track.keypoints_px, POSITIONS.T - 1)
    assert len(said) > 5
    assert all(re.fullmatch(rf"{path}: .*; .*", message) for message in said)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + whole[128:])
    with pytest.raises(PoseGraphError, match=r"a MATLAB 7\.3 file, expected version 5; save it in MATLAB with '-v7'"):
        read_tracks(path)
    with pytest.raises(PoseGraphError, match=r"none\.mat: no such file; check the path"):
        read_tracks(tmp_path / "none.mat", format="jhmdb")
