"""How many annotated person crops a second the synthetic generator writes.

python benchmarks/synthetic.py [--sequences 16] [--frames 30] [--people 4] [--workers 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from posegraph.data.synthetic import generate


def cpu_seconds() -> float:
    """Processor time of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start, cpu = time.perf_counter(), cpu_seconds()
        summary = generate(
            Path(folder),
            sequences=args.sequences,
            frames=args.frames,
            people=args.people,
            workers=args.workers,
        )
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    result = asdict(summary) | {
        "workers": args.workers,
        "cpu_seconds": cpu,
        "crops_per_cpu_second": summary.poses / cpu,
        "frames_per_second": summary.frames / wall,
        "occluded_share": summary.occluded_joints / max(1, summary.joints),
    }
    for name, value in result.items():
        print(f"{name:22} {value:.3f}" if isinstance(value, float) else f"{name:22} {value}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
