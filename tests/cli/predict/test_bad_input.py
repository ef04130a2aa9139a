"""Bad input: a clear line, the good frames kept, the documented exit status."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

FRAMES = 24


def reported(said) -> dict[str, object]:
    (report,) = json.loads(said.out)["sources"]
    return report


def numbers(out: Path) -> list[int]:
    return np.load(out / "walk.npz")["frame_numbers"].tolist()


def test_a_corrupt_image_is_left_out(predict, folder: Path, tmp_path: Path) -> None:
    spoilt = folder / "000007.jpg"
    spoilt.write_bytes(spoilt.read_bytes()[:500])
    said = predict(folder, "--save", "npz,overlay", "--json", "-")
    assert said.status == 3
    assert "walk: frame 7 cannot be read (" in said.err
    assert numbers(tmp_path / "out") == [number for number in range(FRAMES) if number != 7]
    assert (reported(said)["state"], reported(said)["bad_frames"]) == ("done", 1)
    # It is finished all the same, and a second run says so again.
    again = predict(folder, "--save", "npz,overlay", "--json", "-")
    assert (again.status, reported(again)["state"]) == (3, "finished before")
    assert "walk: frame 7 cannot be read (" in again.err


def test_corrupt_frames_in_the_middle_of_a_movie(predict, movie: Path, tmp_path: Path) -> None:
    data = bytearray(movie.read_bytes())
    start = data.index(b"movi")
    for number in range(12):
        start = data.index(b"00dc", start + 4)
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        if number >= 10:
            data[start + 8 : start + 8 + size] = bytes(size)
    spoilt = tmp_path / "walk.avi"
    spoilt.write_bytes(data)
    said = predict(spoilt, "--save", "npz", "--json", "-")
    assert said.status == 3
    assert "walk" in said.err
    assert "frames 10-11 cannot be read (" in said.err
    assert numbers(tmp_path / "out") == [number for number in range(FRAMES) if number not in (10, 11)]
    assert reported(said)["bad_frames"] == 2


def test_a_gap_survives_a_break(predict, folder: Path, stop_after, monkeypatch, tmp_path: Path) -> None:
    (folder / "000003.jpg").write_bytes(b"none")
    stop_after(9, lambda: os.kill(os.getpid(), 2))
    assert predict(folder, "--save", "npz").status == 130
    monkeypatch.undo()
    said = predict(folder, "--save", "npz", "--resume", "--json", "-")
    assert (said.status, reported(said)["bad_frames"]) == (3, 1)
    assert numbers(tmp_path / "out") == [number for number in range(FRAMES) if number != 3]


def test_another_size_in_the_middle(predict, folder: Path, tmp_path: Path) -> None:
    for number in range(12, FRAMES):
        path = folder / f"{number:06d}.jpg"
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (120, 90)))
    said = predict(folder, "--save", "npz,overlay", "--json", "-")
    assert said.status == 0
    assert "frame 12: the size changes from 160x120 to 120x90; everybody is followed anew" in said.err
    found = np.load(tmp_path / "out/walk.npz")
    before, after = (set(found["track_ids"][part].tolist()) for part in (slice(0, 24), slice(24, 48)))
    assert before.isdisjoint(after)
    assert found["image_hw"][11:13].tolist() == [[120, 160], [90, 120]]


def test_nobody_at_all(predict, movie: Path, write_boxes, tmp_path: Path) -> None:
    said = predict(movie, "--boxes", write_boxes([]), "--save", "overlay,posetrack18,coco,csv,parquet,npz")
    assert said.status == 0
    assert "24 frames, 0 poses of 0 people" in said.out
    assert "no box of a person in it" in said.err
    content = json.loads((tmp_path / "out/walk.json").read_text())
    assert (len(content["images"]), content["annotations"]) == (FRAMES, [])
    assert json.loads((tmp_path / "out/coco/walk.json").read_text()) == []


def test_sixty_people(predict, folder: Path, write_boxes) -> None:
    for path in sorted(folder.iterdir())[3:]:
        path.unlink()
    crowd = [(number, [2.5 * one, 40.0 + one % 7, 20.0, 30.0]) for number in range(3) for one in range(60)]
    said = predict(folder, "--boxes", write_boxes(crowd), "--save", "npz", "--json", "-")
    assert said.status == 0
    assert (reported(said)["most_people"], reported(said)["people_frames"]) == (60, 180)


def test_boxes_that_are_none(predict, movie: Path, write_boxes, tmp_path: Path) -> None:
    good = [10.0, 10.0, 30.0, 60.0]
    boxes = [(number, good) for number in range(FRAMES)]
    boxes += [
        (3, [float("nan"), 10, 30, 60]),
        (4, [5, 5, float("inf"), 5]),
        (5, [10, 10, 0, 20]),
        (6, [900, 5, 30, 60]),
    ]
    boxes += [(7, [-500.0, 5, 30, 60]), (8, [130.0, 90.0, 80.0, 80.0])]
    said = predict(movie, "--boxes", write_boxes(boxes), "--save", "npz", "--json", "-")
    assert said.status == 0
    summary = json.loads(said.out)
    assert summary["notes"] == [f"{tmp_path}/boxes.json: left out 3 times: box of zero area or NaN"]
    assert summary["sources"][0]["dropped"] == {"box outside the image": 2}
    assert summary["notes"][0] in said.err
    assert "left out 2 times: box outside the image" in said.err
    # The last one reaches out of the image only in part.
    assert summary["people_frames"] == FRAMES + 1
    assert np.isfinite(np.load(tmp_path / "out/walk.npz")["keypoints_px"]).all()


def test_boxes_of_another_video(predict, movie: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "other.json"
    boxes.write_text(json.dumps([{"image_name": "other/000001.jpg", "bbox": [1, 2, 3, 4], "score": 1}]))
    said = predict(movie, "--boxes", boxes, "--save", "csv")
    assert "none of its 1 boxes is in a frame of walk" in said.err


def test_a_movie_that_ends_too_early(predict, movie: Path, tmp_path: Path) -> None:
    cut = tmp_path / "walk.avi"
    data = movie.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    said = predict(cut, "--save", "npz", "--json", "-")
    assert said.status == 3
    left = numbers(tmp_path / "out")
    assert 10 <= len(left) < FRAMES
    assert left == list(range(len(left)))
    assert len(reported(said)["problems"]) >= 1
    assert "walk" in said.err


def test_a_source_that_stalls(predict, images, tmp_path: Path) -> None:
    with pipe_on_stdin(b"".join(image.tobytes() for image in images[:5])):
        said = predict("-", "--size", "160x120", "--timeout", 0.5, "--save", "npz,overlay", "--json", "-")
    assert said.status == 2
    assert said.err.count("error: ") == 1
    assert "stdin: " in said.err
    assert "0.5 s" in said.err
    assert np.load(tmp_path / "out/stdin.npz")["frame_numbers"].tolist() == [0, 1, 2, 3, 4]
    assert reported(said)["frames"] == 5
    assert (tmp_path / "out/stdin.mp4").exists()


def test_stdin_that_ends_within_a_frame(predict, images, tmp_path: Path) -> None:
    with pipe_on_stdin(b"".join(image.tobytes() for image in images[:3])[:-100], ends=True):
        said = predict("-", "--size", "160x120", "--save", "npz")
    assert said.status == 3
    assert f"stdin: frame 2 has {160 * 120 * 3 - 100} of {160 * 120 * 3} bytes and is left out" in said.err
    assert np.load(tmp_path / "out/stdin.npz")["frame_numbers"].tolist() == [0, 1]


@contextmanager
def pipe_on_stdin(data: bytes, ends: bool = False) -> Iterator[None]:
    """The process's own standard input, as a pipe that holds ``data`` and, unless it ``ends``, stays open."""
    kept, (end, start) = os.dup(0), os.pipe()
    os.dup2(end, 0)
    os.close(end)
    writer = os.fork()
    if not writer:
        with os.fdopen(start, "wb") as file:
            file.write(data)
        os._exit(0)
    if ends:
        os.close(start)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.waitpid(writer, 0)
        if not ends:
            os.close(start)


@pytest.mark.parametrize("source", ["none.mp4", "text.mp4", "empty"])
def test_no_such_source(predict, tmp_path: Path, source: str) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty").mkdir()
    said = predict(tmp_path / source)
    assert said.status == 2
    assert [line[:7] for line in said.err.splitlines()] == ["error: "]
    assert str(tmp_path / source) in said.err


def test_an_output_folder_that_cannot_be_made(predict, movie: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = predict(movie, "--out", tmp_path / "file/out")
    assert (said.status, said.out) == (2, "")
    assert (
        said.err == f"error: cannot write {tmp_path}/file/out: Not a directory; choose a folder that can be written\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(predict, movie: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    said = predict(movie)
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert f"cannot write {tmp_path}/out" in said.err


@pytest.mark.parametrize(
    ("save", "share"),
    [("npz", 0.5), ("overlay,npz", 0.3)],  # the journal is refused, and before it the overlay
)
def test_a_full_disk(predict, movie: Path, stop_after, monkeypatch, tmp_path: Path, save: str, share: float) -> None:
    """The system refuses files of more than so many bytes; afterwards the run goes on, and ends as any other."""
    stop_after(FRAMES - 1, lambda: os.kill(os.getpid(), 2))
    predict(movie, "--save", save, "--out", tmp_path / "whole")
    monkeypatch.undo()
    files = [tmp_path / "whole/runs/walk.jsonl", tmp_path / "whole/walk.mp4"]
    size = files["overlay" in save].stat().st_size
    predict(movie, "--save", save, "--out", tmp_path / "whole", "--resume")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), limits[1]))
    try:
        said = predict(movie, "--save", save)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said.status == 2
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "File too large" in errors[0]
    assert "frames are done; --resume goes on" in said.err
    assert predict(movie, "--save", save, "--resume").status == 0
    assert (tmp_path / "out/walk.npz").read_bytes() == (tmp_path / "whole/walk.npz").read_bytes()


def test_a_source_that_has_changed_is_not_resumed(
    predict, folder: Path, stop_after, monkeypatch, tmp_path: Path
) -> None:
    stop_after(9, lambda: os.kill(os.getpid(), 2))
    assert predict(folder, "--save", "npz").status == 130
    monkeypatch.undo()
    shutil.copy(folder / "000000.jpg", folder / "000099.jpg")
    said = predict(folder, "--save", "npz", "--resume")
    assert said.status == 2
    assert "was begun with another source ('walk, 24 files' there, 'walk, 25 files' now)" in said.err
    (folder / "000099.jpg").rename(folder / "000008.jpg")
    cv2.imwrite(str(folder / "000008.jpg"), np.zeros((60, 80, 3), dtype=np.uint8))
    said = predict(folder, "--save", "npz", "--resume")
    assert said.status == 2
    assert "walk: frame 8 is not what it was when the run began" in said.err
    assert (tmp_path / "out/runs/walk.jsonl").exists()
