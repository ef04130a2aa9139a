"""Reading SLEAP's files: made with sleap-io itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posegraph.data import UNKNOWN, read_tracks, write_tracks
from posegraph.errors import PoseGraphError

sio = pytest.importorskip("sleap_io")

NAN = float("nan")
NODES = ["head", "wingL", "wingR"]
A, B, C = [[1, 2], [3, 4], [NAN, NAN]], [[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12.5]]


class Clip:
    """Two tracks in one movie; frame 5 has a user's instance over a predicted one."""

    def __init__(self, **skeleton: Any) -> None:
        made = {
            "nodes": list(NODES),
            "edges": [("head", "wingL"), ("head", "wingR")],
            "symmetries": [("wingR", "wingL")],
        }
        self.skeleton = sio.Skeleton(**made | {"name": "fly"} | skeleton)
        self.tracks = [sio.Track("a"), sio.Track("b")]
        self.video = sio.Video("movies/clip.mp4", open_backend=False)

    def user(self, points: Any, track: int | None) -> Any:
        chosen = None if track is None else self.tracks[track]
        return sio.Instance.from_numpy(np.array(points, dtype=float), skeleton=self.skeleton, track=chosen)

    def predicted(self, points: Any, track: int | None, score: float = 0.75) -> Any:
        chosen = None if track is None else self.tracks[track]
        return sio.PredictedInstance.from_numpy(
            np.array(points, dtype=float),
            skeleton=self.skeleton,
            track=chosen,
            point_scores=[0.5, 0.25, 0.125],
            score=score,
        )

    def labels(self, **frames: list[Any]) -> Any:
        labelled = [
            sio.LabeledFrame(video=self.video, frame_idx=int(name[1:]), instances=instances)
            for name, instances in frames.items()
        ]
        return sio.Labels(videos=[self.video], skeletons=[self.skeleton], tracks=self.tracks, labeled_frames=labelled)


def slp(tmp_path: Path) -> Path:
    clip = Clip()
    labels = clip.labels(
        f5=[clip.user(A, 0), clip.predicted(B, 0), clip.predicted(C, 1)], f2=[clip.predicted(B, 0)], f9=[]
    )
    sio.save_slp(labels, str(tmp_path / "x.slp"))
    return tmp_path / "x.slp"


def test_reads_users_and_predicted_instances(tmp_path: Path) -> None:
    tracks = read_tracks(slp(tmp_path))
    (one, two), (video,), skeleton = tracks.tracks, tracks.videos, tracks.skeleton
    assert (skeleton.name, skeleton.joints) == ("fly", tuple(NODES))
    assert skeleton.bones == (("head", "wingL"), ("head", "wingR"))
    assert skeleton.flip_pairs == (("wingL", "wingR"),)
    assert (video.name, video.layout) == ("clip", "sleap")
    assert video.frame_files == ("movies/clip.mp4#2", "movies/clip.mp4#5", "movies/clip.mp4#9")
    assert video.image_ids.tolist() == [2, 5, 9]
    assert (one.track_id, one.frame.tolist(), two.track_id, two.frame.tolist()) == (0, [0, 1], 1, [1])
    assert one.keypoints_px.tolist() == [B, [[1, 2], [3, 4], [0, 0]]]
    assert one.annotated.tolist() == [[True] * 3, [True, True, False]]
    assert (one.visibility == UNKNOWN).all()
    np.testing.assert_array_equal(one.keypoint_scores, [[0.5, 0.25, 0.125], [NAN] * 3])
    np.testing.assert_array_equal(one.scores, [0.75, NAN])
    assert dict(tracks.skipped) == {"predicted instance that a user's instance replaces": 1}


def test_analysis_files(tmp_path: Path) -> None:
    sio.save_analysis_h5(sio.load_slp(str(slp(tmp_path)), open_videos=False), str(tmp_path / "x.h5"))
    tracks = read_tracks(tmp_path / "x.h5")
    assert tracks.videos[0].layout == "sleap"
    assert tracks.tracks[0].frame.tolist() == [0, 1]


def test_instances_without_tracks_and_invisible_points(tmp_path: Path) -> None:
    clip = Clip(symmetries=[])
    hidden = clip.user(B, None)
    hidden.points["visible"][2] = False
    sio.save_slp(clip.labels(f0=[hidden, clip.predicted(C, None)]), str(tmp_path / "x.slp"))
    tracks = read_tracks(tmp_path / "x.slp")
    assert [(track.track_id, track.track_id_given) for track in tracks] == [(0, False), (1, False)]
    assert tracks.tracks[0].annotated.tolist() == [[True, True, False]]
    assert dict(tracks.skipped) == {"point marked as not visible (taken as not annotated, as SLEAP does)": 1}
    assert tracks.skeleton.flip_pairs == (("wingL", "wingR"),)  # as the names say


def test_image_sequences_and_several_videos(tmp_path: Path) -> None:
    clip = Clip()
    names = [tmp_path / "walk" / f"{number}.png" for number in range(3)]
    names[0].parent.mkdir()
    for name in names:
        cv2.imwrite(str(name), np.zeros((4, 6, 3), dtype=np.uint8))
    images = sio.Video.from_filename([str(name) for name in names])
    frames = [
        sio.LabeledFrame(video=images, frame_idx=2, instances=[clip.user(B, 0)]),
        sio.LabeledFrame(video=clip.video, frame_idx=0, instances=[clip.user(C, 0)]),
    ]
    labels = sio.Labels(
        videos=[clip.video, images], skeletons=[clip.skeleton], tracks=clip.tracks, labeled_frames=frames
    )
    sio.save_slp(labels, str(tmp_path / "x.slp"))
    videos = read_tracks(tmp_path / "x.slp").videos
    assert [(video.name, video.frame_files, video.image_hw.tolist()) for video in videos] == [
        ("clip", ("movies/clip.mp4#0",), [[0, 0]]),
        ("walk", (str(names[2]),), [[4, 6]]),
    ]


def test_written_in_another_layout(tmp_path: Path) -> None:
    tracks = read_tracks(slp(tmp_path))
    assert [path.name for path in write_tracks(tracks, tmp_path / "out", "coco").paths] == ["clip.json"]
    back = read_tracks(tmp_path / "out")
    assert (back.skeleton.joints, back.videos[0].frame_files) == (tracks.skeleton.joints, tracks.videos[0].frame_files)
    for one, other in zip(tracks, back, strict=True):
        np.testing.assert_array_equal(one.keypoints_px, other.keypoints_px)
        np.testing.assert_array_equal(one.annotated, other.annotated)


def test_damaged_and_other_files(tmp_path: Path) -> None:
    path = slp(tmp_path)
    whole = path.read_bytes()
    for length in (8, 500, 3000, len(whole) // 2, len(whole) - 50):
        path.write_bytes(whole[:length])
        with pytest.raises(PoseGraphError, match=rf"^{path}: not readable as .*; ") as caught:
            read_tracks(path)
        assert "\n" not in str(caught.value)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(PoseGraphError, match=r"other\.h5: HDF5, but not of SLEAP; expected a \.slp file"):
        read_tracks(tmp_path / "other.h5", format="sleap")
    with pytest.raises(PoseGraphError, match=r"none\.slp: no such file"):
        read_tracks(tmp_path / "none.slp", format="sleap")


def test_the_library_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = slp(tmp_path)
    monkeypatch.setitem(sys.modules, "sleap_io", None)
    with pytest.raises(PoseGraphError, match=r"x\.slp: reading it needs sleap_io, .*pip install 'posegraph\[sleap\]'"):
        read_tracks(path)
