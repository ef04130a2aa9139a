"""A skeleton is data: joints, bones, flips, groups and references come from one YAML file.

Graph edges, head size, flip augmentation, metrics, drawing and file output are all derived from a :class:`Skeleton`.
The shipped files in ``posegraph/skeletons/`` have the same format as a user's own.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import networkx as nx
import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.validation import read_yaml, validated

SHIPPED = Path(__file__).parent / "skeletons"

JointName = Annotated[str, Field(min_length=1)]
Pair = tuple[JointName, JointName]


class PCKReference(BaseModel):
    """The length that a PCK threshold is a fraction of.

    ``head_box``: 0.6 x the diagonal of the head box (PCKh). ``box``: the longer side of the person's box.
    ``joints``: the distance between the two named joints, in the same frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["head_box", "box", "joints"] = "box"
    joints: Pair | None = None

    @model_validator(mode="after")
    def _joints_go_with_kind(self) -> PCKReference:
        if (self.kind == "joints") != (self.joints is not None):
            raise ValueError("pck_reference: 'joints' (two joint names) goes with kind 'joints' and with no other kind")
        return self


class Skeleton(BaseModel):
    """Joints and what is known about them. Frozen and validated; read one with :meth:`load`.

    Fields:
        name: Identifier; part of every checkpoint.
        joints: ``J`` names in the order of the keypoint arrays.
        bones: Pairs of joint names; the 1-hop graph.
        flip_pairs: Pairs that swap under a horizontal flip.
        upper_body: Joints of the upper half (half-body augmentation).
        groups: Table columns, each a list of joints.
        scored: Official report name -> joint, in report order. Empty: every joint under its own name.
        oks_sigmas: Joint -> sigma of the OKS. Empty: none known.
        pck_reference: The length of a PCK threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    joints: Annotated[tuple[JointName, ...], Field(min_length=1)]
    bones: tuple[Pair, ...] = ()
    flip_pairs: tuple[Pair, ...] = ()
    upper_body: tuple[JointName, ...] = ()
    groups: dict[str, tuple[JointName, ...]] = {}
    scored: dict[str, JointName] = {}
    oks_sigmas: dict[JointName, PositiveFloat] = {}
    pck_reference: PCKReference = PCKReference()

    @field_validator("joints")
    @classmethod
    def _joints_are_unique(cls, joints: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({joint for joint in joints if joints.count(joint) > 1})
        if twice:
            raise ValueError(f"joints named twice: {', '.join(twice)}; every joint needs a name of its own")
        return joints

    @model_validator(mode="after")
    def _every_name_is_a_joint(self) -> Skeleton:
        named: list[tuple[str, str]] = []
        named += [(f"bone {list(bone)}", joint) for bone in self.bones for joint in bone]
        named += [(f"flip pair {list(pair)}", joint) for pair in self.flip_pairs for joint in pair]
        named += [("upper_body", joint) for joint in self.upper_body]
        named += [(f"group {group!r}", joint) for group, joints in self.groups.items() for joint in joints]
        named += [(f"scored {official!r}", joint) for official, joint in self.scored.items()]
        named += [("oks_sigmas", joint) for joint in self.oks_sigmas]
        named += [("pck_reference", joint) for joint in self.pck_reference.joints or ()]
        for where, joint in named:
            if joint not in self.joints:
                hint = did_you_mean(joint, self.joints)
                raise ValueError(
                    f"{where} names {joint!r}, no joint of {self.name!r}; joints are: {', '.join(self.joints)}{hint}"
                )
        return self

    @model_validator(mode="after")
    def _pairs_make_sense(self) -> Skeleton:
        for kind, pairs in (("bone", self.bones), ("flip pair", self.flip_pairs)):
            for first, second in pairs:
                if first == second:
                    raise ValueError(f"{kind} [{first}, {second}] joins a joint to itself; name two different joints")
        flipped = [joint for pair in self.flip_pairs for joint in pair]
        twice = sorted({joint for joint in flipped if flipped.count(joint) > 1})
        if twice:
            raise ValueError(f"flip_pairs: {', '.join(twice)} in more than one pair; a joint has one mirror image")
        if self.oks_sigmas and set(self.oks_sigmas) != set(self.joints):
            missing = [joint for joint in self.joints if joint not in self.oks_sigmas]
            raise ValueError(
                f"oks_sigmas: none for {', '.join(missing)}; give one for every joint, or leave them all out"
            )
        return self

    @classmethod
    def load(cls, name_or_path: str | Path | Skeleton) -> Skeleton:
        """Read a shipped skeleton by name, or a YAML file by path.

        Raises:
            PoseGraphError: no such skeleton or file, or a fault in it (names the file, the field and the cure).
        """
        if isinstance(name_or_path, Skeleton):
            return name_or_path
        path = Path(name_or_path)
        if path.suffix not in (".yaml", ".yml"):
            path = SHIPPED / f"{name_or_path}.yaml"
            if not path.is_file():
                shipped = shipped_names()
                raise PoseGraphError(
                    f"skeleton {str(name_or_path)!r} is not shipped; shipped are: {', '.join(shipped)}; give one of "
                    f"them or the path of a .yaml file{did_you_mean(str(name_or_path), shipped)}"
                )
        content = read_yaml(path, "a skeleton (`posegraph skeleton show coco17` shows the format)")
        return cls.from_dict(content, source=str(path))

    @classmethod
    def from_dict(cls, content: Any, source: str = "skeleton") -> Skeleton:
        """Validate the parsed content of a skeleton file. ``source`` is named in errors."""
        return validated(cls, content, source)

    def to_yaml(self) -> str:
        """The skeleton as a YAML file that :meth:`load` reads back."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)

    @property
    def num_joints(self) -> int:
        """``J``."""
        return len(self.joints)

    @cached_property
    def index(self) -> dict[str, int]:
        """Joint name -> row."""
        return {joint: row for row, joint in enumerate(self.joints)}

    @cached_property
    def bone_rows(self) -> tuple[tuple[int, int], ...]:
        """Bones as pairs of rows."""
        return tuple((self.index[first], self.index[second]) for first, second in self.bones)

    @cached_property
    def flip_rows(self) -> tuple[int, ...]:
        """``J`` rows: row ``j`` of a mirrored person is row ``flip_rows[j]`` of the original."""
        mirror = {joint: joint for joint in self.joints}
        for first, second in self.flip_pairs:
            mirror[first], mirror[second] = second, first
        return tuple(self.index[mirror[joint]] for joint in self.joints)

    @cached_property
    def scored_rows(self) -> dict[str, int]:
        """Report name -> row, in the order of the official report."""
        scored = self.scored or {joint: joint for joint in self.joints}
        return {official: self.index[joint] for official, joint in scored.items()}

    @cached_property
    def group_rows(self) -> dict[str, tuple[int, ...]]:
        """Table column -> rows of its joints."""
        return {group: tuple(self.index[joint] for joint in joints) for group, joints in self.groups.items()}

    @cached_property
    def graph(self) -> nx.Graph[int]:
        """The skeleton as an undirected graph whose nodes are the rows."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(self.num_joints))
        graph.add_edges_from(self.bone_rows)
        return graph

    def neighbours(self, hops: int) -> list[tuple[int, int]]:
        """All ordered pairs of different rows at most ``hops`` bones apart, sorted."""
        reach = nx.all_pairs_shortest_path_length(self.graph, cutoff=hops)
        return sorted((source, target) for source, lengths in reach for target in lengths if source != target)


def shipped_names() -> list[str]:
    """Names of the skeletons that come with posegraph."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))
