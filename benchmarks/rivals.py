"""The method beside its rivals: DSTA, DCPose and PoseWarper on the same backbone, clips, steps and evaluator.

python benchmarks/rivals.py --data FOLDER --pretrained RUN0 RUN1 RUN2 [--out runs/rivals] [--features FOLDER]
python benchmarks/rivals.py --data FOLDER --pretrained RUN0 --out runs/tuning --split val -o training.lr=5e-4

FOLDER holds annotations/train, val and test, as `posegraph data synth FOLDER --benchmark synth-occlusion` draws them.
A RUN is of a ViT alone that has learnt heatmaps (those of benchmarks/ablation.py lie in its --out, runs/*-pretrained);
its place in the list is the seed of the rows that go on from it, for the same further steps on the same clips in the
same order, all as in benchmarks/ablation.py: ViT alone from images, the others from features that the pretrained ViT
computed once. Those of the ablation are taken where --features names its folder of them. One backbone size a call.
Stop it at any time, start it again, or start several processes with the same --out: finished rows stay, interrupted
trainings go on. Rows of the test set go to benchmarks/results/rivals.json and docs/rivals.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ablation import ALONE as IMAGES
from ablation import COMMON, FURTHER, NODES, annotations_digest
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
from model_costs import costs

from posegraph.config import ModelConfig, RunConfig
from posegraph.engine.run_folder import CONFIG
from posegraph.errors import PoseGraphError
from posegraph.files import write_json

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
RIVAL = ("training.backbone_lr_scale=0", "loss.heatmap=0", "evaluation.keypoint_score=peak")
"""On features of the frozen ViT, as NCSTR with NODES; keypoints are ranked by what the method itself says of them: the
refined heatmap's peak (dcpose, posewarper), or 1 - spread (dsta)."""
OWN: dict[str, tuple[str, ...]] = {
    ALONE: IMAGES,
    "ncstr": NODES,
    **{row: RIVAL for row in ROWS if row not in (ALONE, "ncstr")},
}
"""Row -> how it learns, and what ranks its keypoints."""
STEPS = next(int(one.partition("=")[2]) for one in FURTHER if one.startswith("training.max_steps="))
"""The ablation's."""
LONGER = {"dsta": 3, "dsta_future": 3}
"""Row -> how many times as many steps: its points start at random, and its step takes a third of NCSTR's time."""
IMAGE = ("preset", "input_hw", "patch_size", "stem", "embed_dim", "depth", "num_heads", "decoder", "deconv_channels")
"""What of the model is the pretrained run's; all else is as in the ablation."""


def config(args: argparse.Namespace, seed: int, row: str) -> RunConfig:
    """The run of a row: the ablation's further steps from its pretrained run, with another head."""
    start: Path = args.pretrained[seed]
    first = RunConfig.from_file(start / CONFIG)
    content = {
        "seed": seed,
        "skeleton": first.skeleton,
        "model": {**image_part(first), "weights": str(start), **ROWS[row][1]},
        "data": {"train": str(args.data / "annotations" / "train")},
        "training": {"precision": first.training.precision},
    }
    own = (*OWN[row], f"training.max_steps={args.steps * LONGER.get(row, 1)}")
    run = RunConfig.from_dict(content, (*COMMON, *FURTHER, *own, *args.override), source=str(start))
    if row == ALONE:
        return run
    features = args.features / f"{start.name}{window(run.model)}"
    return run.model_copy(update={"data": run.data.model_copy(update={"features": str(features)})})


def image_part(run: RunConfig) -> dict[str, Any]:
    """Plain values of what decides backbone and decoder."""
    return run.model.model_dump(mode="json", include=set(IMAGE))


def window(model: ModelConfig) -> str:
    """What a folder of features is called behind the pretrained run's name; the ablation's causal ones have no more."""
    frames, future = model.num_frames, model.future_frames
    return "" if (frames, future) == (3, 0) else f"-{frames}frames-{future}future"


def row_job(args: argparse.Namespace, seed: int, row: str) -> Job:
    """The job of one row: further steps, then its scores."""
    name = f"s{seed}-{row}"
    folder, result = args.out / "runs" / name, args.out / args.split / f"{name}.json"

    def run() -> None:
        further = trained(config(args, seed, row), folder)
        scores = scored(folder, args.data / "annotations" / args.split)
        facts = {"row": row, "seed": seed, "pretrained": args.pretrained[seed].name, "split": args.split}
        write_json(result, facts | scores | {"training": further})

    return Job(name, result, folder.with_suffix(".lock"), run)


def check(args: argparse.Namespace) -> None:
    """Raise :class:`PoseGraphError` for starts that are no ViTs alone of one size, or a folder of other rows."""
    starts = [checked_start(path) for path in args.pretrained]
    for path, start in zip(args.pretrained, starts, strict=True):
        if start != starts[0]:
            raise PoseGraphError(
                f"{path}: has another backbone, decoder or precision than {args.pretrained[0]}; give runs of one size"
            )
        if [other.name for other in args.pretrained].count(path.name) > 1:
            raise PoseGraphError(f"{path}: another start has this name, by which features are kept; rename one of them")
    settings = {"annotations": annotations_digest(args.data), "start": starts[0], **made_with(args)}
    recorded_settings(args.out / "settings.json", settings)


def checked_start(path: Path) -> dict[str, Any]:
    """What the starts of one table share. Raises :class:`PoseGraphError` for what is no run of a ViT alone."""
    if not (path / CONFIG).is_file():
        raise PoseGraphError(f"{path}: is no run (it has no {CONFIG}); give runs of a ViT alone")
    run = RunConfig.from_file(path / CONFIG)
    if run.model.variant != ALONE:
        raise PoseGraphError(f"{path}: is a run of variant {run.model.variant}; all rows start from one of {ALONE}")
    return {**image_part(run), "skeleton": run.skeleton, "precision": run.training.precision}


def made_with(args: argparse.Namespace) -> dict[str, Any]:
    """What the command line and this file say about how rows are trained and ranked."""
    further = (*COMMON, *FURTHER)
    return {"steps": args.steps, "further": further, "own": OWN, "longer": LONGER, "override": args.override}


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
    parser.add_argument("--steps", type=int, default=STEPS, help="further steps of every row")
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"), help="runs and rows")
    parser.add_argument("--features", type=Path, help="what the pretrained ViTs see, a folder a run and window; those "
                        "missing are computed; OUT/features")  # fmt: skip
    parser.add_argument("--split", choices=["val", "test"], default="test", help="val: results and docs stay as they "
                        "are")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=30, help="turns in which every model is timed")
    parser.add_argument("--json", type=Path, default=RESULTS / "rivals.json")
    parser.add_argument("--docs", type=Path, default=DOCS / "rivals.md", help="where the table goes")
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="KEY=VALUE", help="of every row")
    args = parser.parse_args(words)
    args.features = args.features or args.out / "features"
    return args


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    quiet()
    try:
        check(args)
        seeds = range(len(args.pretrained))
        work_through([row_job(args, seed, row) for seed in seeds for row in args.rows])
        rows = [row for row in read_rows(args.out / args.split) if row["row"] in args.rows]
        found = costs({row: config(args, 0, row) for row in args.rows}, args.rounds)
        text = table(rows, found)
        if args.split == "test":
            measured = {"threads": torch.get_num_threads(), "rounds": args.rounds, **provenance()}
            content = {"command": command(args), "settings": made_with(args), "costs": found, "measured": measured}
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
