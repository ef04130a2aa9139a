"""The method beside its rivals: DSTA, DCPose and PoseWarper on the same backbone, clips, steps and evaluator.

python benchmarks/rivals.py --data FOLDER --pretrained RUN0 RUN1 RUN2 [--out runs/rivals] [--steps 1500] [--rows ...]
python benchmarks/rivals.py --data FOLDER --pretrained RUN0 --out runs/tuning --split val -o training.lr=5e-4

FOLDER holds annotations/train, val and test, as `posegraph data synth FOLDER --benchmark synth-occlusion` draws them.
A RUN is of a ViT alone that has learnt heatmaps (those of benchmarks/ablation.py lie in its --out, runs/*-pretrained);
its place in the list is the seed of the rows that go on from it, for the same further steps on the same clips in the
same order. Stop it at any time, start it again, or start several processes with the same --out: finished rows stay,
interrupted trainings go on. Rows of the test set go to benchmarks/results/rivals.json and docs/rivals.md.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ablation import ALONE as RATES
from ablation import FURTHER, annotations_digest
from experiment import (
    DOCS,
    RESULTS,
    Job,
    provenance,
    quiet,
    read_rows,
    recorded_settings,
    scored,
    trained,
    work_through,
)
from experiment_tables import Spread, markdown_table, write_between

from posegraph.config import RunConfig
from posegraph.engine.bench.measurement import BenchSettings, running, step_of
from posegraph.engine.bench.model_work import model_work, total
from posegraph.engine.run_folder import CONFIG
from posegraph.errors import PoseGraphError
from posegraph.files import write_json
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton
from posegraph.validation import read_yaml

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit_alone": ("ViT alone", {"variant": "vit_alone"}),
    "ncstr": ("NCSTR", {}),
    "dsta": ("DSTA", {"method": "dsta"}),
    "dsta_future": ("DSTA", {"method": "dsta", "future_frames": 1}),
    "dcpose": ("DCPose", {"method": "dcpose"}),
    "dcpose_future": ("DCPose", {"method": "dcpose", "future_frames": 1}),
    "posewarper": ("PoseWarper", {"method": "posewarper"}),
    "posewarper_future": ("PoseWarper", {"method": "posewarper", "future_frames": 1}),
}
"""Row -> its name in the table, and what it sets in the model's configuration."""
ALONE = "vit_alone"


def config(args: argparse.Namespace, seed: int, row: str) -> RunConfig:
    """The run of a row: that of its pretrained run, with another head and the further steps."""
    start: Path = args.pretrained[seed]
    content = read_yaml(start / CONFIG, "a run's configuration")
    model = {**content["model"], "variant": "full", "weights": str(start), **ROWS[row][1]}
    data = {**content["data"], "train": str(args.data / "annotations" / "train"), "val": None}
    steps = (*FURTHER, *RATES, f"training.max_steps={args.steps}", *args.override)
    return RunConfig.from_dict({**content, "seed": seed, "model": model, "data": data}, steps, source=str(start))


def row_job(args: argparse.Namespace, seed: int, row: str) -> Job:
    """The job of one row: further steps, then its scores."""
    name = f"s{seed}-{row}"
    folder, result = args.out / "runs" / name, args.out / args.split / f"{name}.json"

    def run() -> None:
        further = trained(config(args, seed, row), folder)
        scores = scored(folder, args.data / "annotations" / args.split)
        write_json(result, {"row": row, "seed": seed, "split": args.split} | scores | {"training": further})

    return Job(name, result, folder.with_suffix(".lock"), run)


def check(args: argparse.Namespace) -> None:
    """Raise :class:`PoseGraphError` where a start is no ViT alone, or the folder has rows of other settings."""
    for path in args.pretrained:
        if not (path / CONFIG).is_file():
            raise PoseGraphError(f"{path}: is no run (it has no {CONFIG}); give runs of a ViT alone")
        variant = RunConfig.from_file(path / CONFIG).model.variant
        if variant != ALONE:
            raise PoseGraphError(f"{path}: is a run of variant {variant}; all rows start from one of {ALONE}")
    settings = {"annotations": annotations_digest(args.data), "steps": args.steps, "further": (*FURTHER, *RATES)}
    recorded_settings(args.out / "settings.json", settings | {"override": args.override})


def costs(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Counted and measured, of one pose, row by row; random weights, for no figure depends on them."""
    found: dict[str, dict[str, Any]] = {}
    steps: dict[tuple[str, str], Any] = {}
    for row in args.rows:
        run = config(args, 0, row)
        skeleton = Skeleton.load(run.skeleton)
        work = model_work(run.model, skeleton)
        # A stage that an answer does not run through is there for training alone.
        used = [stage for stage, one in work.clip.items() if one.macs]
        found[row] = {
            "frames": run.model.clip_frames,
            "future_frames": run.model.future_frames,
            "parameters": sum(work.parameters.get(stage, 0) for stage in used),
            "gmacs_clip": total(work.clip).macs / 1e9,
            "gmacs_stream": None if run.model.future_frames else total(work.stream).macs / 1e9,
        }
        model = model_from_config(run.model, skeleton).eval()
        for mode in ("clip", "stream"):
            if mode == "clip" or not run.model.future_frames:
                steps[row, mode] = step_of(model, BenchSettings(mode, device="cpu"))
    for (row, mode), milliseconds in in_turns(steps, args.rounds).items():
        found[row][f"ms_{mode}"] = milliseconds
    return found


def in_turns(steps: dict[tuple[str, str], Any], rounds: int) -> dict[tuple[str, str], float]:
    """Median milliseconds of each step; the order turns from round to round, so that all meet the same machine."""
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in steps}
    with running(BenchSettings(device="cpu")):
        for number in range(rounds + 2):  # two to warm up
            for name in reversed(steps) if number % 2 else steps:
                start = time.perf_counter()
                steps[name]()
                seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values[2:]) for name, values in seconds.items()}


def table(rows: Sequence[dict[str, Any]], found: dict[str, dict[str, Any]]) -> str:
    """Markdown: means over the seeds, and differences to ViT alone of the same seed."""
    score = {(row["row"], row["seed"]): float(row["mAP"]) for row in rows}
    header = ["method", "frames", "future frames", "mAP", "more than ViT alone", "seeds", "parameters, M",
              "GMACs, clip", "GMACs, stream", "ms, clip", "ms, stream"]  # fmt: skip
    lines = []
    for row, cost in found.items():
        seeds = [seed for name, seed in score if name == row]
        gains = [score[row, seed] - score[ALONE, seed] for seed in seeds if (ALONE, seed) in score]
        lines.append([
            ROWS[row][0], str(cost["frames"]), str(cost["future_frames"]),
            Spread.of([score[row, seed] for seed in seeds]).text(),
            "" if row == ALONE else Spread.of(gains).text(sign=True),
            str(len(seeds)), f"{cost['parameters'] / 1e6:.2f}", _number(cost["gmacs_clip"], 3),
            _number(cost["gmacs_stream"], 3), _number(cost["ms_clip"], 1), _number(cost.get("ms_stream"), 1),
        ])  # fmt: skip
    return markdown_table(header, lines)


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line. Raises SystemExit for a faulty one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the synthetic set")
    parser.add_argument("--pretrained", type=Path, nargs="+", required=True, metavar="RUN", help="of seed 0, 1 ...")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--steps", type=int, default=1500, help="further steps of every row")
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"), help="runs and rows")
    parser.add_argument("--split", choices=["val", "test"], default="test", help="val: results and docs stay as they "
                        "are")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=30, help="turns in which every model is timed")
    parser.add_argument("--json", type=Path, default=RESULTS / "rivals.json")
    parser.add_argument("--docs", type=Path, default=DOCS / "rivals.md", help="where the table goes")
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="KEY=VALUE", help="of every row")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    quiet()
    try:
        check(args)
        seeds = range(len(args.pretrained))
        work_through([row_job(args, seed, row) for seed in seeds for row in args.rows])
        rows = [row for row in read_rows(args.out / args.split) if row["row"] in args.rows]
        found = costs(args)
        text = table(rows, found)
        if args.split == "test":
            settings = {"further": (*FURTHER, *RATES), "steps": args.steps, "override": args.override}
            measured = {"threads": torch.get_num_threads(), "rounds": args.rounds, **provenance()}
            content = {"command": command(args), "settings": settings, "costs": found, "measured": measured}
            write_json(args.json, content | {"rows": rows})
            write_between(args.docs, "rivals", text)
        print(text)
    except PoseGraphError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on with what is left")


def command(args: argparse.Namespace) -> str:
    """What makes these rows, wherever the data and the runs lie."""
    runs = [f"RUN{seed}" for seed in range(len(args.pretrained))]
    chosen = ["--pretrained", *runs, "--steps", str(args.steps), "--rows", *args.rows]
    overrides = [word for override in args.override for word in ("-o", override)]
    return shlex.join(["python", "benchmarks/rivals.py", "--data", "DATA", *chosen, *overrides])


if __name__ == "__main__":
    main()
