"""The paper's Tables 6 and 7 on the synthetic set: what each part of the method is worth, beside ViT alone.

python benchmarks/ablation.py --data FOLDER [--out runs/ablation] [--sizes tiny small] [--seeds 0 1 2] [--variants ...]
python benchmarks/ablation.py --data FOLDER --out runs/tuning --tune [--pretrained DIR] [-o training.lr=5e-4]
python benchmarks/ablation.py --out runs/ablation --summarise

FOLDER holds annotations/train, val and test, as `posegraph data synth FOLDER --benchmark synth-occlusion` draws them.
For each size and seed a ViT learns heatmaps; from that same run every row goes on for the same further steps on the
same clips in the same order, ViT alone included. A row is scored once, on test; with --tune on val, and nothing but its
row is written. Stop it at any time, start it again, or start several processes with the same --out: finished rows stay,
interrupted trainings go on. OMP_NUM_THREADS sets the threads. The summary goes to benchmarks/results/ablation.json,
docs/ablation.md and docs/ablation.png.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
from pathlib import Path
from typing import Any, get_args

from ablation_summary import summarise, write_docs
from experiment import (
    DOCS,
    RESULTS,
    Job,
    agreed_precision,
    quiet,
    read_rows,
    recorded_settings,
    scored,
    trained,
    work_through,
)

from posegraph.config import RunConfig, Variant
from posegraph.errors import PoseGraphError
from posegraph.files import sha256, write_json

PRESET = "ncstr-tiny"
SIZES: dict[str, tuple[str, ...]] = {
    "nano": ("model.embed_dim=128", "model.num_heads=4", "model.deconv_channels=[64,48]"),
    "tiny": (),
}
"""Backbone size -> overrides of the preset."""
COMMON = (
    "training.epochs=100000", "data.cache_frames=12000", "loss.heatmap_sides=5",
    "loss.heatmap_occluded=0.3", "model.visible_threshold=0.5",
    "augment.rotation=20", "augment.half_body=0.1", "augment.scale=0.25", "augment.shift=0", "augment.colour=0.3",
)  # fmt: skip
"""Steps decide, not epochs; all decoded frames stay in memory; people of the set are upright and whole. Peaks of
occluded joints are low, and give no velocity."""
PRETRAIN = ("training.max_steps=3000", "training.warmup_steps=100", "training.checkpoint_every=500")
"""ViT alone learns heatmaps from nothing."""
FURTHER = (
    "training.max_steps=800", "training.warmup_steps=50", "training.checkpoint_every=400", "training.lr=1e-3",
    "data.frames=4-11",
)  # fmt: skip
"""Every row goes on from there, on the key frames that have a past."""
ALONE = ("training.backbone_lr_scale=0.1",)
"""ViT alone has nothing but backbone and decoder to train."""
NODES = (
    "training.backbone_lr_scale=0", "loss.heatmap=0",
    "loss.visibility_target=correct", "evaluation.keypoint_score=visibility",
)  # fmt: skip
"""All others train their head on what the pretrained ViT sees, computed once for all rows of a size and seed."""
SEEDS = (0, 1, 2)
VARIANTS: tuple[str, ...] = get_args(Variant)
PRETRAINED = "vit_alone"


def config(args: argparse.Namespace, size: str, seed: int, variant: str, weights: Path | None) -> RunConfig:
    """The run of a row, or, without weights, of its pretraining."""
    content = {
        "seed": seed,
        "model": {"preset": PRESET, "variant": variant, "weights": None if weights is None else str(weights)},
        "data": {"train": str(args.data / "annotations" / "train")},
        "training": {"precision": args.precision},
    }
    if weights is None:
        return RunConfig.from_dict(content, (*COMMON, *SIZES[size], *PRETRAIN), source="ablation")
    own: tuple[str, ...] = ALONE
    if variant != PRETRAINED:
        own = (*NODES, f"data.features={args.pretrained / 'features' / weights.name}")
    return RunConfig.from_dict(content, (*COMMON, *SIZES[size], *FURTHER, *own, *args.override), source="ablation")


def pretraining(args: argparse.Namespace, size: str, seed: int) -> Job:
    """The job that gives every row of a size and seed its start."""
    name = f"{size}-s{seed}-pretrained"
    folder, result = args.pretrained / "runs" / name, args.pretrained / "pretrained" / f"{name}.json"

    def run() -> None:
        training = trained(config(args, size, seed, PRETRAINED, None), folder)
        write_json(result, {"size": size, "seed": seed, "precision": args.precision, "training": training})

    return Job(name, result, folder.with_suffix(".lock"), run)


def row_job(args: argparse.Namespace, size: str, seed: int, variant: str) -> Job:
    """The job of one row: further steps, then its scores."""
    name, start, split = f"{size}-s{seed}-{variant}", pretraining(args, size, seed), "val" if args.tune else "test"
    weights, folder = args.pretrained / "runs" / start.name, args.out / "runs" / name
    result = args.out / split / f"{name}.json"

    def run() -> None:
        further = trained(config(args, size, seed, variant, weights), folder)
        row = {"size": size, "variant": variant, "seed": seed, "split": split, "precision": args.precision}
        scores = scored(folder, args.data / "annotations" / split)
        write_json(result, row | scores | {"training": further})

    return Job(name, result, folder.with_suffix(".lock"), run, needs=(start,))


def jobs(args: argparse.Namespace) -> list[Job]:
    """The rows asked for: all of a seed in all sizes before the next seed."""
    return [
        row_job(args, size, seed, variant) for seed in args.seeds for size in args.sizes for variant in args.variants
    ]


def check_settings(args: argparse.Namespace) -> None:
    """Rows of one folder are made alike. Raises :class:`PoseGraphError` for a folder of other rows."""
    further = {"all": (*FURTHER, *args.override), "alone": ALONE, "nodes": NODES}
    common: dict[str, Any] = {"preset": PRESET, "annotations": annotations_digest(args.data), "pretrain": PRETRAIN}
    for size in args.sizes:
        start = common | {"size": SIZES[size], "precision": args.precision}
        recorded_settings(args.pretrained / "pretrained" / "settings" / f"{size}.json", start)
        recorded_settings(args.out / "settings" / f"{size}.json", start | {"further": further})


def annotations_digest(data: Path) -> str:
    """SHA-256 of all annotation files. Raises :class:`PoseGraphError` where a split has none."""
    digest = hashlib.sha256()
    for split in ("train", "val", "test"):
        files = sorted((data / "annotations" / split).glob("*.json"))
        if not files:
            raise PoseGraphError(
                f"{data}: no annotations/{split}/*.json; expected all of train, val and test; draw the set with "
                f"`posegraph data synth {data} --benchmark synth-occlusion`"
            )
        for path in files:
            digest.update(f"{split}/{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()


def command(rows: list[dict[str, Any]]) -> str:
    """What makes these rows."""
    sizes = [size for size in SIZES if any(row["size"] == size for row in rows)]
    variants = [variant for variant in VARIANTS if any(row["variant"] == variant for row in rows)]
    seeds = sorted({str(row["seed"]) for row in rows}, key=int)
    chosen = ["--sizes", *sizes, "--seeds", *seeds, "--variants", *variants]
    return shlex.join(["python", "benchmarks/ablation.py", "--data", "DATA", *chosen])


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line. Raises SystemExit for a faulty one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the synthetic set")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="runs and rows")
    parser.add_argument("--pretrained", type=Path, help="folder with the pretrained runs of another --out")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--tune", action="store_true", help="score on val, and leave results and docs as they are")
    parser.add_argument("-o", dest="override", action="append", default=[], help="KEY=VALUE of the further steps, with "
                        "--tune")  # fmt: skip
    parser.add_argument("--summarise", action="store_true", help="only tables and figure, from the rows that are there")
    parser.add_argument("--results", type=Path, default=RESULTS / "ablation.json")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of ablation.md and ablation.png")
    args = parser.parse_args(words)
    if args.override and not args.tune:
        parser.error("-o goes with --tune; what final rows are made with stands in this file")
    if args.data is None and not args.summarise:
        parser.error("--data: which set? only --summarise does without")
    args.pretrained = args.pretrained or args.out
    return args


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    quiet()
    try:
        if not args.summarise:
            args.precision = agreed_precision(args.pretrained)
            check_settings(args)
            work_through(jobs(args))
        rows = read_rows(args.out / ("val" if args.tune else "test"))
        if not rows:
            raise PoseGraphError(f"{args.out}: no rows to summarise; run without --summarise, or check --out")
        summary = summarise(rows, list(SIZES), VARIANTS)
        if args.tune:
            print("\n\n".join(summary.tables))
            return
        starts = read_rows(args.pretrained / "pretrained")
        settings = {"preset": PRESET, "sizes": SIZES, "common": COMMON, "pretrain": PRETRAIN}
        settings |= {"further": FURTHER, "alone": ALONE, "nodes": NODES}
        content = {"command": command(rows), "settings": settings, **summary.figures}
        write_json(args.results, content | {"rows": rows, "pretrained": starts})
        write_docs(args.docs, summary)
        print("\n\n".join(summary.tables))
    except PoseGraphError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on with what is left")


if __name__ == "__main__":
    main()
