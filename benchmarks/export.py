"""How fast a stream's step is when other runtimes compute it, and how far their poses are from the model's.

python benchmarks/export.py [MODEL] [--kinds onnx:fp32 onnx:int8 aoti:bf16] [--people 1 8] [--repeats 9] [--threads 2]
    [--check-data JSON_OR_FOLDER] [--frames A-B] [--clock wall|cpu] [--json FILE]

MODEL is a preset, with noise for weights, or what `posegraph eval` takes. A step encodes one crop of each person and
reasons over the clips. Against each export run, in turns: the model as it is written, in eager torch, and what
PoseStream makes of it without an export (posegraph.models.inference). Medians are compared, at equal numbers of
threads.

With --check-data the model and each export are scored on its people (frames A-B) as `posegraph eval` does, and their
keypoints compared in pixels of the crop. The poses of noise say nothing of an export's accuracy in bf16 or int8: give a
trained MODEL for that. Without --check-data five drawn people are compared.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posegraph.config import preset_names
from posegraph.data import TrackSet
from posegraph.data.augment import plain_crop
from posegraph.engine import checkpoint
from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.evaluation import Evaluation, evaluate, frame_range
from posegraph.engine.exporting.check import REDUCED_MEAN_PX, stream_step
from posegraph.engine.exporting.export import export_model
from posegraph.engine.exporting.exported import ExportedModel, StreamModel, load_exported
from posegraph.engine.exporting.formats import PRECISIONS, Format, Precision
from posegraph.environment import describe_environment
from posegraph.files import write_json
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import build_model
from posegraph.models.inference import InferenceModel

GOAL, GOAL_PRESET = 1.2, "ncstr-b"
"""How many times as fast as the stream without an export one kind has to be, and of which model that is asked."""
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
KINDS: tuple[tuple[Format, Precision], ...] = (("onnx", "fp32"), ("onnx", "int8"), ("aoti", "bf16"))


def kind_of(text: str) -> tuple[Format, Precision]:
    """``"onnx:int8"`` -> its format and its precision."""
    known = {f"{to}:{precision}": (to, precision) for to, each in PRECISIONS.items() for precision in each}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(known)}")
    return known[text]


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


def apart_px(model: StreamModel, one: TrackSet, other: TrackSet) -> NDArray[np.float64]:
    """``[N, J]`` distances of the same people's keypoints, in pixels of their crops."""
    found = []
    for ours, theirs in zip(one, other, strict=True):
        wide = np.array(
            [
                plain_crop(box, model.config.input_hw, model.run_config.data.box_scale).region_xywh[2]
                for box in ours.boxes_xywh
            ]
        )
        distance = np.linalg.norm(ours.keypoints_px - theirs.keypoints_px, axis=-1)
        found.append(distance * (model.config.input_hw[1] - 1) / wide[:, None])
    return np.concatenate(found)


class Truth:
    """Annotated people, and how the model does on them."""

    def __init__(self, model: PoseModel, data: str, frames: str | None) -> None:
        self._model, self._data, self._frames = model, data, frames
        self._own = self._scored(model)

    def accuracy(self, exported: ExportedModel) -> dict[str, Any]:
        """Scores of the model and of an export, and how far their keypoints are apart."""
        found = self._scored(exported)
        apart = apart_px(self._model, self._own.predictions, found.predictions)
        scores = {"model": self._own.scores.table["Mean"], "export": found.scores.table["Mean"]}
        return {
            "data": self._data,
            "people": self._own.figures["people"],
            "metric": self._own.scores.metric,
            **scores,
            "difference": scores["export"] - scores["model"],
            "mean_px": float(apart.mean()),
            "max_px": float(apart.max()),
        }

    def _scored(self, model: StreamModel) -> Evaluation:
        return evaluate(model, self._data, frames=frame_range(self._frames))


def compared(
    model: PoseModel, kind: tuple[Format, Precision], truth: Truth | None, args: argparse.Namespace
) -> dict[str, Any]:
    """Export to one kind, score it, and time it."""
    # Rounding sends the argmax of noise anywhere.
    max_mean_px = math.inf if args.model in preset_names() else REDUCED_MEAN_PX
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        out = Path(folder) / "export"
        report = export_model(model, out, *kind, check_data=args.check_data, max_mean_px=max_mean_px)
        row: dict[str, Any] = {"kind": ":".join(kind), "seconds": time.perf_counter() - start, **report.as_json()}
        exported = load_exported(report.out)
        row["accuracy"] = None if truth is None else truth.accuracy(exported)
        row["steps"] = [measured(model, exported, people, args.repeats, args.clock) for people in args.people]
    row["over_stream"] = min(step["over_stream"] for step in row["steps"])
    return row


def told(row: dict[str, Any]) -> None:
    """Print a kind's speed, and beside it what it costs."""
    print(f"{row['kind']}, {row['size_bytes'] / 1e6:.0f} MB, written and checked in {row['seconds']:.0f} s")
    for step in row["steps"]:
        print(
            f"  {step['people']} people: {step['export_ms']:.1f} ms a step; as written {step['written_ms']:.1f} "
            f"({step['over_written']:.2f}x), a stream without export {step['stream_ms']:.1f} "
            f"({step['over_stream']:.2f}x)"
        )
    found = row["accuracy"] or row["differences"]
    people = f"{found['people']} people" if row["accuracy"] else f"{found['clips']} clips ({row['checked_on']})"
    print(
        f"  keypoints: {found['mean_px']:.4f} px of the crop from the model's, {found['max_px']:.3f} at most; {people}"
    )
    if row["accuracy"]:
        scores = f"{found['export']:.2f}, the model's {found['model']:.2f} ({found['difference']:+.2f})"
        print(f"  {found['metric']}: {scores}")


def verdict(model: PoseModel, rows: list[dict[str, Any]]) -> bool | None:
    """Print whether any kind reaches the goal; None: it is not asked of this model."""
    if model.config.preset != GOAL_PRESET:
        print(f"goal: {GOAL}x of a stream without export: asked of {GOAL_PRESET} alone")
        return None
    reached = {row["kind"]: row["over_stream"] >= GOAL for row in rows}
    passed = any(reached.values())
    each = ", ".join(f"{row['kind']} {row['over_stream']:.2f}x" for row in rows)
    print(f"goal: {GOAL}x of a stream without export, by any kind: {'pass' if passed else 'FAIL'} ({each})")
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=GOAL_PRESET)
    parser.add_argument("--kinds", type=kind_of, nargs="+", default=KINDS, metavar="FORMAT:PRECISION")
    parser.add_argument("--people", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check-data", metavar="JSON_OR_FOLDER", help="annotated people to check and score on")
    parser.add_argument("--frames", metavar="A-B", help="score these frames of every video, counted from 0")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = opened(args.model)
    truth = None if args.check_data is None else Truth(model, args.check_data, args.frames)
    rows = []
    for kind in args.kinds:
        rows.append(compared(model, kind, truth, args))
        told(rows[-1])
    passed = verdict(model, rows)
    if args.json:
        environment = describe_environment() | {"threads": args.threads}
        settings = {"model": args.model, "clock": args.clock, "repeats": args.repeats, "goal": GOAL, "passed": passed}
        write_json(args.json, {**settings, "rows": rows, "environment": environment})


if __name__ == "__main__":
    main()
