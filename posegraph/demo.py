"""``posegraph demo``: the whole method on data that it makes itself, measured in that very run.

Synthetic people are drawn; a small ViT learns heatmaps from them; from these weights NCSTR and ViT alone go on for the
same number of steps on the same clips, and both are scored on videos that neither has seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegraph.config import RunConfig
from posegraph.data import TrackSet, read_tracks
from posegraph.data.synthetic import generate
from posegraph.data.tracks import PersonTrack
from posegraph.engine.checkpoint import load
from posegraph.engine.evaluation import Evaluation, evaluate
from posegraph.engine.pictures import close_up, write_comparison
from posegraph.engine.precision import fastest_precision
from posegraph.engine.training import train
from posegraph.files import write_json
from posegraph.visualize import filmstrip, write_png

PRESET = "ncstr-tiny"
METHODS = {"vit_alone": "ViT alone", "full": "NCSTR"}
"""Variant -> name in tables and pictures."""

FPS = 12.0
"""About what the synthetic people's motion is made for."""


@dataclass(frozen=True)
class DemoSize:
    """How much is drawn and trained. The defaults keep the demo under eight minutes on two cores."""

    sequences: int = 300
    frames: int = 16
    people: int = 2
    image_size: tuple[int, int] = (384, 288)
    pretrain_steps: int = 700
    steps: int = 300


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and wrote.

    Fields:
        evaluations: Variant -> scores.
        seconds: Step of the demo -> wall time.
        files: What is worth opening.
        figures: All of it as plain values.
    """

    evaluations: dict[str, Evaluation]
    seconds: dict[str, float]
    files: list[Path]
    figures: dict[str, Any] = field(default_factory=dict)


def run_demo(
    out: Path, seed: int = 0, size: DemoSize | None = None, say: Callable[[str], None] = print, progress: bool = True
) -> DemoResult:
    """Draw, train, score, and write pictures into ``out``.

    Args:
        out: A new folder.
        seed: Of data, weights and order.
        size: How much of everything.
        say: Is told what happens next.
        progress: Show live bars.
    """
    size = size or DemoSize()
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        say(name)
        start = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - start, 1)

    with stage("drawing synthetic video"):
        _draw(out, seed, size)
    pretrained, precision = out / "pretrained", fastest_precision()
    with stage("training the backbone's heatmaps"):
        train(
            _config(out, seed, "vit_alone", size.pretrain_steps, precision, weights=None), pretrained, progress=progress
        )
    evaluations: dict[str, Evaluation] = {}
    for variant, name in METHODS.items():
        with stage(f"training {name}"):
            train(
                _config(out, seed, variant, size.steps, precision, weights=str(pretrained)),
                out / variant,
                progress=progress,
            )
        with stage(f"scoring {name}"):
            evaluations[variant] = evaluate(load(out / variant), out / "annotations" / "val")
    with stage("drawing pictures"):
        files = _pictures(out, evaluations)
    figures = {
        "seed": seed,
        "precision": precision,
        "seconds": seconds,
        **{name: found.figures for name, found in evaluations.items()},
    }
    write_json(out / "demo.json", figures)
    return DemoResult(evaluations, seconds, [*files, out / "demo.json"], figures)


def _draw(out: Path, seed: int, size: DemoSize) -> None:
    generate(out, sequences=size.sequences, frames=size.frames, people=size.people, size=size.image_size, seed=seed)


def _config(out: Path, seed: int, variant: str, steps: int, precision: str, weights: str | None) -> RunConfig:
    content = {
        "seed": seed,
        "model": {"preset": PRESET, "variant": variant, "weights": weights},
        "data": {"train": str(out / "annotations" / "train")},
        # People of the demo stand upright in the middle of their boxes: others would cost steps that it does not have.
        "augment": {"half_body": 0.0, "rotation": 15.0, "scale": 0.2, "shift": 0.0},
        "training": {"epochs": 1000, "max_steps": steps, "warmup_steps": 50, "precision": precision},
    }
    # From trained weights on, backbone and decoder go on more slowly than the new head; ViT alone at the same rates.
    further = ["training.lr=1e-3", "training.backbone_lr_scale=0.5"] if weights else []
    return RunConfig.from_dict(content, further, source="demo")


def _pictures(out: Path, evaluations: dict[str, Evaluation]) -> list[Path]:
    truth = read_tracks(out / "annotations" / "val")
    track, row = _most_occluded(truth)
    sources = {"annotated": truth} | {METHODS[name]: found.predictions for name, found in evaluations.items()}
    rows = [[close_up(tracks, track, row, row + shift) for shift in (-2, -1, 0)] for tracks in sources.values()]
    strip = filmstrip(rows, row_titles=list(sources), column_titles=["t-2", "t-1", "t"])
    write_png(out / "filmstrip.png", strip)
    write_comparison(out / "comparison.mp4", track.video, sources, fps=FPS)
    return [out / "filmstrip.png", out / "comparison.mp4"]


def _most_occluded(truth: TrackSet) -> tuple[PersonTrack, int]:
    """The largest person, wholly in the image, with 20% to 50% of its joints occluded in three frames in a row.

    Chosen by the annotation alone: neither method's result takes part.
    """
    candidates = []
    for number, track in enumerate(truth):
        hidden = ((track.visibility == 0) & track.annotated).mean(axis=1)
        height, width = track.video.image_hw[0]
        for row in range(2, len(track)):
            x, y, w, h = track.boxes_xywh[row]
            inside = x >= 0 and y >= 0 and x + w <= width and y + h <= height
            in_a_row = track.frame[row] - track.frame[row - 2] == 2
            if (
                inside
                and in_a_row
                and hidden[row - 2 : row + 1].min() >= 0.2
                and hidden[row - 2 : row + 1].max() <= 0.5
            ):
                candidates.append((float(h), number, row))
    if not candidates:
        longest = max(truth, key=len)
        return longest, len(longest) - 1
    _, number, row = max(candidates)
    return truth.tracks[number], row
