"""Frames on disk: which are the past, where they are looked for, and what is said of damaged ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.tracks import Video
from posegraph.data.video import FrameReader, read_image
from posegraph.errors import PoseGraphError


def picture(path: Path, level: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((12, 16, 3), level, np.uint8))
    return path


def video(source: Path, *names: str) -> Video:
    count = len(names)
    return Video(
        name="clip",
        source=source,
        frame_files=names,
        image_ids=np.arange(count),
        image_hw=np.zeros((count, 2), np.int64),
        labeled=np.ones(count, dtype=bool),
        ignore_regions=((),) * count,
    )


def past(tmp_path: Path, listed: list[str], frame: int, on_disk: list[str] = (), num_frames: int = 3) -> list[str]:
    """Names of the clip that ends at row ``frame``; the listed images are on disk, and ``on_disk`` too."""
    for name in [*listed, *on_disk]:
        picture(tmp_path / name)
    reader = FrameReader(tmp_path)
    paths = reader.clip_paths(video(tmp_path / "clip.json", *listed), frame, num_frames)
    return [path.relative_to(tmp_path).as_posix() for path in paths]


def test_past_frames_by_number(tmp_path: Path) -> None:
    names = ["v/000003.jpg", "v/000004.jpg", "v/000005.jpg"]
    assert past(tmp_path, names, 2) == names


def test_the_first_frame_is_repeated(tmp_path: Path) -> None:
    names = ["v/000000.jpg", "v/000001.jpg", "v/000002.jpg"]
    assert past(tmp_path, names, 0) == [names[0]] * 3
    assert past(tmp_path, names, 1) == [names[0], names[0], names[1]]


def test_future_frames(tmp_path: Path) -> None:
    """Listed ones, one that only the disk has, and after the last one that again."""
    listed = ["000003.jpg", "000004.jpg", "000006.jpg"]
    for name in [*listed, "000005.jpg"]:
        picture(tmp_path / name)
    reader, clip = FrameReader(tmp_path), video(tmp_path / "clip.json", *listed)

    def numbers(frame: int, num_frames: int, future_frames: int) -> list[int]:
        return [int(path.stem) for path in reader.clip_paths(clip, frame, num_frames, future_frames)]

    assert numbers(1, 3, 1) == [3, 4, 5]
    assert numbers(1, 5, 2) == [3, 3, 4, 5, 6]
    assert numbers(2, 3, 2) == [6, 6, 6]
    assert numbers(0, 3, 0) == [3, 3, 3]


def test_the_future_is_never_read(tmp_path: Path) -> None:
    assert past(tmp_path, ["000005.jpg", "000006.jpg"], 0) == ["000005.jpg"] * 3


def test_frames_that_are_not_listed_are_taken_from_the_disk(tmp_path: Path) -> None:
    found = past(tmp_path, ["v2/07.jpg", "v2/10.jpg"], 1, on_disk=["v2/09.jpg", "v2/08.jpg"])
    assert found == ["v2/08.jpg", "v2/09.jpg", "v2/10.jpg"]
    first = past(tmp_path, ["v2/07.jpg", "v2/10.jpg"], 0, on_disk=["v2/06.jpg"])
    assert first == ["v2/06.jpg", "v2/06.jpg", "v2/07.jpg"]


def test_a_sparse_listing_without_the_frames_between_goes_back_in_the_list(tmp_path: Path) -> None:
    assert past(tmp_path, ["000000.jpg", "000004.jpg", "000008.jpg"], 2) == ["000000.jpg", "000004.jpg", "000008.jpg"]
    assert past(tmp_path, ["000000.jpg", "000004.jpg"], 1) == ["000000.jpg", "000000.jpg", "000004.jpg"]


def test_digits_are_padded_as_they_stand(tmp_path: Path) -> None:
    assert past(tmp_path, ["a9.png", "a10.png"], 1) == ["a9.png", "a9.png", "a10.png"]  # a09 is not there: by the list
    assert past(tmp_path, ["b_1_099.png", "b_1_100.png"], 1, num_frames=2) == ["b_1_099.png", "b_1_100.png"]


def test_names_without_numbers_go_by_the_list(tmp_path: Path) -> None:
    assert past(tmp_path, ["x.png", "y.png", "z.png"], 2) == ["x.png", "y.png", "z.png"]


def test_images_are_found_upwards_from_the_annotation_file(tmp_path: Path) -> None:
    name = "images/val/v/000000.jpg"
    picture(tmp_path / "set" / name)
    source = tmp_path / "set" / "posetrack_data" / "annotations" / "val" / "v.json"
    assert FrameReader().root(video(source, name)) == tmp_path / "set"


def test_the_nearest_folder_wins_and_a_given_one_is_taken(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", 10)
    picture(tmp_path / "sub" / "a.jpg", 200)
    one = video(tmp_path / "sub" / "v.json", "a.jpg")
    assert FrameReader().root(one) == tmp_path / "sub"
    assert FrameReader(tmp_path).root(one) == tmp_path


def test_a_missing_first_frame_does_not_hide_the_folder(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    assert FrameReader().root(video(tmp_path / "x" / "v.json", "000000.jpg", "000001.jpg")) == tmp_path


def test_images_found_nowhere(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError) as error:
        FrameReader().root(video(tmp_path / "v.json", "nowhere/000000.jpg"))
    assert str(error.value).startswith(f"{tmp_path / 'v.json'}: image 'nowhere/000000.jpg' is neither in {tmp_path}")
    assert "--images" in str(error.value)


def test_check_names_the_missing_image(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    reader, one = FrameReader(), video(tmp_path / "v.json", "000000.jpg", "000001.jpg")
    reader.check(one, 1, num_frames=1)
    with pytest.raises(PoseGraphError, match=r"000000\.jpg: no such image; the annotations list it"):
        reader.check(one, 0, num_frames=1)
    with pytest.raises(PoseGraphError, match=r"000000\.jpg: no such image"):
        reader.check(one, 1, num_frames=2)


def test_damaged_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = tmp_path / "whole.jpg"
    cv2.imwrite(str(whole), rng.integers(0, 255, (60, 80, 3), np.uint8))
    data = whole.read_bytes()
    for name, content, said in (
        ("half.jpg", data[: len(data) // 2], "the JPEG is cut off; expected a whole image"),
        ("tail.jpg", data[:-2], "the JPEG is cut off; expected a whole image"),
        ("text.jpg", b"this is text", "12 bytes that are no image; expected a whole image"),
        ("empty.jpg", b"", "0 bytes that are no image"),
        ("head.png", b"\x89PNG\r\n\x1a\n", "8 bytes that are no image"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PoseGraphError) as error:
            read_image(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: {said}")
    with pytest.raises(PoseGraphError, match="no such image"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(PoseGraphError, match="cannot be read"):
        read_image(tmp_path)
    assert read_image(whole).shape == (60, 80, 3)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + b"\0" * 40)
    assert read_image(path).shape == (12, 16, 3)


def test_grey_pictures_have_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 6), 9, np.uint8))
    assert read_image(tmp_path / "grey.png").tolist() == [[[9, 9, 9]] * 6] * 5


@pytest.mark.parametrize(("keep", "read_again"), [(2, [0]), (3, []), (0, [0, 1, 2])])
def test_the_latest_frames_are_kept(tmp_path: Path, keep: int, read_again: list[int]) -> None:
    reader = FrameReader(tmp_path, cache_frames=keep)
    paths = [picture(tmp_path / f"{number}.png", 10 + number) for number in range(3)]
    for path in paths:
        reader.read(path)
    for path in paths:
        path.unlink()
    for number in (2, 1, 0):
        if number in read_again:
            with pytest.raises(PoseGraphError, match="no such image"):
                reader.read(paths[number])
        else:
            assert reader.read(paths[number])[0, 0, 0] == 10 + number
