"""Text on pictures, with Matplotlib's font renderer: OpenCV's own letters are bare strokes without accents."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from posegraph.visualize.colors import Color, is_light

_DPI = 72
"""At 72 dots an inch a point is a pixel."""


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
    return np.pad(glyphs, ((above, below), (0, 0)))


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


def put_label(
    image: NDArray[np.uint8], text: str, centre_x: float, bottom: float, size_px: float, background: Color
) -> None:
    """Write ``text`` on a filled box in place, moved as little as needed to lie inside the image."""
    height, width = text_mask(text, size_px).shape
    pad_x, pad_y = round(size_px * 0.35), round(size_px * 0.2)
    box_w, box_h = width + 2 * pad_x, height + 2 * pad_y
    left = int(np.clip(centre_x - box_w / 2, 0, max(0, image.shape[1] - box_w)))
    top = int(np.clip(bottom - box_h, 0, max(0, image.shape[0] - box_h)))
    image[top : top + box_h, left : left + box_w] = background
    ink = (16, 16, 16) if is_light(background) else (255, 255, 255)
    put_text(image, text, left + pad_x, top + pad_y, size_px, ink)


@cache
def _font() -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))
