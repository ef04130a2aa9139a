"""The row of a report: one number for each group of joints, and the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from posegraph.skeleton import Skeleton

MEAN = "Mean"
TOTAL = "total"


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def with_total(per_joint: dict[str, float]) -> dict[str, float]:
    """The values, then ``total``: the mean of those that are not NaN."""
    return per_joint | {TOTAL: mean_of_known(per_joint.values())}


def percentages(fractions: dict[str, float]) -> dict[str, float]:
    """100 x the fraction of every joint, then ``total``: the mean of those that are not NaN."""
    return with_total({name: 100 * fraction for name, fraction in fractions.items()})


def group_table(skeleton: Skeleton, per_joint: dict[str, float], mean: float) -> dict[str, float]:
    """Mean of every group of the skeleton, then ``Mean``, whose value is ``mean``.

    One NaN joint makes its group NaN, as in the row that poseval prints. Groups without a scored joint have no
    column. ``per_joint`` has the official names.
    """
    return _groups(skeleton, per_joint, lambda values: float(np.mean(values))) | {MEAN: mean}


def known_table(skeleton: Skeleton, per_joint: dict[str, float]) -> dict[str, float]:
    """Mean of every group of the skeleton, then ``Mean`` of all joints; joints that are NaN or missing are left out.

    A group of which no joint is known is NaN.
    """
    known = {official: per_joint.get(official, float("nan")) for official in skeleton.scored_rows}
    return _groups(skeleton, known, mean_of_known) | {MEAN: mean_of_known(known.values())}


def _groups(skeleton: Skeleton, per_joint: dict[str, float], mean: Callable[[list[float]], float]) -> dict[str, float]:
    row_values = {row: per_joint[official] for official, row in skeleton.scored_rows.items()}
    members = {
        group: [row_values[row] for row in rows if row in row_values] for group, rows in skeleton.group_rows.items()
    }
    return {group: mean(values) for group, values in members.items() if values}
