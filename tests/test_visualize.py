from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from posegraph.data.people import FramePoses
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.visualize import VideoWriter, draw_frame, draw_pose, filmstrip, letterbox, person_color, write_png
from posegraph.visualize.colors import CENTRE, LEFT, RIGHT, bone_colors, joint_colors

TOY = Skeleton(
    name="toy",
    joints=("nose", "l_hand", "r_hand"),
    bones=(("nose", "l_hand"), ("nose", "r_hand"), ("l_hand", "r_hand")),
    flip_pairs=(("l_hand", "r_hand"),),
)
# 200 px apart: bones of 2 px, joints of 2.7 px radius.
POINTS = np.array([[150.0, 50.0], [50.0, 250.0], [250.0, 250.0]])


def grey(height: int = 300, width: int = 300) -> np.ndarray:
    return np.full((height, width, 3), 100, dtype=np.uint8)


def test_sides_have_their_colours() -> None:
    assert joint_colors(TOY) == [CENTRE, LEFT, RIGHT]
    assert bone_colors(TOY) == [LEFT, RIGHT, CENTRE]


def test_joints_and_bones_are_where_they_belong() -> None:
    image = grey()
    drawn = draw_pose(image, POINTS, TOY)
    assert [tuple(drawn[int(y), int(x)]) for x, y in POINTS] == [CENTRE, LEFT, RIGHT]
    assert tuple(drawn[150, 100]) == LEFT
    assert tuple(drawn[150, 200]) == RIGHT
    assert (image == 100).all(), "the frame itself stays as it was"


def test_a_person_colour_takes_the_bones_and_leaves_the_joints() -> None:
    drawn = draw_pose(grey(), POINTS, TOY, color=(1, 2, 3))
    assert tuple(drawn[150, 100]) == (1, 2, 3)
    assert tuple(drawn[250, 50]) == LEFT


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_missing_joint_takes_its_bones_with_it(missing: float) -> None:
    points = POINTS.copy()
    points[1] = missing
    drawn = draw_pose(grey(), points, TOY)
    changed = np.argwhere((drawn != 100).any(axis=2))
    # Only the bone from the nose (150, 50) to the right hand (250, 250) is left.
    assert changed[:, 1].min() >= 150 - 5
    assert tuple(drawn[150, 200]) == RIGHT


@pytest.mark.parametrize("doubt", [{"confidence": np.array([0.9, 0.1, 0.9])}, {"seen": np.array([True, False, True])}])
def test_an_uncertain_joint_is_hollow_and_its_bones_are_dashed(doubt: dict[str, np.ndarray]) -> None:
    drawn = draw_pose(grey(), POINTS, TOY, **doubt)
    assert tuple(drawn[250, 50]) == (255, 255, 255)
    along = np.linspace(POINTS[0], POINTS[1], 400).round().astype(int)
    on = (drawn[along[:, 1], along[:, 0]] == LEFT).all(axis=1)
    assert 0.3 < on.mean() < 0.7
    assert tuple(drawn[150, 200]) == RIGHT


def test_nobody_and_far_away_people_leave_the_frame_alone() -> None:
    assert (draw_pose(grey(), np.full((3, 2), np.nan), TOY) == 100).all()
    assert (draw_pose(grey(), POINTS + 1e12, TOY) == 100).all()


def test_a_label_stays_inside_the_frame() -> None:
    drawn = draw_pose(grey(), POINTS - [140, 45], TOY, color=(0, 0, 200), label="id 7")
    assert tuple(drawn[0, 0]) == (0, 0, 200)
    assert (drawn[:20, :50] == 255).all(axis=2).any(), "white letters on a dark box"


def several(tops: list[tuple[float, float]], size: float = 40.0) -> FramePoses:
    """People ``size`` px high with their nose at ``tops``, ids from 10 on."""
    shape = np.array([[0.5, 0.0], [0.0, 1.0], [1.0, 1.0]]) * size
    points = np.array([shape + np.array([x - size / 2, y]) for x, y in tops]).reshape(-1, 3, 2)
    n = len(tops)
    boxes = np.concatenate([points.reshape(n, 3, 2).min(axis=1), np.full((n, 2), size)], axis=1)
    return FramePoses(np.arange(n) + 10, boxes, np.ones(n), points, np.full((n, 3), 0.9))


def test_a_frame_shows_everybody_in_the_colour_of_the_track() -> None:
    image, noses = grey(600, 600), [(150, 100), (400, 350)]
    drawn = draw_frame(image, several(noses, size=200), TOY)
    for person, (x, y) in enumerate(noses):
        assert tuple(drawn[y + 100, x - 50]) == person_color(10 + person), "halfway from the nose to the left hand"
        assert tuple(drawn[y, x]) == CENTRE
        label = (drawn[y - 40 : y - 5, x - 60 : x + 60] == person_color(10 + person)).all(axis=2)
        assert label.sum() > 400, "the label above has the same colour"
    assert (image == 100).all(), "the frame itself stays as it was"


def test_the_nearer_person_is_on_top() -> None:
    # Feet are at 350 and 300; the left bone of the first crosses the right bone of the second at (285, 180).
    poses = several([(320, 110), (250, 110)], size=200)
    poses.boxes_xywh[0, 1] += 50
    drawn = draw_frame(grey(400, 600), poses, TOY)
    again = draw_frame(grey(400, 600), FramePoses(*(values[::-1] for values in poses)), TOY)
    assert (drawn == again).all(), "the order of the list does not matter"
    assert tuple(drawn[180, 285]) == person_color(10)


def test_labels_do_not_cover_each_other() -> None:
    crowd = several([(150 + 8 * person, 200 + 3 * person) for person in range(6)])
    drawn = draw_frame(grey(400, 400), crowd, TOY)
    for person in range(6):
        own = (drawn[:200] == person_color(10 + person)).all(axis=2)
        assert own.sum() > 100, f"the label of {10 + person} is seen"


@pytest.mark.parametrize("size", [(180, 320), (2160, 3840)])
def test_nobody_leaves_a_frame_alone_and_outsiders_do_no_harm(size: tuple[int, int]) -> None:
    assert (draw_frame(grey(*size), FramePoses.nobody(3), TOY) == 100).all()
    outside = several([(-500, -500), (1e7, 1e7), (np.nan, np.nan)])
    drawn = draw_frame(grey(*size), outside._replace(keypoint_scores=np.zeros((3, 3))), TOY)
    assert (drawn[size[0] // 2 - 5 : size[0] // 2 + 5] == 100).all()


def test_letterbox_centres_the_whole_image() -> None:
    boxed = letterbox(np.full((100, 50, 3), 9, np.uint8), 200, 300, background=(1, 2, 3))
    assert boxed.shape == (200, 300, 3)
    assert (boxed[:, 100:200] == 9).all()
    assert (boxed[:, :100] == (1, 2, 3)).all()
    assert (boxed[:, 200:] == (1, 2, 3)).all()


def test_neighbouring_ids_look_different() -> None:
    colors = np.array([person_color(number) for number in range(6)], dtype=int)
    apart = np.abs(colors[:, None] - colors[None]).sum(axis=2)
    assert apart[~np.eye(6, dtype=bool)].min() > 80


def test_filmstrip_lays_out_rows_and_columns() -> None:
    red, blue = np.full((140, 100, 3), (0, 0, 255), np.uint8), np.full((140, 100, 3), (255, 0, 0), np.uint8)
    page = filmstrip([[red, blue], [blue, red]], ["truth", "model"], ["t", "t + 1"])
    is_red, is_blue = (page == red[0, 0]).all(axis=2), (page == blue[0, 0]).all(axis=2)
    assert (is_red.sum(), is_blue.sum()) == (2 * 140 * 100, 2 * 140 * 100)
    first_red, last_red = np.argwhere(is_red)[0], np.argwhere(is_red)[-1]
    first_blue = np.argwhere(is_blue)[0]
    assert first_red[0] == first_blue[0]
    assert first_red[1] < first_blue[1]
    assert tuple(last_red - first_red) == (2 * 140 + 6 - 1, 2 * 100 + 6 - 1), "12 px text has gaps of 6 px"
    assert page[:, : first_red[1]].min() < 100, "row titles are written"


def test_filmstrip_shrinks_other_sizes_to_the_first() -> None:
    red, tall = np.full((140, 100, 3), (0, 0, 255), np.uint8), np.full((280, 100, 3), (255, 0, 0), np.uint8)
    page = filmstrip([[red, tall]], [""], ["", ""])
    assert (page == tall[0, 0]).all(axis=2).sum() == 140 * 50


def test_filmstrip_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"got rows of \[1, 2\] images, 2 row titles and 1 column titles"):
        filmstrip([[grey()], [grey(), grey()]], ["a", "b"], ["t"])


def test_png_reads_back_equal(tmp_path: Path) -> None:
    image = draw_pose(grey(), POINTS, TOY)
    write_png(tmp_path / "new" / "pose.png", image)
    assert (cv2.imread(str(tmp_path / "new" / "pose.png")) == image).all()


def test_video_reads_back(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", fps=25) as video:
        for level in (50, 100, 150):
            video.write(np.full((63, 95, 3), level, dtype=np.uint8))
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    frames = [capture.read()[1] for _ in range(3)]
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 3
    assert [round(float(frame.mean()), -1) for frame in frames] == [50, 100, 150]
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_colours_survive_the_video(tmp_path: Path) -> None:
    colours = np.array([[(40, 40, 200), (40, 200, 40), (200, 40, 40), (230, 230, 230)]], dtype=np.uint8)
    frame = cv2.resize(colours, (256, 64), interpolation=cv2.INTER_NEAREST)
    with VideoWriter(tmp_path / "out.mp4", fps=25) as video:
        video.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert np.abs(shown[32, 32::64].astype(int) - colours[0]).max() < 6


def test_frames_are_shown_at_the_times_given(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", fps=10) as video:
        for time_s in (0, 0.05, 0.3, 0.3, 0.2, None):
            video.write(grey(64, 64), time_s)
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx([0, 0.05, 0.3, 0.3, 0.3, 0.4], abs=1e-4), "a clock that goes back is held"


def test_a_video_that_fails_is_left_unfinished(tmp_path: Path) -> None:
    def write_two_sizes() -> None:
        with VideoWriter(tmp_path / "out.mp4", fps=25) as video:
            video.write(grey(64, 64))
            video.write(grey(64, 32))

    with pytest.raises(ValueError, match=r"a frame is \(32, 64\) \(width, height\), the first one was \(64, 64\)"):
        write_two_sizes()
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished.mp4"]
    assert cv2.VideoCapture(str(tmp_path / "out.unfinished.mp4")).read()[0]


def test_a_video_without_frames_is_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(PoseGraphError, match="no frame was written"),
        VideoWriter(tmp_path / "out.mp4", fps=25),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_a_video_that_plays(tmp_path: Path) -> None:
    program = f"""
import os, numpy as np
from posegraph.visualize import VideoWriter
video = VideoWriter({str(tmp_path / "out.mp4")!r}, fps=5)
for level in range(55):
    video.write(np.full((64, 64, 3), 4 * level, np.uint8))
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    with av.open(str(tmp_path / "out.unfinished.mp4")) as container:
        levels = [frame.to_ndarray(format="bgr24").mean() / 4 for frame in container.decode(video=0)]
    # Key frames are 10 frames apart; the last piece, and what the encoder had not given out, are lost.
    assert len(levels) in (20, 30, 40, 50)
    assert levels == pytest.approx(range(len(levels)), abs=0.6)


def test_a_video_is_an_mp4(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"out\.avi: videos are written as \.mp4; give a name that ends"):
        VideoWriter(tmp_path / "out.avi", fps=25)
