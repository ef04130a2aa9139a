"""Runs that are stopped, killed or broken off, and go on: nothing is lost, and nothing is different in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from posegraph.detect import motion
from posegraph.engine.glimpses import Glimpses
from posegraph.engine.streaming import PoseStream

SAVE = ("--save", "overlay,posetrack18,csv,npz")
KILLED = """
import os, signal, sys
from posegraph.engine.streaming import PoseStream
step, calls = PoseStream.step, []
def counted(self, *arguments):
    calls.append(1)
    if len(calls) == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments)
PoseStream.step = counted
from posegraph_cli.main import main
main()
"""


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def whole(predict, movie: Path, tmp_path: Path) -> dict[str, bytes]:
    """The files of a run without a break."""
    assert predict(movie, *SAVE, "--out", tmp_path / "whole").status == 0
    return results(tmp_path / "whole")


def results(out: Path) -> dict[str, bytes]:
    """All result files but the overlay and the record."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.suffix not in ("", ".mp4")}


def shown(overlay: Path) -> list[np.ndarray]:
    with av.open(str(overlay)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_whole_files_and_resume_goes_on(
    predict, movie: Path, whole: dict[str, bytes], stop_after, monkeypatch, tmp_path: Path, number: signal.Signals
) -> None:
    stop_after(9, lambda: os.kill(os.getpid(), number))
    said = predict(movie, *SAVE, "--json", tmp_path / "s.json")
    assert said.status == 130
    out = tmp_path / "out"
    assert f"{movie}: 9 frames are done; --resume goes on" in said.err
    assert json.loads((tmp_path / "s.json").read_text())["sources"][0]["state"] == "stopped"
    assert len(json.loads((out / "walk.json").read_text())["images"]) == 9
    assert len(np.load(out / "walk.npz")["track_ids"]) == 18
    assert len(shown(out / "walk.mp4")) == 9
    monkeypatch.undo()

    refused = predict(movie, *SAVE)
    assert refused.status == 2
    assert "walk: was begun before and is not finished; --resume goes on, give --overwrite to start anew" in refused.err

    again = predict(movie, *SAVE, "--resume", "--json", "-")
    assert again.status == 0
    (report,) = json.loads(again.out)["sources"]
    assert (report["state"], report["frames"], report["resumed_frames"]) == ("done", 24, 9)
    assert results(out) == whole
    pairs = zip(shown(out / "walk.mp4"), shown(tmp_path / "whole/walk.mp4"), strict=True)
    assert max(np.abs(one.astype(int) - other).max() for one, other in pairs) == 0
    assert [path.name for path in (out / "runs").iterdir()] == ["walk.json"]


@pytest.mark.parametrize(
    ("people", "more"), [((), ()), (("--every", "4"), ("--smooth",)), (("--detector", "self"), ())]
)
def test_resumed_after_any_frame_the_files_are_the_same(
    predict, movie: Path, stop_after, monkeypatch, tmp_path: Path, people: tuple[str, ...], more: tuple[str, ...]
) -> None:
    save = ("--save", "posetrack18,npz", *people, *more)
    assert predict(movie, *save, "--out", tmp_path / "whole").status == 0
    for frames in 1, 11:
        stop_after(frames, interrupt)
        assert predict(movie, *save, "--out", tmp_path / str(frames)).status == 130
        monkeypatch.undo()
        assert predict(movie, *save, "--out", tmp_path / str(frames), "--resume").status == 0
        assert results(tmp_path / str(frames)) == results(tmp_path / "whole"), frames


def test_a_search_is_resumed_with_what_moved_before_it(
    predict, movie: Path, stop_after, monkeypatch, tmp_path: Path
) -> None:
    """People are there (a stand-in sees them), get lost, and are searched for by what the images before show."""
    moving: list[list[float]] = []

    def somebody(self: Glimpses, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moving.append([len(boxes), float(image.mean())])
        corner = np.array([30 + image.mean() % 40, 30.0])
        points = corner + np.linspace(0, 1, 17)[:, None] * (30, 60) + 0.01 * boxes[:, None, :2]
        return points, np.full((len(boxes), 17), 0.9)

    save = ("--save", "posetrack18,npz", "--detector", "self", "--every", "3")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Glimpses, "glimpse", somebody)
        patched.setattr(motion, "MOST_MOVING", 1.0)
        assert predict(movie, *save, "--out", tmp_path / "whole").status == 0
        asked = list(moving)
        assert len(np.load(tmp_path / "whole/walk.npz")["track_ids"]) > 12
        assert len({count for count, _ in asked}) > 2
        for frames in 5, 13:
            moving.clear()
            stop_after(frames, interrupt)
            assert predict(movie, *save, "--out", tmp_path / str(frames)).status == 130
            monkeypatch.undo()
            assert predict(movie, *save, "--out", tmp_path / str(frames), "--resume").status == 0
            assert results(tmp_path / str(frames)) == results(tmp_path / "whole"), frames
            assert [moving.count(one) for one in asked] == [asked.count(one) for one in asked]


def test_kill_9(predict, movie: Path, boxes: Path, tiny_model: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["predict", movie, "--model", tiny_model, "--device", "cpu", "--boxes", boxes, "--out", out, *SAVE]
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    # Frame 12 was never done, and half a line is what a kill in the middle of writing leaves.
    with (out / "runs/walk.jsonl").open("ab") as journal:
        journal.write(b'{"number": 11, "time')
    said = predict(movie, *SAVE, "--resume", "--json", "-")
    assert said.status == 0
    assert json.loads(said.out)["sources"][0]["resumed_frames"] == 11
    assert results(out) == whole
    assert len(shown(out / "walk.mp4")) == 24
    left = [path.name for path in out.rglob("*") if path.is_file()]
    assert sorted(left) == ["walk.csv", "walk.json", "walk.json", "walk.mp4", "walk.npz"]


def test_a_run_goes_on_with_the_same_model_and_settings_only(
    predict, movie: Path, stop_after, monkeypatch, tmp_path: Path
) -> None:
    stop_after(5, interrupt)
    assert predict(movie, *SAVE).status == 130
    monkeypatch.undo()
    journal = tmp_path / "out/runs/walk.jsonl"
    before = journal.read_bytes()
    said = predict(movie, *SAVE, "--resume", "-o", "hysteresis=0.5")
    assert said.status == 2
    assert said.err.startswith(f"error: {journal}: was begun with another hysteresis (")
    assert said.err.count("error: ") == 1
    assert journal.read_bytes() == before
    # Smoothing and formats come after the poses, and may change.
    assert predict(movie, "--save", "csv", "--smooth", "--resume").status == 0


def test_another_process_at_the_same_source_is_noticed(predict, movie: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "out/runs").mkdir(parents=True)
    with FileLock(tmp_path / "out/runs/.walk.lock"):
        said = predict(movie, *SAVE)
    assert said.status == 2
    assert "walk.jsonl: another process works on it; wait for it, or stop it" in said.err


def test_a_live_source_is_not_resumed_but_its_frames_are_not_lost(
    predict, movie: Path, images, stop_after, monkeypatch, tmp_path: Path
) -> None:
    class Camera:
        """Gives the frames of the movie."""

        def __init__(self, *_: object) -> None:
            self.left = list(images)

        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            return (True, self.left.pop(0)) if self.left else (False, None)

        def get(self, _: int) -> float:
            return 0.0

        def release(self) -> None: ...

    monkeypatch.setattr("posegraph.data.sources.live.cv2.VideoCapture", Camera)
    live = ("0", "--every-frame", "--detector", "self", "--save", "csv")
    with pytest.MonkeyPatch.context() as patched:
        step, count = PoseStream.step, 0

        def killed(self: PoseStream, *arguments: object) -> object:
            nonlocal count
            count += 1
            if count == 6:
                raise SystemExit(9)  # what is not written by then is lost, as after a kill
            return step(self, *arguments)

        patched.setattr(PoseStream, "step", killed)
        patched.setattr("posegraph.engine.predict_source.write_results", no_time_left)
        with pytest.raises(AssertionError, match="no time left"):
            predict(*live)
    assert not (tmp_path / "out/camera0.csv").exists()
    said = predict(*live, "--resume")
    assert said.status == 2
    assert "camera0: a live source cannot be resumed; the 5 frames that it had are in " in said.err
    assert (tmp_path / "out/camera0.csv").exists()
    assert not (tmp_path / "out/runs/camera0.jsonl").exists()
    assert "camera0.csv: is there already; give --overwrite" in predict(*live).err

    stop_after(7, interrupt)
    said = predict(*live, "--out", tmp_path / "stopped")
    assert said.status == 130
    assert "--resume" not in said.err
    assert [path.name for path in (tmp_path / "stopped/runs").iterdir()] == ["camera0.json"]


def no_time_left(*_: object, **__: object) -> None:
    raise AssertionError("no time left")
