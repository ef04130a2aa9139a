from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.visualize import VideoWriter, draw_pose, filmstrip, person_color, write_png
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
    frames = [capture.read()[1] for _ in range(3)]
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 3
    assert [round(float(frame.mean()), -1) for frame in frames] == [50, 100, 150]
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_a_video_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def write_two_sizes() -> None:
        with VideoWriter(tmp_path / "out.mp4", fps=25) as video:
            video.write(grey(64, 64))
            video.write(grey(64, 32))

    with pytest.raises(ValueError, match=r"frame 1 is \(32, 64\) \(width, height\), the first was \(64, 64\)"):
        write_two_sizes()
    with (
        pytest.raises(PoseGraphError, match="no frame was written"),
        VideoWriter(tmp_path / "out.mp4", fps=25),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_video_is_an_mp4(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"out\.avi: videos are written as \.mp4; give a name that ends"):
        VideoWriter(tmp_path / "out.avi", fps=25)
