"""How well people are found without a detector, and what it costs.

python benchmarks/search.py [--model ncstr-tiny] [--video NAME=MOVIE,BOXES ...] [--every N] [--out runs/search]
    [--json FILE]

`--detector self` runs over six synthetic clips (40 frames; one person in three of them, three in the others), which
are drawn below --out, and over the videos that are given, whose reference BOXES are another detector's, in any layout
that --boxes of `posegraph predict` takes: not the truth, but somebody else's opinion.

A person-frame is found where a box has an IoU of at least 0.5 with the reference; "on nobody" are boxes whose best IoU
is below 0.2. Crops are those that finding people took, a frame; poses come on top. OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from experiment import command, provenance, quiet
from experiment_tables import markdown_table
from numpy.typing import NDArray
from shipped_scores import pairs
from torchvision.ops import box_convert, box_iou

import posegraph
from posegraph.data.synthetic import generate
from posegraph.detect.file_boxes import FileBoxes, read_box_file
from posegraph.engine.predict_options import PeopleFinders, PredictOptions
from posegraph.engine.predicting import Predictor
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError
from posegraph.files import write_json
from posegraph.models.base import PoseModel

DRAWN = {"one person": 1, "three people": 3}
SEQUENCES, FRAMES, SIZE, SEED = 3, 40, (640, 360), 977

FOUND, NOBODY = 0.5, 0.2
"""Intersection over union with a reference box: at least, and below."""


def drawn_clips(out: Path) -> Iterator[tuple[str, Path, Path]]:
    """Kind, folder of images and annotations of every synthetic clip."""
    for name, people in DRAWN.items():
        folder = out / name.replace(" ", "_")
        if not (folder / "annotations").is_dir():
            generate(folder, sequences=SEQUENCES, frames=FRAMES, people=people, size=SIZE, seed=SEED, val_fraction=0)
        for path in sorted(folder.glob("annotations/train/*.json")):
            yield name, folder / "images/train" / path.stem, path


def searched(model: PoseModel, source: Path, boxes: Path, every: int | None) -> dict[str, float]:
    """What ``--detector self`` finds in one source, counted against the reference boxes."""
    options = PredictOptions(detector="self", every=every)
    stream = PoseStream(model)
    counts: Counter[str] = Counter()
    ids: set[int] = set()
    begun = time.process_time()
    with options.open(source) as frames:
        predictor = Predictor(stream, PeopleFinders(options, torch.device("cpu")).finder(frames, stream))
        given = FileBoxes(read_box_file(boxes), frames)
        for frame in frames:
            poses = predictor.step(frame).poses
            counts.update(frame_counts(poses.boxes_xywh, given(frame).boxes_xywh))
            ids.update(poses.track_ids.tolist())
    figures = {"ids": len(ids), "searched crops": stream.stats.searched_crops}
    return dict(counts) | figures | {"cpu seconds": round(time.process_time() - begun, 1)}


def frame_counts(boxes_xywh: NDArray[np.float64], references_xywh: NDArray[np.float64]) -> dict[str, int]:
    """What the boxes of one frame add, ``[n, 4]`` and ``[m, 4]``."""
    corners = (box_convert(torch.from_numpy(boxes), "xywh", "xyxy") for boxes in (boxes_xywh, references_xywh))
    overlaps = box_iou(*corners).numpy()
    best = overlaps.max(axis=1, initial=0.0)
    return {
        "frames": 1,
        "references": len(references_xywh),
        "found": int((overlaps.max(axis=0, initial=0.0) >= FOUND).sum()),
        "boxes": len(boxes_xywh),
        "right": int((best >= FOUND).sum()),
        "on nobody": int((best < NOBODY).sum()),
    }


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown, a row for each kind of clip."""
    header = ["", "frames", "recall", "precision", "boxes on nobody, a frame", "ids", "crops to find them, a frame"]
    body = [
        [
            name,
            str(row["frames"]),
            f"{row['found']} of {row['references']} ({row['found'] / max(row['references'], 1):.3f})",
            f"{row['right'] / max(row['boxes'], 1):.3f}",
            f"{row['on nobody'] / row['frames']:.3f}",
            str(row["ids"]),
            f"{row['searched crops'] / row['frames']:.1f}",
        ]
        for name, row in rows.items()
    ]
    return markdown_table(header, body)


def main(words: list[str] | None = None) -> None:
    words = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ncstr-tiny", help="a run, a folder, or a name")
    parser.add_argument("--video", nargs="+", default=[], metavar="NAME=MOVIE,BOXES", help="besides synthetic clips")
    parser.add_argument("--every", type=int, help="as of posegraph predict")
    parser.add_argument("--out", type=Path, default=Path("runs/search"), help="where the synthetic clips are drawn")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(words)
    quiet()
    try:
        videos = [(name, *_two(value)) for name, value in pairs(args.video, "--video").items()]
        model = posegraph.load(args.model)
        rows: dict[str, dict[str, float]] = {}
        for name, source, boxes in [*drawn_clips(args.out), *videos]:
            counts = searched(model, source, boxes, args.every)
            rows[name] = {key: value + rows.get(name, {}).get(key, 0) for key, value in counts.items()}
        print(table(rows))
        if args.json is not None:
            write_json(args.json, {"command": command("search.py", words), **provenance(), "rows": rows})
    except PoseGraphError as error:
        sys.exit(f"error: {error}")


def _two(value: str) -> tuple[Path, Path]:
    movie, comma, boxes = value.rpartition(",")
    if not comma:
        raise PoseGraphError(f"--video ...={value}: expected NAME=MOVIE,BOXES")
    return Path(movie), Path(boxes)


if __name__ == "__main__":
    main()
