"""Movies whose frames show their number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from posegraph.data.video import Image

FRAMES = 50


def numbered(number: int) -> Image:
    """``number`` in six black and white bars, ``[32, 96, 3]``."""
    bits = np.array([255 * (number >> bit & 1) for bit in range(6)], dtype=np.uint8)
    return np.broadcast_to(bits.repeat(16)[None, :, None], (32, 96, 3)).copy()


def shown(image: Image) -> int:
    """The number that an image of :func:`numbered` shows."""
    return sum((int(image[16, 8 + 16 * bit, 0]) > 127) << bit for bit in range(6))


def write_movie(path: Path, fourcc: str, frames: int = FRAMES) -> Path:
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), 25, (96, 32))
    for number in range(frames):
        out.write(numbered(number))
    out.release()
    return path


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same fifty frames in two containers: single images, and differences between images."""
    folder = tmp_path_factory.mktemp("movies")
    return {"avi": write_movie(folder / "walk.avi", "MJPG"), "mp4": write_movie(folder / "walk.mp4", "mp4v")}


@pytest.fixture
def images(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of images named ``1.png``, ``2.png`` ... ``12.png``, which show 0 ... 11."""

    def write(name: str = "frames", count: int = 12) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"{number + 1}.png"), numbered(number))
        return folder

    return write
