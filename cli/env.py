"""``posegraph env``."""

from __future__ import annotations

import click

from .output import emit_json, json_option, print_table


@click.command()
@json_option
def env(json_path: str | None) -> None:
    """Show versions and hardware, for a bug report."""
    from posegraph.environment import describe_environment

    found = describe_environment()
    emit_json(found, json_path)
    shown = {
        **found,
        "torch-scatter": found["torch-scatter"] or "not installed: PyG's own reductions serve",
        "cuda": found["cuda"] or "torch is a CPU build",
        "cuda_devices": ", ".join(found["cuda_devices"]) or "none: runs on the CPU",
    }
    print_table("environment", ("what", "version"), list(shown.items()), json_path=json_path)
