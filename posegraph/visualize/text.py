"""Text on pictures, with Matplotlib's font renderer: OpenCV's own letters are bare strokes without accents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from posegraph.visualize.colors import Color, is_light

_DPI = 72
"""At 72 dots an inch a point is a pixel."""


@lru_cache(maxsize=1024)
def text_mask(text: str, size_px: float) -> NDArray[np.uint8]:
    """``text`` as coverage ``[h, w]``, 0 to 255. All texts of one size are equally high: they share a baseline."""
    font = _font()
    font.set_size(size_px, _DPI)
    # A line of this reaches from the highest ascender to the lowest descender.
    font.set_text("Ég")
    height, descent = font.get_width_height()[1], font.get_descent()
    font.set_text(text)
    font.draw_glyphs_to_bitmap(antialiased=True)
    glyphs = np.asarray(font.get_image())
    above = max(0, (height - descent - (font.get_width_height()[1] - font.get_descent())) // 64)
    below = max(0, (descent - font.get_descent()) // 64)
    mask: NDArray[np.uint8] = np.pad(glyphs, ((above, below), (0, 0)))
    mask.flags.writeable = False  # it is kept, and given out again
    return mask


def put_text(image: NDArray[np.uint8], text: str, left: int, top: int, size_px: float, color: Color) -> None:
    """Write ``text`` into ``image [H, W, 3]`` in place; what does not fit is cut off."""
    mask = text_mask(text, size_px)
    y, x = max(0, top), max(0, left)
    mask = mask[y - top :, x - left :][: max(0, image.shape[0] - y), : max(0, image.shape[1] - x)]
    if mask.size == 0:
        return
    under = image[y : y + mask.shape[0], x : x + mask.shape[1]]
    share = mask[..., None] / 255.0
    under[:] = np.round(under * (1 - share) + np.array(color) * share)


@dataclass(frozen=True)
class Label:
    """A text on a filled box whose upper left corner is at ``left, top``; made by :meth:`above`."""

    text: str
    size_px: float
    background: Color
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def above(
        cls, text: str, centre_x: float, bottom: float, size_px: float, background: Color, image_hw: tuple[int, int]
    ) -> Label:
        """The label that ends at ``bottom``, moved as little as needed to lie inside the image."""
        height, width = text_mask(text, size_px).shape
        pad_x, pad_y = _padding(size_px)
        box_w, box_h = width + 2 * pad_x, height + 2 * pad_y
        left = int(np.clip(centre_x - box_w / 2, 0, max(0, image_hw[1] - box_w)))
        top = int(np.clip(bottom - box_h, 0, max(0, image_hw[0] - box_h)))
        return cls(text, size_px, background, left, top, box_w, box_h)

    def overlaps(self, other: Label) -> bool:
        """Whether the two boxes share a pixel."""
        apart_x = self.left >= other.left + other.width or other.left >= self.left + self.width
        apart_y = self.top >= other.top + other.height or other.top >= self.top + self.height
        return not (apart_x or apart_y)

    def paint(self, image: NDArray[np.uint8]) -> None:
        """Draw box and text in place."""
        pad_x, pad_y = _padding(self.size_px)
        image[self.top : self.top + self.height, self.left : self.left + self.width] = self.background
        ink = (16, 16, 16) if is_light(self.background) else (255, 255, 255)
        put_text(image, self.text, self.left + pad_x, self.top + pad_y, self.size_px, ink)


def _padding(size_px: float) -> tuple[int, int]:
    return round(size_px * 0.35), round(size_px * 0.2)


@cache
def _font() -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))
