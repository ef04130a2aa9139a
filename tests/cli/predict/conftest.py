"""A video of 24 frames in which two people move, where they are, and the command run on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posegraph_cli import main as cli

FRAMES = 24
Predict = Callable[..., "Said"]


class Said(NamedTuple):
    status: int
    out: str
    err: str


def frame(number: int, size_wh: tuple[int, int] = (160, 120)) -> NDArray[np.uint8]:
    """Texture that moves to the right."""
    width, height = size_wh
    texture = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8 + FRAMES, 3), dtype=np.uint8)
    shifted = texture[:, FRAMES - number : FRAMES - number + width // 8]
    return cv2.resize(shifted, size_wh, interpolation=cv2.INTER_CUBIC)


def box(person: int, number: int) -> list[float]:
    return [20.0 + 70 * person + 2 * number * (1 - 2 * person), 30.0, 36.0, 60.0]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint8]]:
    return [frame(number) for number in range(FRAMES)]


@pytest.fixture(scope="session")
def movie(images: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for image in images:
        writer.write(image)
    writer.release()
    return path


@pytest.fixture
def folder(images: list[NDArray[np.uint8]], tmp_path: Path) -> Path:
    """The same as a folder of images, to be spoilt."""
    out = tmp_path / "walk"
    out.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(out / f"{number:06d}.jpg"), image)
    return out


@pytest.fixture
def write_boxes(tmp_path: Path) -> Callable[[list[tuple[int, list[float]]]], Path]:
    """Write boxes, (frame, box) each, as COCO results."""

    def write(boxes: list[tuple[int, list[float]]]) -> Path:
        path = tmp_path / "boxes.json"
        entries = [{"image_id": number, "category_id": 1, "bbox": one, "score": 0.9} for number, one in boxes]
        path.write_text(json.dumps(entries))
        return path

    return write


@pytest.fixture
def boxes(write_boxes: Callable[[list[tuple[int, list[float]]]], Path]) -> Path:
    """Two people who walk past each other."""
    return write_boxes([(number, box(person, number)) for number in range(FRAMES) for person in (0, 1)])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command line; the exit status and what went to stdout and stderr."""

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["posegraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        said = capfd.readouterr()
        return Said(exited.value.code, said.out, said.err)

    return run


@pytest.fixture
def predict(run: Callable[..., Said], tiny_model: Path, boxes: Path, tmp_path: Path) -> Predict:
    """``posegraph predict`` with the tiny model, into ``out``; with the two people unless something else is said."""

    def predict(*arguments: object) -> Said:
        given = [*arguments, "--model", tiny_model]
        if "--device" not in arguments:
            given += ["--device", "cpu"]
        if "--boxes" not in arguments and "--detector" not in arguments:
            given += ["--boxes", boxes]
        if "--out" not in arguments:
            given += ["--out", tmp_path / "out"]
        return run("predict", *given)

    return predict


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a signal come, or an error raised, while the frame after so many is computed."""
    from posegraph.engine.streaming import PoseStream

    def stop_after(frames: int, happens: Callable[[], None]) -> None:
        step, count = PoseStream.step, 0

        def counted(self: PoseStream, *arguments: object) -> object:
            nonlocal count
            count += 1
            if count == frames + 1:
                happens()
            return step(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(PoseStream, "step", counted)

    return stop_after
