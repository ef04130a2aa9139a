"""Position tables and patch kernels of another size than the model's.

# C channels, h x w the model's grid, n rows of the file's table
"""

from __future__ import annotations

import math

from timm.layers.patch_embed import resample_patch_embed
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from posegraph.errors import PoseGraphError

Grid = tuple[int, int]


def fit_positions(
    table: Tensor, grid_hw: Grid, said_hw: Grid | None, class_token: bool, spec: str
) -> tuple[Tensor, str | None]:
    """A table ``[1, n, C]`` -> ``[1, h * w, C]``, and what was done.

    Args:
        table: With or without a row before the grid's.
        grid_hw: The model's grid.
        said_hw: The grid that the file itself names.
        class_token: The row before the grid is the class token's position, which posegraph's backbone has not;
            otherwise it is added to every patch, as ViTPose does.
        spec: Named in errors.

    Raises:
        PoseGraphError: ``n`` rows are no grid.
    """
    rows = table.size(1)
    source_hw = source_grid(rows, grid_hw, said_hw, spec)
    extra = rows - source_hw[0] * source_hw[1]
    grid, steps = table[:, extra:], []
    if source_hw != grid_hw:
        grid = resample_abs_pos_embed(
            grid, list(grid_hw), list(source_hw), num_prefix_tokens=0, interpolation="bicubic", antialias=False
        )
        steps.append(f"positions {source_hw[0]}x{source_hw[1]} -> {grid_hw[0]}x{grid_hw[1]}, bicubic")
    if extra and class_token:
        steps.append("row 0 of the positions is the class token's, left out")
    elif extra:
        grid = grid + table[:, :1]
        steps.append("row 0 of the positions added to every patch")
    return grid, "; ".join(steps) or None


def source_grid(rows: int, grid_hw: Grid, said_hw: Grid | None, spec: str) -> Grid:
    """The grid of a table with ``rows`` rows, one of which may stand before the grid.

    What the file says comes first, then the model's own grid, then 4:3 (a person's crop), then a square.
    """
    known = [said_hw, grid_hw] if said_hw else [grid_hw]
    fitting = [grid for grid in known if rows - grid[0] * grid[1] in (0, 1)]
    for height, width in ((4, 3), (1, 1)):
        for cells in (rows - 1, rows):
            unit = math.isqrt(cells // (height * width))
            if unit and unit * unit * height * width == cells:
                fitting.append((unit * height, unit * width))
    if not fitting:
        raise PoseGraphError(
            f"{spec}: its position table has {rows} rows, which are no 4:3 and no square grid; give weights with such "
            "a grid, or a folder whose config.json says the image's size"
        )
    return fitting[0]


def fit_patches(kernel: Tensor, patch_size: int) -> tuple[Tensor, str | None]:
    """A patch kernel ``[C, 3, p, p]`` -> ``[C, 3, patch_size, patch_size]`` (FlexiViT's resize), and what was done."""
    source = (kernel.size(2), kernel.size(3))
    if source == (patch_size, patch_size):
        return kernel, None
    resized: Tensor = resample_patch_embed(kernel, [patch_size, patch_size])
    return resized, f"patch kernel {source[0]}x{source[1]} -> {patch_size}x{patch_size}"
