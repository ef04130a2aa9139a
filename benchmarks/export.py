"""How fast a stream's step is when other runtimes compute it, and how far their poses are from the model's.

python benchmarks/export.py [MODEL] [--kinds onnx:fp32 onnx:int8 aoti:bf16] [--people 1 8] [--repeats 9] [--threads 2]
    [--check-data JSON] [--clock wall|cpu] [--json FILE]

MODEL is a preset, with noise for weights, or what `posegraph eval` takes. A step encodes one crop of each person and
reasons over the clips. Against each export run, in turns: the model as it is written, in eager torch, and what
PoseStream makes of it without an export (posegraph.models.inference). Medians are compared, at equal numbers of
threads. The poses of noise say nothing of an export's accuracy in bf16 or int8: give a trained MODEL for that.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from posegraph.config import preset_names
from posegraph.engine import checkpoint
from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.exporting.check import REDUCED_MEAN_PX, stream_step
from posegraph.engine.exporting.export import export_model
from posegraph.engine.exporting.exported import ExportedModel, load_exported
from posegraph.environment import describe_environment
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import build_model
from posegraph.models.inference import InferenceModel

GOAL = 1.2
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
KINDS = ("onnx:fp32", "onnx:int8", "aoti:bf16")


def opened(spec: str) -> PoseModel:
    """A trained model, or a preset whose heatmaps have peaks."""
    if spec not in preset_names():
        return checkpoint.load(spec)
    torch.manual_seed(0)
    model = build_model(spec).eval()
    nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    return model


def written_step(model: PoseModel, frames: torch.Tensor) -> Callable[[], Any]:
    """A stream's step by the modules as they are written."""
    clip = blank_clips(model.config, model.skeleton, len(frames))
    encoded = model.encode(frames)
    crops = frames[:, -1:].contiguous()

    def step() -> None:
        model.encode(crops)
        model.reason(Encoded(*encoded), clip)

    return step


@torch.inference_mode()
def measured(model: PoseModel, exported: ExportedModel, people: int, repeats: int, clock: str) -> dict[str, Any]:
    """Medians in milliseconds of the three ways, in turns, and what the export gains."""
    torch.manual_seed(0)
    frames = torch.randn(people, model.config.clip_frames, 3, *model.config.input_hw)
    steps = {
        "written_ms": written_step(model, frames),
        "stream_ms": stream_step(InferenceModel(model), frames),
        "export_ms": stream_step(exported, frames),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    now = CLOCKS[clock]
    for turn in range(repeats + 1):
        for name, step in steps.items():
            start = now()
            step()
            if turn:  # the first warms up
                seconds[name].append(now() - start)
    medians = {name: 1000 * statistics.median(each) for name, each in seconds.items()}
    return {
        "people": people,
        **medians,
        "over_written": medians["written_ms"] / medians["export_ms"],
        "over_stream": medians["stream_ms"] / medians["export_ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="ncstr-b")
    parser.add_argument("--kinds", nargs="+", default=KINDS, metavar="FORMAT:PRECISION")
    parser.add_argument("--people", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check-data", metavar="JSON_OR_FOLDER")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = opened(args.model)
    # Rounding sends the argmax of noise anywhere.
    max_mean_px = math.inf if args.model in preset_names() else REDUCED_MEAN_PX
    rows = []
    for kind in args.kinds:
        to, _, precision = kind.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            options = {"check_data": args.check_data, "max_mean_px": max_mean_px}
            report = export_model(model, Path(folder) / "export", to, precision, **options)
            row: dict[str, Any] = {"kind": kind, "seconds": time.perf_counter() - start, **report.as_json()}
            exported = load_exported(report.out)
            row["steps"] = [measured(model, exported, people, args.repeats, args.clock) for people in args.people]
        rows.append(row)
        print(f"{kind}: {report.differences}")
        for step in row["steps"]:
            print(
                f"  {step['people']} people: {step['export_ms']:.1f} ms a step; as written {step['written_ms']:.1f} "
                f"({step['over_written']:.2f}x), a stream without export {step['stream_ms']:.1f} "
                f"({step['over_stream']:.2f}x)"
            )
    best = {row["kind"]: min(step["over_stream"] for step in row["steps"]) for row in rows}
    passed = any(ratio >= GOAL for ratio in best.values())
    print(f"goal: {GOAL}x of a stream without export, by any kind: {'met' if passed else 'missed'}")
    if args.json:
        content = {
            "model": args.model,
            "threads": args.threads,
            "clock": args.clock,
            "goal": GOAL,
            "passed": passed,
            "rows": rows,
            "environment": describe_environment(),
        }
        args.json.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
