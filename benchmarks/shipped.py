"""The model that comes with posegraph: its data, its training, its scores, its folder with the model card.

python benchmarks/shipped.py --video NAME=MOVIE,POSES [...] [--data FOLDER] [--out runs/shipped] [--start RUN]
    [--evaluate NAME=ANNOTATIONS[:A-B] ...] [--boxes NAME=FILE ...] [--teacher NAME=PREDICTIONS ...]
    [--package posegraph/shipped/ncstr-tiny] [--docs docs/out_of_the_box.md] [--json benchmarks/results/shipped.json]

1. Data: a synthetic set is drawn into OUT/data, or FOLDER is taken, which `posegraph data synth` wrote; pseudo-labels
   of the videos are added to it (pseudo_labels.py; POSES is a teacher's, see there), and boxes without anybody in them
   (background_boxes.py). NAME must be one of shipped_card.VIDEOS, whose licences allow it.
2. Training: the stages below, each from the one before it, in OUT/runs; the first from RUN where that is given: a ViT
   alone that has learnt heatmaps from drawn people (a pretrained run of ablation.py).
3. The last stage as a folder (float16), opened again from there and scored: on annotated boxes, or those of --boxes,
   optionally on frames A to B alone; --teacher scores somebody else's prediction files of the same set.
4. Model card, JSON, the table in the docs.

What is there already is not made again; an interrupted stage goes on. Only --evaluate sets are scored; what they are is
the caller's to know: none may be trained on. OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from background_boxes import write_background
from experiment import (
    DOCS,
    FINISHED,
    RESULTS,
    ROOT,
    agreed_precision,
    command,
    provenance,
    quiet,
    recorded_settings,
    say,
    trained,
)
from experiment_tables import write_between
from pseudo_labels import write_set
from pseudo_poses import Limits
from shipped_card import VIDEOS, card, limits, materials, score_tables
from shipped_scores import judged, pairs, score_sets

from posegraph.config import RunConfig
from posegraph.data import read_tracks
from posegraph.data.synthetic import generate
from posegraph.engine.checkpoint import load
from posegraph.engine.run_folder import CONFIG as RUN_CONFIG
from posegraph.errors import PoseGraphError
from posegraph.files import read_json, sha256, write_json, write_text
from posegraph.models.pretrained import CONFIG, TENSORS, write_pretrained

NAME = PRESET = "ncstr-tiny"
MOST_BYTES = 12_000_000
SYNTHETIC: dict[str, Any] = {
    "sequences": 500, "frames": 12, "people": 2, "size": (384, 288), "seed": 77, "val_fraction": 0.04,
}  # fmt: skip
"""What is drawn where no --data is given; see posegraph.data.synthetic.generate."""


BACKGROUND = {"synthetic": 0.4, "video": 2.0}
"""Boxes without people in a stretch of frames, so that a search with the model does not find people everywhere."""
EMPTY, AGAIN = "_background", "_again"
"""How the names of their files end, and those of a video's second and further copies but for a number."""

TIMES = {"multi2": 8, "multi4": 8}
"""How often a video is seen for each time of the others: large, sharp people of few frames are else a fortieth."""


@dataclass(frozen=True)
class Stage:
    """A training: its name, what is trained, and what differs from the preset."""

    name: str
    variant: str
    overrides: tuple[str, ...]


COMMON = (
    "training.epochs=100000", "training.checkpoint_every=250", "data.cache_frames=7000",
    "augment.rotation=30", "augment.half_body=0.2", "augment.scale=0.3", "augment.colour=1.0",
    "loss.heatmap_occluded=0.3", "model.visible_threshold=0.5",
)  # fmt: skip
"""Of all stages; steps decide, not epochs. Peaks of occluded joints are low, and give no velocity."""
STAGES = (
    Stage("heatmaps", "vit_alone", ("training.max_steps=4000", "training.warmup_steps=200", "loss.heatmap_sides=5")),
    Stage(
        "full",
        "full",
        (
            "training.max_steps=700", "training.warmup_steps=50", "training.lr=1e-3", "training.backbone_lr_scale=0.3",
            "loss.visibility_target=correct", "evaluation.keypoint_score=visibility",
        ),
    ),
)  # fmt: skip
"""Each starts from the weights of the one before it. The last one is shipped."""


# --- data and training -----------------------------------------------------------------------------------------------


def prepared_data(folder: Path, given: bool, videos: dict[str, tuple[Path, Path]]) -> dict[str, Any]:
    """The folder that is trained on, and what each part of it holds.

    Args:
        folder: Of annotations/ and images/.
        given: It is there already; False: the synthetic set is drawn into it.
        videos: Name -> movie and teacher's poses.
    """
    parts, synthetic = folder / "parts", folder / "parts/synthetic.json"
    if not given and not synthetic.is_file():
        say("drawing the synthetic set")
        write_json(synthetic, asdict(generate(folder, **SYNTHETIC)) | {"arguments": SYNTHETIC})
    every = sorted(folder.glob("annotations/train/*.json"))
    own = [path for path in every if path.stem not in VIDEOS and not (path.stem.endswith(EMPTY) or AGAIN in path.stem)]
    if not own:
        raise PoseGraphError(f"{folder}: no annotations/train/*.json; give a folder that `posegraph data synth` wrote")
    for name, (movie, poses) in videos.items():
        counts = parts / f"{name}.json"
        if not counts.is_file():
            say(f"pseudo-labels of {name}")
            write_json(counts, write_set(movie, poses, folder, name, "train", Limits()))
    left_over = [
        name for name in VIDEOS if name not in videos and (folder / f"annotations/train/{name}.json").is_file()
    ]
    if left_over:
        raise PoseGraphError(f"{folder}: also holds {', '.join(left_over)}; name it with --video, or delete its files")
    recorded = {name: read_json(parts / f"{name}.json") for name in videos}
    for name, counts in recorded.items():
        counts.pop("annotations")  # where it lies on this machine
        counts["times"] = _repeated(folder / f"annotations/train/{name}.json", TIMES.get(name, 1))
    drawn = read_json(synthetic) if synthetic.is_file() else _counted(own)
    return {"synthetic": drawn} | recorded | {"without people": _with_background(folder, own, list(videos))}


def _repeated(annotations: Path, times: int) -> int:
    """Copy a video's annotations, so that its poses are drawn so many times as often; how many times."""
    for number in range(2, times + 1):
        copy = annotations.with_stem(f"{annotations.stem}{AGAIN}{number}")
        if not copy.is_file():
            write_text(copy, annotations.read_text())
    return times


def _with_background(folder: Path, drawn: list[Path], videos: list[str]) -> dict[str, Any]:
    """Write the boxes without people of all sequences; their number."""
    counts = folder / "parts/background.json"
    if not counts.is_file():
        train, boxes = folder / "annotations/train", 0
        files = [(path, BACKGROUND["synthetic"]) for path in drawn]
        for path, share in [*files, *((train / f"{name}.json", BACKGROUND["video"]) for name in videos)]:
            boxes += write_background(path, train / f"{path.stem}{EMPTY}.json", share)
        write_json(counts, {"poses": boxes, "a stretch": BACKGROUND})
    return dict(read_json(counts))


def _counted(files: list[Path]) -> dict[str, Any]:
    """Frames and poses of synthetic annotations that somebody else drew."""
    tracks = [read_tracks(path) for path in files]
    return {
        "sequences": len(files),
        "frames": sum(video.num_frames for one in tracks for video in one.videos),
        "poses": sum(one.num_poses for one in tracks),
    }


def stage_config(stage: Stage, data: Path, weights: Path | None, precision: str) -> RunConfig:
    """The run of a stage."""
    content = {
        "model": {"preset": PRESET, "variant": stage.variant, "weights": None if weights is None else str(weights)},
        "data": {"train": str(data / "annotations/train"), "images": str(data)},
        "training": {"precision": precision},
    }
    return RunConfig.from_dict(content, (*COMMON, *stage.overrides), source=f"stage {stage.name}")


def train_stages(data: Path, runs: Path, precision: str, start: Path | None = None) -> dict[str, dict[str, Any]]:
    """Train what is not trained yet; for each stage what it was made with, steps and time."""
    figures: dict[str, dict[str, Any]] = {}
    weights = start
    if start is not None:
        if not (start / FINISHED).is_file():
            raise PoseGraphError(
                f"--start {start}: has no {FINISHED}; give a run that a script here trained to its end"
            )
        config = RunConfig.from_file(start / RUN_CONFIG)
        figures["start"] = {"variant": config.model.variant, "training": read_json(start / FINISHED)}
    for stage in STAGES:
        begun = start.name if start is not None and stage is STAGES[0] else None
        settings = {"variant": stage.variant, "overrides": [*COMMON, *stage.overrides], "start": begun}
        recorded_settings(runs / f"{stage.name}.json", settings)
        say(f"stage {stage.name}")
        training = trained(stage_config(stage, data, weights, precision), runs / stage.name)
        figures[stage.name] = settings | {"training": training}
        weights = runs / stage.name
    return figures


# --- the folder ------------------------------------------------------------------------------------------------------


def pack(run: Path, package: Path) -> dict[str, Any]:
    """Write the run's model as a folder; what a card says of it. Raises :class:`PoseGraphError` above 12 MB."""
    model = load(run)
    write_pretrained(model, package, half=True)
    size = sum((package / name).stat().st_size for name in (CONFIG, TENSORS))
    if size > MOST_BYTES:
        raise PoseGraphError(f"{package}: {size:,} bytes; expected at most {MOST_BYTES:,}; ship a smaller model")
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "input_hw": list(model.config.input_hw),
        "frames": model.config.num_frames,
        "skeleton": model.skeleton.name,
        "joints": list(model.skeleton.joints),
        "bytes": size,
        "sha256": sha256(package / TENSORS),
    }


def _videos(words: list[str]) -> dict[str, tuple[Path, Path]]:
    videos = {}
    for name, places in pairs(words, "--video").items():
        movie, comma, poses = places.partition(",")
        if name not in VIDEOS or not comma:
            raise PoseGraphError(
                f"--video {name}={places}: expected NAME=MOVIE,POSES with NAME one of {', '.join(VIDEOS)}: video whose "
                "licence is known to allow it (shipped_card.py)"
            )
        videos[name] = (Path(movie), Path(poses))
    return videos


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--video", "--evaluate", "--boxes", "--teacher"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--package", type=Path, default=ROOT / "posegraph/shipped" / NAME)
    parser.add_argument("--docs", type=Path, default=DOCS / "out_of_the_box.md")
    parser.add_argument("--json", type=Path, default=RESULTS / "shipped.json")
    return parser.parse_args(words)


def make(args: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """All of it; what the JSON holds."""
    videos = _videos(args.video)
    sets = judged(args.evaluate, pairs(args.boxes, "--boxes"), pairs(args.teacher, "--teacher"))
    facts, precision = provenance(), agreed_precision(args.out)
    data = args.data or args.out / "data"
    parts = prepared_data(data, args.data is not None, videos)
    stages = train_stages(data, args.out / "runs", precision, args.start)
    run = args.out / "runs" / STAGES[-1].name
    model = pack(run, args.package)
    scores, moved = score_sets(run, args.package, sets)
    return {
        "name": NAME,
        "command": command("shipped.py", words),
        **facts,
        "precision": precision,
        "model": model,
        "materials": materials(list(videos)),
        "data": parts,
        "stages": stages,
        "scores": scores,
        "float16": moved,
        "limits": limits(list(videos)),
    }


def main(words: list[str] | None = None) -> None:
    given = sys.argv[1:] if words is None else words
    args = _arguments(given)
    quiet()
    try:
        found = make(args, given)
        write_text(args.package / "README.md", card(found))
        write_json(args.json, found)
        table = score_tables(found["scores"])
        write_between(args.docs, "shipped scores", table)
        print(table)
    except PoseGraphError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on with what is left")


if __name__ == "__main__":
    main()
