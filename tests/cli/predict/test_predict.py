"""``posegraph predict`` on good input: what it writes, what it says, what it passes over."""

from __future__ import annotations

import csv
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import posegraph
from posegraph.data.people import People
from posegraph.data.sources import open_frames
from posegraph.engine.smoothing import OneEuro
from posegraph.engine.streaming import PoseStream

FRAMES = 24


def movie_size(path: Path) -> tuple[int, int, int]:
    """Frames, width and height of a movie, decoded."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return len(frames), frames[0].width, frames[0].height


def test_all_outputs_have_the_poses_of_the_stream(
    predict, movie: Path, boxes: Path, tiny_model: Path, tmp_path: Path
) -> None:
    said = predict(movie, "--save", "overlay,posetrack18,coco,csv,parquet,npz", "--json", tmp_path / "s.json")
    assert (said.status, said.err) == (0, "")
    out = tmp_path / "out"
    names = ["walk.mp4", "walk.json", "coco/walk.json", "walk.csv", "walk.parquet", "walk.npz"]
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == sorted(
        [*names, "runs/walk.json"]
    )
    assert f"{movie}: 24 frames, 48 poses of 2 people, " in said.out
    assert movie_size(out / "walk.mp4") == (FRAMES, 160, 120)

    stream = PoseStream(posegraph.load(tiny_model))
    arrays = np.load(out / "walk.npz")
    ids = arrays["track_ids"][:2]
    for number, image in enumerate(decoded(movie)):
        found = json.loads(boxes.read_text())[2 * number : 2 * number + 2]
        people = People(np.array([one["bbox"] for one in found]), np.full(2, 0.9), ids)
        np.testing.assert_allclose(
            arrays["keypoints_px"][2 * number : 2 * number + 2], stream.step(image, people).keypoints_px, atol=1e-4
        )

    content = json.loads((out / "walk.json").read_text())
    assert [image["id"] for image in content["images"]] == list(range(FRAMES))
    assert len(content["annotations"]) == len(json.loads((out / "coco/walk.json").read_text())) == 2 * FRAMES
    with (out / "walk.csv").open() as file:
        assert len(list(csv.reader(file))) >= 2 * FRAMES

    (report,) = json.loads((tmp_path / "s.json").read_text())["sources"]
    assert (report["state"], report["frames"], report["people_frames"], report["tracks"]) == ("done", 24, 48, 2)
    assert report["outputs"] == [str(out / name) for name in names]
    assert 1 <= report["encoded_crops_per_person_frame"] <= 3
    assert report["encoded_crops_per_person_frame"] == pytest.approx(stream.stats.encoded_crops / 48)
    assert report["re_anchored_share"] == pytest.approx(stream.stats.re_anchored / 48)
    assert report["frames_per_second"] == pytest.approx(24 / report["seconds"])


def decoded(movie: Path) -> Iterator[NDArray[np.uint8]]:
    with open_frames(movie) as frames:
        yield from (frame.image for frame in frames)


def test_smoothing_lowers_the_jitter_that_is_reported(predict, movie: Path, tmp_path: Path) -> None:
    said = predict(movie, "--save", "npz", "--smooth", "--json", "-")
    assert said.status == 0
    (report,) = json.loads(said.out)["sources"]
    assert report["jitter_smoothed"] < report["jitter"]
    smoothed = np.load(tmp_path / "out/walk.npz")["keypoints_px"]
    predict(movie, "--save", "npz", "--out", tmp_path / "raw")
    raw = np.load(tmp_path / "raw/walk.npz")
    one_euro = OneEuro()
    for number in range(FRAMES):
        poses = posegraph.FramePoses(
            raw["track_ids"][2 * number : 2 * number + 2],
            raw["boxes_xywh"][2 * number : 2 * number + 2],
            raw["box_scores"][2 * number : 2 * number + 2],
            raw["keypoints_px"][2 * number : 2 * number + 2],
            raw["keypoint_scores"][2 * number : 2 * number + 2],
        )
        expected = one_euro(poses, number / 25).keypoints_px
        np.testing.assert_allclose(smoothed[2 * number : 2 * number + 2], expected, atol=1e-9)


def test_without_a_detector_the_model_searches(predict, movie: Path, tmp_path: Path) -> None:
    said = predict(movie, "--detector", "self", "--save", "posetrack18", "--json", "-")
    assert said.status == 0
    (report,) = json.loads(said.out)["sources"]
    # The first search alone looks at 63 windows; one may take 150, and three times 12 more.
    assert 63 <= 24 * report["searched_crops_per_frame"] < 24 * 186
    again = predict(movie, "--detector", "self", "--save", "posetrack18", "--out", tmp_path / "again")
    assert f"{report['searched_crops_per_frame']:.1f} a frame in search of people" in again.out + again.err


def test_in_three_lines_of_python(movie: Path, boxes: Path, tiny_model: Path, predict, tmp_path: Path) -> None:
    found = []
    for frame, poses in posegraph.predict(movie, posegraph.load(tiny_model), boxes=boxes):
        found.append((frame.number, poses.keypoints_px))
    assert [number for number, _ in found] == list(range(FRAMES))
    predict(movie, "--save", "npz")
    written = np.load(tmp_path / "out/walk.npz")["keypoints_px"]
    np.testing.assert_array_equal(np.concatenate([points for _, points in found]), written)


def test_a_loop_that_is_left_early_closes_its_source(
    movie: Path, boxes: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posegraph.data.sources.movie import MovieSource

    closed = []
    close = MovieSource.close
    monkeypatch.setattr(MovieSource, "close", lambda self: closed.append(self.name) or close(self))
    poses = posegraph.predict(movie, posegraph.load(tiny_model), boxes=boxes)
    next(poses)
    assert closed == []
    poses.close()
    assert closed == ["walk"]


def test_python_is_warned_of_what_was_left_out(folder: Path, tiny_model: Path, write_boxes) -> None:
    (folder / "000003.jpg").write_bytes(b"no image")
    boxes = write_boxes([(number, [10.0, 10.0, 0.0, 5.0]) for number in range(2)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        numbers = [frame.number for frame, _ in posegraph.predict(folder, posegraph.load(tiny_model), boxes=boxes)]
    assert numbers == [number for number in range(FRAMES) if number != 3]
    lines = [str(one.message) for one in told]
    assert any("frame 3 cannot be read" in line for line in lines)
    assert any("left out 2 times: " in line for line in lines)


def test_raw_frames_on_stdin(predict, images: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    with on_stdin(b"".join(image.tobytes() for image in images)):
        said = predict("-", "--size", "160x120", "--save", "npz", "--json", "-")
    assert said.status == 0
    assert json.loads(said.out)["sources"][0]["frames"] == FRAMES
    assert len(np.load(tmp_path / "out/stdin.npz")["track_ids"]) == 2 * FRAMES


@contextmanager
def on_stdin(data: bytes) -> Iterator[None]:
    """The process's own standard input, as a pipe that holds ``data`` and ends."""
    kept, (end, start) = os.dup(0), os.pipe()
    os.dup2(end, 0)
    os.close(end)
    writer = os.fork()
    if not writer:
        with os.fdopen(start, "wb") as file:
            file.write(data)
        os._exit(0)
    os.close(start)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.waitpid(writer, 0)


def test_finished_sources_are_passed_over(predict, movie: Path, tmp_path: Path) -> None:
    assert predict(movie, "--save", "csv").status == 0
    written = (tmp_path / "out/walk.csv").stat().st_mtime_ns
    again = predict(movie, "--save", "csv", "--json", "-")
    assert again.status == 0
    (report,) = json.loads(again.out)["sources"]
    assert (report["state"], report["frames"]) == ("finished before", 24)
    assert (tmp_path / "out/walk.csv").stat().st_mtime_ns == written

    # Another format is not there yet, and a file that was removed is not there any more.
    assert json.loads(predict(movie, "--save", "npz", "--json", "-").out)["states"] == {"done": 1}
    (tmp_path / "out/walk.npz").unlink()
    assert json.loads(predict(movie, "--save", "npz", "--json", "-").out)["states"] == {"done": 1}


def test_results_of_other_settings_or_of_nobody_are_not_written_over(predict, movie: Path, tmp_path: Path) -> None:
    assert predict(movie, "--save", "csv").status == 0
    before = (tmp_path / "out/walk.csv").read_bytes()
    for more, named in (["--smooth"], "smoothing"), (["-o", "hysteresis=0"], "hysteresis"), (["--every", 3], "every"):
        said = predict(movie, "--save", "csv", *more)
        assert said.status == 2
        assert f"walk.json: these outputs were made with another {named}; give --overwrite to start anew" in said.err
    assert (tmp_path / "out/walk.csv").read_bytes() == before
    assert predict(movie, "--save", "csv", "--smooth", "--overwrite").status == 0
    assert (tmp_path / "out/walk.csv").read_bytes() != before

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "walk.csv").write_text("my own")
    said = predict(movie, "--save", "csv", "--out", mine)
    assert (said.status, (mine / "walk.csv").read_text()) == (2, "my own")
    assert f"error: {mine}/walk.csv: is there already; give --overwrite to start anew, or another --out\n" == said.err


def test_the_source_itself_is_not_written_over(predict, movie: Path, tmp_path: Path) -> None:
    predict(movie, "--out", tmp_path / "first")
    source = tmp_path / "first/walk.mp4"
    before = source.read_bytes()
    said = predict(source, "--out", tmp_path / "first", "--overwrite")
    assert said.status == 2
    assert f"error: {source}: is the source, and an output would take its place; give another --out" in said.err
    assert source.read_bytes() == before


@pytest.fixture
def many(movie: Path, tmp_path: Path) -> Path:
    """Five videos in folders, and one file that is none."""
    top = tmp_path / "videos"
    for name in ("monday/a.avi", "monday/b.avi", "tuesday/a.avi", "tuesday/broken.avi", "c.avi"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(movie, top / name)
    (top / "tuesday/broken.avi").write_bytes(b"no movie")
    (top / "notes.txt").write_text("hello")
    return top


def test_one_that_fails_does_not_stop_the_others(predict, many: Path, tmp_path: Path) -> None:
    arguments = (many, "--detector", "self", "--save", "csv", "--json", "-")
    said = predict(*arguments)
    assert said.status == 2
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "tuesday/broken.avi: " in errors[0]
    assert "5 of 5 sources, 4 done, 1 failed" in said.err
    assert "1 files are neither movies nor folders of images; passed over" in said.err
    names = ["c", "monday/a", "monday/b", "tuesday/a"]
    assert sorted(tmp_path.glob("out/**/*.csv")) == [tmp_path / f"out/{name}.csv" for name in names]
    assert json.loads(predict(*arguments).out)["states"] == {"finished before": 4, "failed": 1}


def test_shards_share_the_files_out(predict, many: Path, tmp_path: Path) -> None:
    (many / "tuesday/broken.avi").unlink()
    done = []
    for index in range(3):
        said = predict(many, "--detector", "self", "--save", "csv", "--shard", f"{index}/3", "--json", "-")
        assert said.status == 0
        done += [report["name"] for report in json.loads(said.out)["sources"]]
    assert sorted(done) == ["c", "monday/a", "monday/b", "tuesday/a"]
    whole = predict(many, "--detector", "self", "--save", "csv", "--json", "-")
    assert json.loads(whole.out)["states"] == {"finished before": 4}


def test_a_share_of_a_launcher(predict, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ("ID", 3), ("MIN", 1), ("MAX", 3), ("COUNT", 3):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    said = predict(many, "--detector", "self", "--save", "csv", "--shard", "auto", "--json", "-")
    assert [report["name"] for report in json.loads(said.out)["sources"]] == ["monday/b"]
    said = predict(many, "--shard", "3/3")
    assert said.status == 2
    assert "--shard: got '3/3'; expected i/n with i from 0 to n-1" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "mp4"], "--save: 'mp4' is none of overlay, posetrack18, coco, csv, parquet, npz"),
        (["--save", ","], "--save: nothing is to be saved"),
        (["--detector", "yolo"], "detector 'yolo'; expected torchvision"),
        (["--boxes", "/none.json"], "/none.json: no such file"),
        (["--tracker", "sort"], "tracker 'sort'; expected one of botsort, bytetrack, ocsort"),
        (["-o", "hysterese=1"], "unknown key 'stream.hysterese'"),
        (["--resume", "--overwrite"], "--resume goes on with a run and --overwrite begins it anew"),
        (["--device", "cuda"], "--device: cuda, but torch sees no GPU"),
    ],
)
def test_mistakes_are_one_line(
    predict, movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    said = predict(movie, *arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert message in said.err


def test_a_folder_is_asked_for_and_options_come_in_groups(run, movie: Path) -> None:
    assert "Missing option '--out'" in run("predict", movie).err
    said = run("predict", "--help")
    assert (said.status, said.err) == (0, "")
    headings = [line for line in said.out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Model:", "People:", "Source:", "Output:", "Run:", "Other:"]
