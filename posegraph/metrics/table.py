"""The row of a report: one number for each group of joints, and the mean."""

from __future__ import annotations

import numpy as np

from posegraph.skeleton import Skeleton

MEAN = "Mean"


def mean_of_known(values: list[float]) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def group_table(
    skeleton: Skeleton, per_joint: dict[str, float], mean: float, skip_unknown: bool = False
) -> dict[str, float]:
    """Mean of every group of the skeleton, then ``Mean``.

    Args:
        skeleton: Its groups and official names.
        per_joint: Official name -> value.
        mean: The value of the last column.
        skip_unknown: Leave NaN joints out of their group; otherwise one of them makes the group NaN, as in the
            row that poseval prints. Groups without a scored joint have no column.
    """
    row_values = {row: per_joint[official] for official, row in skeleton.scored_rows.items()}
    table = {}
    for group, rows in skeleton.group_rows.items():
        values = [row_values[row] for row in rows if row in row_values]
        if values:
            table[group] = mean_of_known(values) if skip_unknown else float(np.mean(values))
    return table | {MEAN: mean}
