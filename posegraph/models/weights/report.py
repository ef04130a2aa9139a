"""What became of somebody else's weights, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SHOWN = 8


@dataclass(frozen=True)
class WeightsReport:
    """What :func:`posegraph.models.weights.load_weights` did; ``str(report)`` is for people.

    Fields:
        spec: Where the weights come from.
        layout: Whose key names they have, and which of ViTPose's decoders they hold.
        loaded: Names in the model that were given a value.
        renamed: Name in the model -> key in the file, where they differ.
        resized: What was resized, added or folded in, in words.
        left_out: Keys of the file that the model has no place for.
        initialised: Names in the model that the file does not hold: they keep their initial values.
        initialised_joints: Joints that no row of the file is for: their rows keep their initial values.
        unused_joints: Joints of the file's rows that the model has not.
        assumptions: What the file does not say and was taken for granted.
    """

    spec: str
    layout: str
    loaded: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    resized: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    initialised: tuple[str, ...] = ()
    initialised_joints: tuple[str, ...] = ()
    unused_joints: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"weights from {self.spec}: {self.layout}", f"loaded {len(self.loaded)} tensors"]
        if self.renamed:
            ours, theirs = next(reversed(list(self.renamed.items())))
            lines.append(f"renamed {len(self.renamed)}, for instance {theirs} -> {ours}")
        if self.resized:
            lines.append(f"changed: {'; '.join(self.resized)}")
        if self.left_out:
            lines.append(f"left out {len(self.left_out)}: {grouped(self.left_out)}")
        if self.initialised:
            lines.append(f"initialised {len(self.initialised)} that it does not hold: {grouped(self.initialised)}")
        if self.initialised_joints:
            lines.append(f"initialised the rows of joints it does not know: {', '.join(self.initialised_joints)}")
        if self.unused_joints:
            lines.append(f"left out the rows of joints the model has not: {', '.join(self.unused_joints)}")
        lines += [f"taken for granted: {assumption}" for assumption in self.assumptions]
        return "\n  ".join(lines)


def grouped(names: Iterable[str]) -> str:
    """Names in a line: those that begin alike are one entry with their number."""
    names = list(names)
    counts = Counter(name.split(".")[0] for name in names)
    whole = {name.split(".")[0]: name for name in names}
    entries = [whole[start] if count == 1 else f"{start}.* ({count})" for start, count in counts.items()]
    rest = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return ", ".join(entries[:_SHOWN]) + rest
