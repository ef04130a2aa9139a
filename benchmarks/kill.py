"""A training run killed at random moments (kill -9) and resumed each time: is it the run never stopped, bit by bit?

python benchmarks/kill.py [--kills 10] [--seed N] [--epochs 8] [--json FILE]

A synthetic set is drawn, and a tiny model trained on it through the command line, with all that a resume must bring
back: two loader processes, augmentation, random depth, accumulated batches, a cosine schedule, an exponential moving
average of the weights, checkpoints within the epoch, validation. Compared is everything in last.ckpt and best.ckpt
(weights, their average, optimiser, schedule, loop counters) and metrics.csv. Kill moments are drawn between the start
of the process and a third of the training; a run that ends before its moment is compared, and another one begun. The
exit status is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from posegraph.data.synthetic import generate
from posegraph.engine.run_folder import checkpoints, open_saved

SETTINGS = [
    "model.input_hw=[64,48]", "model.embed_dim=32", "model.depth=2", "model.num_heads=2", "model.node_channels=32",
    "model.deconv_channels=[16]", "model.patch_size=8", "model.drop_path=0.3", "data.workers=2",
    "training.batch_size=4", "training.accumulate=2", "training.schedule=cosine", "training.warmup_steps=5",
    "training.ema=0.99", "training.checkpoint_every=5", "training.log_every=1", "training.accelerator=cpu",
]  # fmt: skip


class Training:
    """``posegraph train`` into a folder, as often as it takes."""

    def __init__(self, data: Path, out: Path, epochs: int) -> None:
        self.out = out
        places = [f"data.{part}={data}/annotations/{part}" for part in ("train", "val")]
        options = [word for value in (*SETTINGS, *places, f"training.epochs={epochs}") for word in ("-o", value)]
        self._command = [sys.executable, "-m", "posegraph_cli.main", "train", "ncstr-tiny", *options, "--out", str(out)]

    def start(self) -> subprocess.Popen[bytes]:
        """A process that begins the run, or goes on with it."""
        resume = ["--resume"] if (self.out / "config.yaml").exists() else []
        with self.out.with_name(f"{self.out.name}.log").open("ab") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            return subprocess.Popen([*self._command, *resume], stdout=log, stderr=log, env=environment)

    def finish(self) -> tuple[float, float]:
        """Train to the end. Returns the seconds until the first logged step, and in all."""
        begun, table, first = time.monotonic(), self.out / "logs/metrics.csv", 0.0
        process = self.start()
        while process.poll() is None:
            if not first and table.exists():
                first = time.monotonic() - begun
            time.sleep(0.02)
        if process.returncode:
            log = self.out.with_name(f"{self.out.name}.log").read_text(errors="replace")
            raise SystemExit(f"posegraph train ended with status {process.returncode}:\n{log[-3000:]}")
        return first, time.monotonic() - begun

    def kill_after(self, seconds: float) -> bool:
        """Start, and kill -9 at that moment; False: it had ended by then."""
        process = self.start()
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True

    def left(self) -> dict[str, Any]:
        """What a killed process left: the step to go on from, and files half written."""
        there = checkpoints(self.out)
        half = [path.name for path in self.out.rglob(".*") if path.is_file()] if self.out.exists() else []
        return {"step": open_saved(there[0]).place.step if there else None, "half_written": half}


def differences(one: Path, other: Path) -> list[str]:
    """Every value that is not the same, bit by bit."""
    found = []
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (leaves(torch.load(run / "checkpoints" / name, weights_only=True)) for run in (one, other))
        found += [
            f"{name}{key}" for key in sorted(ours.keys() | theirs.keys()) if not same(ours.get(key), theirs.get(key))
        ]
    if (one / "logs/metrics.csv").read_bytes() != (other / "logs/metrics.csv").read_bytes():
        found.append("metrics.csv")
    return found


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Nested values by their path."""
    if not isinstance(value, (dict, list, tuple)):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {name: leaf for key, item in items for name, leaf in leaves(item, f"{path}/{key}").items()}


def same(one: Any, other: Any) -> bool:
    """Equal values, tensors bit by bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(one == other)


def kill_at_random(folder: Path, kills: int, seed: int, epochs: int) -> dict[str, Any]:
    """Train without a stop, then with ``kills`` of them, and compare."""
    generate(folder / "data", sequences=6, frames=12, people=2, size=(160, 120), val_fraction=0.34, workers=1)
    unbroken = Training(folder / "data", folder / "unbroken", epochs)
    first_step, seconds = unbroken.finish()
    steps = open_saved(unbroken.out / "checkpoints/last.ckpt").place.step
    print(f"never stopped: {steps} steps in {seconds:.1f} s, the first after {first_step:.1f} s")
    done: list[dict[str, Any]] = []
    rng, runs = random.Random(seed), [Training(folder / "data", folder / "run1", epochs)]
    while len(done) < kills:
        moment = rng.uniform(0, first_step + (seconds - first_step) / 3)
        if not runs[-1].kill_after(moment):
            runs.append(Training(folder / "data", folder / f"run{len(runs) + 1}", epochs))
            continue
        left = runs[-1].left()
        done.append({"run": len(runs), "second": round(moment, 2), **left})
        print(f"run {len(runs)} killed after {moment:.2f} s; step {left['step']}, half written: {left['half_written']}")
    different = []
    for number, run in enumerate(runs, 1):
        run.finish()
        different.append(differences(run.out, unbroken.out))
        values = f"{len(different[-1])} values differ, first: {different[-1][:5]}"
        print(f"run {number}: {values if different[-1] else 'equal, bit by bit'}")
    return {"seed": seed, "steps": steps, "seconds": seconds, "kills": done, "different": different}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the moments; else a random one")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory() as folder:
        result = kill_at_random(Path(folder), args.kills, args.seed, args.epochs)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(result["different"]))


if __name__ == "__main__":
    main()
