"""``posegraph skeleton list | show | check``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from .output import print_table

if TYPE_CHECKING:
    from posegraph.skeleton import Skeleton

NAME_OR_PATH = click.argument("name_or_path", metavar="NAME_OR_PATH")
SIDED = re.compile(r"(^|[_\-. ])(l|left|r|right)($|[_\-. ])", re.IGNORECASE)
"""A joint's name that tells its side: left_wrist, l_wrist, wrist-R."""


@click.group()
def skeleton() -> None:
    """List, show and check skeletons (joints, bones, flips as data)."""


@skeleton.command("list")
def list_() -> None:
    """List the skeletons that come with posegraph."""
    from posegraph.skeleton import Skeleton, shipped_names

    shipped = [Skeleton.load(name) for name in shipped_names()]
    rows = [(one.name, one.num_joints, len(one.bones), ", ".join(one.groups)) for one in shipped]
    print_table("skeletons", ("name", "joints", "bones", "groups"), rows)


@skeleton.command()
@NAME_OR_PATH
@click.option("--edges", is_flag=True, help="Print the graph's 1-hop and 2-hop edges by name instead.")
def show(name_or_path: str, edges: bool) -> None:
    """Print a skeleton as YAML, to read or to start one's own from."""
    from posegraph.skeleton import Skeleton

    loaded = Skeleton.load(name_or_path)
    if not edges:
        click.echo(loaded.to_yaml(), nl=False)
        return
    near = {edge for edge in loaded.neighbours(1) if edge[0] < edge[1]}
    far = {edge for edge in loaded.neighbours(2) if edge[0] < edge[1]} - near
    for hops, pairs in (("1 hop", near), ("2 hops", far)):
        for first, second in sorted(pairs):
            click.echo(f"{hops}: {loaded.joints[first]} - {loaded.joints[second]}")


@skeleton.command()
@NAME_OR_PATH
def check(name_or_path: str) -> None:
    """Check a skeleton file: counts, and warnings about what looks forgotten."""
    from posegraph.skeleton import Skeleton

    loaded = Skeleton.load(name_or_path)
    click.echo(
        f"{loaded.name}: {loaded.num_joints} joints, {len(loaded.bones)} bones, {len(loaded.flip_pairs)} flip pairs, "
        f"{len(loaded.groups)} groups, {len(loaded.scored_rows)} scored joints"
    )
    for warning in _warnings(loaded):
        click.echo(f"warning: {warning}")


def _warnings(skeleton: Skeleton) -> list[str]:
    """What is valid and yet probably forgotten, one line each."""
    import networkx as nx

    parts = sorted(nx.connected_components(skeleton.graph), key=len, reverse=True)
    apart = [skeleton.joints[row] for part in parts[1:] for row in sorted(part)]
    grouped = {joint for joints in skeleton.groups.values() for joint in joints}
    scored = [skeleton.joints[row] for row in skeleton.scored_rows.values()]
    ungrouped = [joint for joint in scored if joint not in grouped]
    paired = {joint for pair in skeleton.flip_pairs for joint in pair}
    unpaired = [joint for joint in skeleton.joints if SIDED.search(joint) and joint not in paired]
    found = [
        (apart, "not connected to the other joints by bones; no message reaches them"),
        (ungrouped, "scored but in no group; no column of a table shows them"),
        (unpaired, "named left or right but in no flip pair; a flipped picture would swap them wrongly"),
    ]
    warnings = [f"{', '.join(joints)}: {meaning}" for joints, meaning in found if joints]
    if not skeleton.oks_sigmas:
        warnings.append("no oks_sigmas; OKS cannot be computed")
    return warnings
