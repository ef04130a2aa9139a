"""The scenery behind the people: a floor in perspective and a cluttered wall or sky."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data.synthetic.figure import random_colour

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Backdrop:
    """pixels: (h, w, 3) BGR painted for an unturned camera of `focal` pixels at its middle."""

    pixels: Image
    focal: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def noise_texture(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Noise (height, width) of several scales, about -1..1."""
    total = np.zeros((height, width), dtype=np.float32)
    for cells in (4, 12, 40, 120):
        small = rng.uniform(-1.0, 1.0, (max(2, cells * height // width), cells)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * float(rng.uniform(0.1, 0.5))
    return total


def _rectangles(rng: np.random.Generator, canvas: Image, foot: int) -> None:
    """Buildings or furniture: boxes that stand on the row `foot`, some with windows."""
    width = canvas.shape[1]
    for _ in range(int(rng.integers(4, 14))):
        left, wide = int(rng.uniform(-0.1, 1.0) * width), int(rng.uniform(0.03, 0.16) * width)
        top = foot - int(rng.uniform(0.08, 0.7) * foot)
        colour = random_colour(rng) * 0.6 + 60.0
        cv2.rectangle(canvas, (left, top), (left + wide, foot), colour.tolist(), -1)
        cv2.rectangle(canvas, (left, top), (left + wide, foot), (colour * 0.6).tolist(), 2)
        if rng.uniform() < 0.6:
            step, pane = int(rng.integers(14, 40)), (colour * rng.uniform(0.4, 1.5)).clip(0, 255)
            for x in range(left + 6, left + wide - step // 2, step):
                for y in range(top + 6, foot - step // 2, step):
                    corner = (x + step // 2, y + step // 2)
                    cv2.rectangle(canvas, (x, y), corner, pane.tolist(), -1)


def _shapes(rng: np.random.Generator, canvas: Image, foot: int) -> None:
    """Trees, bushes, lamps, thin poles: clutter that resembles limbs and heads."""
    width = canvas.shape[1]
    for _ in range(int(rng.integers(6, 26))):
        x, y = int(rng.uniform() * width), int(rng.uniform(0.2, 1.0) * foot)
        colour = random_colour(rng).tolist()
        if rng.uniform() < 0.4:
            end = (x + int(rng.normal(0, 20)), y - int(rng.uniform(20, 160)))
            cv2.line(canvas, (x, y), end, colour, int(rng.integers(2, 14)), cv2.LINE_AA)
        elif rng.uniform() < 0.6:
            axes = (int(rng.uniform(6, 50)), int(rng.uniform(6, 50)))
            cv2.ellipse(canvas, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = np.array([x, y]) + rng.uniform(-50, 50, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour, cv2.LINE_AA)


def _floor(rng: np.random.Generator, canvas: Image, foot: int, focal: float, height: float) -> None:
    """Tiles and noise on the ground plane, in true perspective below the row `foot`."""
    rows, width = canvas.shape[0] - foot, canvas.shape[1]
    drop = np.arange(foot, canvas.shape[0]) - canvas.shape[0] / 2.0
    depth = np.broadcast_to((height * focal / drop)[:, None], (rows, width))
    across = (np.arange(width)[None, :] - width / 2.0) * depth / focal
    texture = noise_texture(rng, 256, 256) * float(rng.uniform(10.0, 30.0))
    tiles = int(rng.choice([1, 2, 4, 8]))
    step = 256 // tiles
    if tiles > 1:
        checks = (np.add.outer(np.arange(256) // step, np.arange(256) // step) % 2) * 2.0 - 1.0
        texture = (texture + checks * float(rng.uniform(0.0, 22.0))).astype(np.float32)
    scale = 256.0 / float(rng.uniform(3.0, 6.0))
    grain = cv2.remap(
        texture.astype(np.float32),
        (across * scale).astype(np.float32),
        (depth * scale).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    # Far tiles are finer than a pixel: fade them, or they flicker when the camera moves.
    fade = np.clip(6.0 / depth, 0.0, 1.0)
    colour = random_colour(rng) * 0.5 + 70.0
    canvas[foot:] = np.clip(colour + (grain * fade)[..., None], 0, 255).astype(np.uint8)


def random_backdrop(rng: np.random.Generator, size: tuple[int, int], focal: float, height: float) -> Backdrop:
    """A scene for images of `size` seen from `height` metres; wider than the image for pans."""
    width, tall = int(size[0] * 2.2), int(size[1] * 2.0)
    horizon = tall // 2
    foot = horizon + max(2, int(height * focal / float(rng.uniform(8.5, 22.0))))
    top, bottom = random_colour(rng) * 0.5 + 90.0, random_colour(rng) * 0.5 + 60.0
    blend = np.linspace(0.0, 1.0, tall)[:, None, None]
    canvas = np.empty((tall, width, 3), dtype=np.uint8)
    canvas[:] = (top * (1.0 - blend) + bottom * blend).astype(np.uint8)
    _rectangles(rng, canvas, foot)
    _shapes(rng, canvas, foot)
    _floor(rng, canvas, foot, focal, height)
    grain = noise_texture(rng, width, tall) * float(rng.uniform(8.0, 30.0))
    fine = rng.normal(0.0, rng.uniform(1.0, 7.0), (tall, width)).astype(np.float32)
    grain += cv2.GaussianBlur(fine, (0, 0), 1.0) * 2.0
    pixels = np.clip(canvas + grain[..., None], 0, 255).astype(np.uint8)
    # The scenery is out of focus more often than not.
    blurred = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.3, 2.2)))
    return Backdrop(np.asarray(blurred, dtype=np.uint8), focal)
