"""Frames with titles on one page: a grid of methods and frames, or plain tiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegraph.visualize.frame import letterbox
from posegraph.visualize.text import put_text, text_mask

Image = NDArray[np.uint8]

_PAPER = (255, 255, 255)
_INK = (40, 40, 40)
_EMPTY = (235, 235, 235)


def filmstrip(rows: Sequence[Sequence[Image]], row_titles: Sequence[str], column_titles: Sequence[str]) -> Image:
    """Frames side by side on white, ``[H, W, 3]`` uint8.

    Args:
        rows: One sequence of BGR images ``[h, w, 3]`` a row; each is scaled to fit the first one's size.
        row_titles: Written to the left, one a row.
        column_titles: Written above, one a column.

    Raises:
        ValueError: rows of different length, or another number of titles than of rows or columns.
    """
    columns = len(column_titles)
    if not rows or not columns or len(row_titles) != len(rows) or any(len(row) != columns for row in rows):
        raise ValueError(
            f"got rows of {[len(row) for row in rows]} images, {len(row_titles)} row titles and {columns} column "
            "titles; expected at least one image, a title a row, and a title a column"
        )
    height, width = rows[0][0].shape[:2]
    size = float(np.clip(height / 14, 12, 28))
    gap = round(size / 2)
    line, left = text_mask("", size).shape[0], max(text_mask(title, size).shape[1] for title in row_titles)
    left += 2 * gap if left else gap
    top = line + 2 * gap
    page: Image = np.full((top + len(rows) * (height + gap), left + columns * (width + gap), 3), _PAPER, dtype=np.uint8)
    for column, title in enumerate(column_titles):
        indent = (width - text_mask(title, size).shape[1]) // 2
        put_text(page, title, left + column * (width + gap) + indent, gap, size, _INK)
    for row, (title, images) in enumerate(zip(row_titles, rows, strict=True)):
        y = top + row * (height + gap)
        put_text(page, title, gap, y + (height - line) // 2, size, _INK)
        for column, image in enumerate(images):
            x = left + column * (width + gap)
            page[y : y + height, x : x + width] = letterbox(image, height, width, _EMPTY)
    return page


def tiles(images: Sequence[Image], titles: Sequence[str], columns: int, width: int = 480) -> Image:
    """Frames in rows of ``columns``, each with its title above it, ``[H, W, 3]`` uint8.

    Args:
        images: BGR images ``[h, w, 3]``; each is scaled to fit a cell of the first one's shape.
        titles: One an image; a long one is cut off at its cell's edge.
        columns: Images side by side.
        width: Of a cell in pixels.

    Raises:
        ValueError: no image, or another number of titles than of images.
    """
    if not images or len(titles) != len(images):
        raise ValueError(
            f"got {len(images)} images and {len(titles)} titles; expected a title for each of at least one"
        )
    height = round(width * images[0].shape[0] / images[0].shape[1])
    size, gap = 14.0, 10
    line = text_mask("", size).shape[0]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    step_y, step_x = line + height + gap, width + gap
    page: Image = np.full((rows * step_y + gap, columns * step_x + gap, 3), _PAPER, dtype=np.uint8)
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        y, x = gap + (number // columns) * step_y, gap + (number % columns) * step_x
        put_text(page[:, : x + width], title, x, y, size, _INK)
        page[y + line : y + line + height, x : x + width] = letterbox(image, height, width, _EMPTY)
    return page
