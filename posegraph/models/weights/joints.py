"""Which joint is which row of a decoder's last layer: rows of two skeletons are matched by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton, shipped_names

DEFAULT_SKELETON = "coco17"
_SIDES = ((r"l_(?=.)", "left_"), (r"r_(?=.)", "right_"))
_NUMBERED = re.compile(r"label_\d+", re.IGNORECASE)


def canonical(name: str) -> str:
    """``L_Shoulder``, ``left shoulder`` and ``left_shoulder`` are one joint."""
    name = re.sub(r"[\s-]+", "_", name.strip().lower())
    for short, side in _SIDES:
        name = re.sub(rf"^{short}", side, name)
    return name


def labels(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Joint names in a Hugging Face ``config.json``; None where it has none but numbers."""
    content = config.get("id2label")
    if not isinstance(content, dict):
        return None
    rows = [content.get(str(row)) for row in range(len(content))]
    names = tuple(str(row) for row in rows if row is not None)
    return None if len(names) < len(rows) or any(_NUMBERED.fullmatch(name) for name in names) else names


def rows_skeleton(
    spec: str, rows: int, given: Skeleton | None, said: Sequence[str] | Skeleton | None, expert: int
) -> tuple[Skeleton, str | None]:
    """The joints of ``rows`` rows, as the user gives them, else as the file says, else those of coco17; and what was
    taken for granted.

    Args:
        spec: Named in errors.
        rows: Of the decoder's last layer.
        given: The user's ``weights_skeleton``.
        said: What the file says.
        expert: Which of ViTPose+'s the decoder was trained with; others than 0 know other joints.

    Raises:
        PoseGraphError: nobody says, or what the user gives has another number of joints.
    """
    if given is not None:
        if given.num_joints != rows:
            raise PoseGraphError(
                f"{spec}: its decoder has {rows} rows, the given skeleton {given.name!r} has {given.num_joints} "
                "joints; give the skeleton that the weights were trained with"
            )
        return given, None
    if isinstance(said, Skeleton):
        return said, None
    if said is not None and len(said) == rows:
        return _named(tuple(canonical(name) for name in said), spec), None
    default = Skeleton.load(DEFAULT_SKELETON)
    if rows == default.num_joints and expert == 0:
        return default, f"its {rows} rows are the joints of {DEFAULT_SKELETON} (the file does not say)"
    raise PoseGraphError(
        f"{spec}: does not say which joints its decoder's {rows} rows are; give their skeleton, a shipped name or a "
        ".yaml file: -o model.weights_skeleton=NAME (of eval: --skeleton NAME)"
    )


def _named(joints: tuple[str, ...], spec: str) -> Skeleton:
    """The shipped skeleton with these joints in this order, else one that knows nothing but their names."""
    for name in shipped_names():
        skeleton = Skeleton.load(name)
        if tuple(canonical(joint) for joint in skeleton.joints) == joints:
            return skeleton
    return Skeleton.from_dict({"name": "weights", "joints": joints}, source=f"{spec} (its joint names)")


def matched_rows(ours: Skeleton, theirs: Skeleton) -> list[tuple[int, int]]:
    """Pairs (our row, their row) of the same joint, in our order: by its name, else by its official report name."""
    place = {name: row for row, names in reversed(list(enumerate(_names(theirs)))) for name in names}
    place |= {canonical(joint): row for row, joint in enumerate(theirs.joints)}
    pairs = []
    for row, names in enumerate(_names(ours)):
        found = [place[name] for name in names if name in place]
        if found:
            pairs.append((row, found[0]))
    return pairs


def _names(skeleton: Skeleton) -> list[list[str]]:
    """For every joint its own name, then those that official reports give it."""
    names = {joint: [canonical(joint)] for joint in skeleton.joints}
    for official, joint in skeleton.scored.items():
        names[joint].append(canonical(official))
    return [names[joint] for joint in skeleton.joints]
