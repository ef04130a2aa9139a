"""The shipped model on somebody's own video: before, and after training on a few annotated frames of it.

python benchmarks/finetune.py --data ANNOTATIONS [--train 0-19] [--test 20-25] [--seeds 0 1 2] [--weights ncstr-tiny]
    [--out runs/finetune] [--pictures FOLDER] [--name NAME] [--json benchmarks/results/finetune.json]

ANNOTATIONS is what `posegraph train` takes. Scores are on annotated boxes of the frames --test, which follow those of
--train: they say what the model is worth on the rest of this video, and nothing of another one. --pictures gets
every test frame, annotation beside prediction, before and after (of the first seed). The table goes between the markers
of docs/fine_tuning.md. What is there already is not made again. OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from experiment import DOCS, RESULTS, agreed_precision, command, provenance, quiet, say, trained
from experiment_tables import Spread, markdown_table, value_at, write_between
from shipped_scores import headline

from posegraph.config import RunConfig, parse_frames
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import evaluate
from posegraph.engine.pictures import write_overlays
from posegraph.errors import PoseGraphError
from posegraph.files import write_json

PRESET = "ncstr-tiny"
RECIPE = (
    "model.visible_threshold=0.5", "training.epochs=100", "training.batch_size=16", "training.lr=1e-3",
    "training.warmup_steps=10",
    "augment.rotation=15", "augment.half_body=0.1", "augment.shift=0", "loss.visibility_target=correct",
    "evaluation.keypoint_score=visibility",
)  # fmt: skip
"""What differs from the preset. All of the model learns; 80 people make 5 steps an epoch."""


def config(args: argparse.Namespace, seed: int, precision: str) -> RunConfig:
    """The training of one seed."""
    content = {
        "seed": seed,
        "model": {"preset": PRESET, "weights": args.weights},
        "data": {"train": str(args.data), "frames": args.train},
        "training": {"precision": precision},
    }
    return RunConfig.from_dict(content, RECIPE, source="fine-tuning")


def scores(model_path: str | Path, args: argparse.Namespace, pictures: str | None) -> dict[str, Any]:
    """Of a model on the test frames; overlays into ``--pictures/NAME``, where both are given."""
    found = evaluate(load(model_path), args.data, frames=parse_frames(args.test))
    if args.pictures is not None and pictures is not None:
        write_overlays(found.predictions, args.data, None, args.pictures / pictures)
    return {"people": found.figures["people"], **headline(found.scores)}


def table(before: dict[str, Any], after: list[dict[str, Any]]) -> str:
    """Before, and mean and standard deviation after."""
    columns = list(before["table"])
    rows = [["shipped"], ["fine-tuned"]]
    for column in columns:
        rows[0].append(Spread.of([value_at(before, ("table", column))]).text())
        rows[1].append(Spread.of([value_at(one, ("table", column)) for one in after]).text())
    return markdown_table([before["metric"], *columns], rows)


def make(args: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """All of it; what the JSON holds."""
    facts, precision = provenance(), agreed_precision(args.out)
    before = scores(args.weights, args, "before")
    after = []
    for seed in args.seeds:
        run = args.out / f"s{seed}"
        say(f"fine-tuning, seed {seed}")
        training = trained(config(args, seed, precision), run)
        found = scores(run, args, "after" if seed == args.seeds[0] else None)
        after.append({"seed": seed, "training": training, **found})
    return {
        "command": command("finetune.py", words),
        **facts,
        "name": args.name,
        "frames": {"train": args.train, "test": args.test},
        "recipe": RECIPE,
        "precision": precision,
        "before": before,
        "after": after,
    }


def main(words: list[str] | None = None) -> None:
    given = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train", default="0-19")
    parser.add_argument("--test", default="20-25")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--weights", default=PRESET)
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--name", default="own video", help="of the data, in the JSON")
    parser.add_argument("--json", type=Path, default=RESULTS / "finetune.json")
    parser.add_argument("--docs", type=Path, default=DOCS / "fine_tuning.md")
    args = parser.parse_args(given)
    quiet()
    try:
        found = make(args, given)
        write_json(args.json, found)
        text = table(found["before"], found["after"])
        write_between(args.docs, "fine-tuning", text)
        print(text)
    except PoseGraphError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
