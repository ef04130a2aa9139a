"""``posegraph bench`` for people and for programs: every number beside what it counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

from posegraph.engine.bench.flops import Work
from posegraph.engine.bench.measurement import Bench, BenchSettings
from posegraph.engine.bench.model_work import total
from posegraph.engine.bench.paper import SIZES, PaperRow
from posegraph.engine.bench.profiling import OperatorCost

DEFINITIONS = {
    "MAC": "a multiplication and an addition; zeros of paddings included",
    "FLOP": "2 a MAC; operations that are no products are not in it",
    "attention products": "activations with activations: both products of every attention, and GATConv's scores and "
    "messages; all other MACs are activations with weights",
    "other operations": "norms, activations, softmax ...: the elements of the largest tensor that each reads or writes",
    "a pose, clip mode": "all frames of the clip through backbone and decoder, and the head once",
    "a pose, steady stream": "one new frame through backbone and decoder, and the head over all frames; the "
    "others were encoded before, under the same crop",
    "counted": "the model as it is written, one person, on tensors without values",
    "latency": "of one step, the device's work done before and after; pN: N percent of the steps are no slower (of "
    "fewer than 100 steps p99 is close to the slowest)",
    "measured": "the model alone, on noise: no decoding of video, no cropping, no drawing",
    "peak memory": "beyond the weights; on CUDA devices tensors (CUDA's counter), else resident memory of the process, "
    "libraries' work space included",
}
"""Word -> what it means in all tables and files of ``posegraph bench``."""


class Table(NamedTuple):
    """What is printed."""

    title: str
    columns: list[str]
    rows: list[list[object]]
    decimals: int


def definitions_table() -> Table:
    """The words that the other tables use."""
    return Table("what the figures count", ["figure", "is"], [list(pair) for pair in DEFINITIONS.items()], 0)


def work_table(found: Bench) -> Table:
    """Parameters and multiply-adds by stage."""
    columns = [
        "stage",
        "parameters, M",
        "GMACs, clip",
        "of these attention products",
        "GMACs, stream",
        "of these attention products",
        "other operations, clip, 1e9",
    ]
    clip, stream = found.work.clip, found.work.stream

    def row(name: str, parameters: float, one: Work, other: Work) -> list[object]:
        giga = (one.macs, one.attention, other.macs, other.attention, one.elements)
        return [name, parameters / 1e6, *(value / 1e9 for value in giga)]

    rows = [row(stage, found.work.parameters.get(stage, 0), clip[stage], stream[stage]) for stage in clip]
    rows.append(row("all", sum(found.work.parameters.values()), total(clip), total(stream)))
    flops = (total(clip).flops, 2 * total(clip).attention, total(stream).flops, 2 * total(stream).attention)
    rows.append(["all, GFLOPs", None, *(value / 1e9 for value in flops), None])
    frames = "1 full frame" if found.num_frames == 1 else f"{found.num_frames} full frames"
    title = (
        f"{found.model}: one pose of {found.num_joints} joints; clip: {frames} and the head; stream: 1 new frame and "
        "the head; 1 GMAC = 1e9 multiply-adds"
    )
    return Table(title, columns, rows, 4)


def latency_table(benches: list[Bench]) -> Table:
    """Milliseconds, throughput and memory of models that were run in the same way."""
    settings = benches[0].settings
    train = settings.mode == "train"
    columns = [
        "model",
        *(f"p{percent}, ms a {'step' if train else 'frame'}" for percent in (50, 90, 99)),
        "clips learnt a second" if train else "poses a second",
        "GMACs a clip, forward and backward" if train else "GMACs a pose, attention products included",
        "weights, MB",
        "peak memory beyond them, MB",
    ]
    rows = [_latency_row(found) for found in benches]
    return Table(how(settings), columns, rows, 2)


def _latency_row(found: Bench) -> list[object]:
    latency, settings = found.latency, found.settings
    work = found.training or total(found.work.stream if settings.mode == "stream" else found.work.clip)
    return [
        found.model,
        *(1e3 * latency.percentile(percent) for percent in (50, 90, 99)),
        latency.per_second(settings.poses),
        work.macs / 1e9,
        found.weight_bytes / 1e6,
        None if found.peak_bytes is None else found.peak_bytes / 1e6,
    ]


def how(settings: BenchSettings) -> str:
    """``stream mode, 8 people a frame in batches of 4, float32 ...``."""
    if settings.mode == "train":
        what = f"a step: {settings.batch} clips forward and backward, clipping and AdamW"
    else:
        people = "1 person" if settings.poses == 1 else f"{settings.poses} people"
        what = f"a frame: {people} in batches of at most {settings.batch}"
    compiled = f", compiled ({settings.compiled})" if settings.compiled else ""
    steps = f"{settings.steps} steps after {settings.warmup}"
    return f"{settings.mode} mode, {what}; {settings.dtype}{compiled}, {settings.device}; {steps}"


def profile_table(model: str, costs: list[OperatorCost], trace: str) -> Table:
    """The dearest operators."""
    rows: list[list[object]] = [[cost.name, cost.calls, 1e3 * cost.seconds, 100 * cost.share] for cost in costs]
    columns = ["operator", "calls a step", "own ms a step", "% of all"]
    return Table(f"{model}: the {len(costs)} dearest operators; all are in {trace}", columns, rows, 2)


def paper_columns(rows: list[PaperRow]) -> Table:
    """The paper's Table 5 beside ours."""
    lines: list[list[object]] = [[row.figure, row.source, *row.values, row.counted] for row in rows]
    title = "the paper's Table 5 beside ours: 256x192 crops, clips of 3 frames"
    return Table(title, ["figure", "whose", *SIZES, "what is counted"], lines, 2)


def as_json(found: Bench) -> dict[str, Any]:
    """All of it, in seconds, bytes, and single multiply-adds."""
    stages = {
        name: {stage: asdict(work) | {"macs": work.macs, "flops": work.flops} for stage, work in part.items()}
        for name, part in (("clip", found.work.clip), ("stream", found.work.stream))
    }
    latency = found.latency
    totals = {name: total(part) for name, part in (("clip", found.work.clip), ("stream", found.work.stream))}
    if found.training is not None:
        totals["train"] = found.training
    return {
        "model": found.model,
        "frames": found.num_frames,
        "joints": found.num_joints,
        "parameters": found.work.parameters,
        "work": stages,
        "work_in_all": {name: asdict(work) | {"macs": work.macs, "flops": work.flops} for name, work in totals.items()},
        "settings": asdict(found.settings),
        "poses_a_step": found.settings.poses,
        "first_step_s": latency.first_s,
        **{f"p{percent}_s": latency.percentile(percent) for percent in (50, 90, 99)},
        "poses_per_second": latency.per_second(found.settings.poses),
        "seconds": latency.seconds,
        "weight_bytes": found.weight_bytes,
        "peak_bytes_beyond_weights": found.peak_bytes,
    }
