"""What a training step needs of a GPU's memory: an estimate from the sizes of tensors, not measured on a GPU.

python benchmarks/memory.py [--presets ncstr-s ncstr-h] [--batch-size 32] [--json FILE] [-o KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from posegraph.config import RunConfig
from posegraph.engine.memory import estimate_memory
from posegraph.skeleton import Skeleton

PRESETS = ["ncstr-s", "ncstr-b", "ncstr-l", "ncstr-h"]
COLUMNS = ("weights", "gradients", "optimizer", "ema", "activations", "recomputed", "total")
SETTINGS = ("training.precision", "training.checkpoint_blocks", "model.past_gradient")


def estimate(preset: str, values: tuple[str, ...], overrides: list[str]) -> dict[str, Any]:
    """One row: the settings, and bytes."""
    chosen = dict(zip(SETTINGS, values, strict=True))
    config = RunConfig.from_preset(preset, [*(f"{key}={value}" for key, value in chosen.items()), *overrides])
    found = estimate_memory(config, Skeleton.load(config.skeleton))
    return {"preset": preset, **chosen, "batch_size": config.training.batch_size, **asdict(found), "total": found.total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="also write the numbers, in bytes, to this file")
    args = parser.parse_args()
    overrides = [f"training.batch_size={args.batch_size}", *args.overrides]
    print(f"GB (1e9 bytes) for a batch of {args.batch_size} clips; an estimate, not measured on a GPU")
    print(f"{'preset':9}{'precision':11}{'checkpoint':11}{'past grad':10}" + "".join(f"{name:>12}" for name in COLUMNS))
    rows = []
    for preset, *values in itertools.product(
        args.presets, ("32-true", "bf16-mixed"), ("false", "true"), ("true", "false")
    ):
        row = estimate(preset, tuple(values), overrides)
        rows.append(row)
        print(f"{preset:9}{values[0]:11}{values[1]:11}{values[2]:10}", end="")
        print("".join(f"{row[name] / 1e9:12.2f}" for name in COLUMNS), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
