"""Write synthetic sequences to disk in the layout of PoseTrack18."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posegraph.data.synthetic.body import Floats, load_yaml
from posegraph.data.synthetic.recipes import SYNTH_OCCLUSION, Recipe
from posegraph.data.synthetic.render import Sequence, render_sequence
from posegraph.data.synthetic.style import EVERYDAY, SceneStyle
from posegraph.data.synthetic.visibility import HIDDEN
from posegraph.errors import PoseGraphError
from posegraph.files import replacing, write_json

FEWEST_JOINTS = 4  # inside the image, or the person is not annotated
SMALLEST = 64  # pixels of an image side
RECIPE = "recipe.json"  # in a benchmark's folder: its name and all that decides its bytes
BOX_GROWTH = 1.3  # poseval's rule for the box around the keypoints
MOST_FRAMES, MOST_PEOPLE, MOST_SEQUENCES = 10_000, 100, 1_000_000  # room in the ids


@dataclass(frozen=True)
class Summary:
    """What was written: counts of sequences, images, annotated persons, their joints inside the image and
    those of them that are occluded; wall time in seconds, and annotated persons a second."""

    sequences: int
    frames: int
    poses: int
    joints: int
    occluded_joints: int
    seconds: float
    crops_per_second: float


@dataclass(frozen=True)
class _Task:
    out: Path
    split: str
    index: int
    frames: int
    people: int
    size: tuple[int, int]
    seed: int
    style: SceneStyle

    @property
    def name(self) -> str:
        return f"{self.index:06d}_synthetic"

    @property
    def folder(self) -> str:
        return f"images/{self.split}/{self.name}"

    @property
    def annotation_file(self) -> Path:
        return self.out / "annotations" / self.split / f"{self.name}.json"


def category() -> dict[str, Any]:
    """The PoseTrack18 category of the synthetic person."""
    data = load_yaml("body.yaml")
    names = {"keypoints": data["keypoints"], "skeleton": data["skeleton"]}
    return {"supercategory": "person", "id": 1, "name": "person", **names}


def _keypoint_list(names: tuple[str, ...], joints: Floats) -> list[float]:
    """Flat x, y, v in the order of the category; names that are never annotated stay 0, 0, 0."""
    order = load_yaml("body.yaml")["keypoints"]
    full = np.zeros((len(order), 3))
    full[[order.index(name) for name in names]] = joints
    return [value for x, y, v in full.tolist() for value in (round(x, 3), round(y, 3), int(v))]


def _box(joints: Floats) -> list[float]:
    points = joints[joints[:, 2] > 0, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    grown = (high - low) * BOX_GROWTH
    corner = (low + high - grown) / 2.0
    return [round(value, 3) for value in (*corner.tolist(), *grown.tolist())]


def to_posetrack(sequence: Sequence, task: _Task) -> dict[str, Any]:
    """The PoseTrack18 dictionary of a rendered sequence."""
    images, people = [], []
    for frame, joints in enumerate(sequence.keypoints):
        image_id = (MOST_SEQUENCES + task.index) * MOST_FRAMES + frame
        images.append({
            "has_no_densepose": True,
            "is_labeled": True,
            "file_name": f"{task.folder}/{frame:06d}.jpg",
            "nframes": len(sequence.images),
            "frame_id": image_id,
            "vid_id": f"{task.index:06d}",
            "id": image_id,
            "width": task.size[0],
            "height": task.size[1],
        })  # fmt: skip
        for track in np.flatnonzero((joints[..., 2] > 0).sum(axis=1) >= FEWEST_JOINTS).tolist():
            people.append({
                "track_id": track,
                "image_id": image_id,
                "id": image_id * MOST_PEOPLE + track,
                "category_id": 1,
                "keypoints": _keypoint_list(sequence.landmark_names, joints[track]),
                "bbox": _box(joints[track]),
                "bbox_head": [round(value, 3) for value in sequence.head_boxes[frame, track].tolist()],
                "scores": [],
            })  # fmt: skip
    return {"images": images, "annotations": people, "categories": [category()]}


def _write_sequence(task: _Task) -> tuple[int, int, int]:
    """Render and write one sequence; the counts of persons, joints and occluded joints."""
    sequence = render_sequence(task.seed, task.index, task.frames, task.people, task.size, task.style)
    quality = [cv2.IMWRITE_JPEG_QUALITY, sequence.jpeg_quality]
    for frame, image in enumerate(sequence.images):
        _, encoded = cv2.imencode(".jpg", image, quality)
        with replacing(task.out / task.folder / f"{frame:06d}.jpg") as temporary:
            temporary.write_bytes(encoded.tobytes())
    content = to_posetrack(sequence, task)
    # Last, so that a sequence with annotations is a whole one.
    with replacing(task.annotation_file) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
    flags = np.array([person["keypoints"][2::3] for person in content["annotations"]])
    return len(flags), int((flags > 0).sum()), int((flags == HIDDEN).sum())


def _one_thread() -> None:
    cv2.setNumThreads(1)


@contextmanager
def _results(tasks: list[_Task], workers: int) -> Iterator[Iterator[tuple[int, int, int]]]:
    if workers == 1:
        yield map(_write_sequence, tasks)
        return
    # spawn: forking a process that runs threads (OpenCV's, PyTorch's) can hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_one_thread) as pool:
        yield pool.imap_unordered(_write_sequence, tasks)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PoseGraphError(f"synthetic data: {name} is {value}; expected {low:g} to {high:g}; change {name}")


def _check_arguments(
    sequences: int,
    frames: int,
    people: int,
    size: tuple[int, int],
    seed: int,
    val_fraction: float,
    workers: int,
) -> None:
    _check("sequences", sequences, 1, MOST_SEQUENCES)
    _check("frames", frames, 1, MOST_FRAMES)
    _check("people", people, 1, MOST_PEOPLE)
    _check("width", size[0], SMALLEST, 8192)
    _check("height", size[1], SMALLEST, 8192)
    _check("seed", seed, 0, 2**63)
    _check("val_fraction", val_fraction, 0.0, 1.0)
    _check("workers", workers, 1, 1024)


def _check_empty(out: Path, tasks: list[_Task]) -> None:
    """Annotations of another run would be read as part of this set."""
    own = {task.annotation_file for task in tasks}
    others = sorted(path for path in out.glob("annotations/*/*.json") if path not in own)
    if others:
        raise PoseGraphError(
            f"{out}: holds {len(others)} annotation files of another set, such as {others[0].name}; "
            "expected an empty folder; delete it or choose another"
        )


def _num_val(sequences: int, val_fraction: float) -> int:
    """At least one of two or more clips is validated on, unless nobody asked for any."""
    return max(round(sequences * val_fraction), int(sequences > 1 and val_fraction > 0))


def generate(
    out: Path,
    *,
    sequences: int = 20,
    frames: int = 30,
    people: int = 4,
    size: tuple[int, int] = (640, 360),
    seed: int = 0,
    val_fraction: float = 0.2,
    workers: int | None = None,
    on_sequence: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write annotated clips of synthetic people under `out`, as PoseTrack18 lays them out.

    sequences, frames, people: clips, images per clip, persons per clip.  size: width and height in pixels.
    seed: the same arguments write the same bytes, with any number of workers.  val_fraction: share of the clips, the
    last ones, that go to "val"; of two or more at least one, unless it is 0.  workers: processes, by default one per
    core; more than one starts new interpreters, so a script needs its ``if __name__ == "__main__"``.
    on_sequence(done, total) is called after every clip. Raises PoseGraphError for arguments out of range and for a
    folder that holds another set.
    """
    out, workers = Path(out), workers if workers is not None else os.cpu_count() or 1
    _check_arguments(sequences, frames, people, size, seed, val_fraction, workers)
    first_val = sequences - _num_val(sequences, val_fraction)
    tasks = [
        _Task(out, "train" if index < first_val else "val", index, frames, people, size, seed, EVERYDAY)
        for index in range(sequences)
    ]
    return _write(out, tasks, workers, on_sequence)


def generate_benchmark(
    out: Path,
    recipe: Recipe = SYNTH_OCCLUSION,
    *,
    workers: int | None = None,
    on_sequence: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a benchmark's splits under `out`, as :func:`generate` writes "train" and "val", and what it is.

    Raises PoseGraphError for a folder that holds another set.
    """
    out, workers = Path(out), workers if workers is not None else os.cpu_count() or 1
    _check("workers", workers, 1, 1024)
    splits = [split for split, clips in recipe.splits.items() for _ in range(clips)]
    tasks = [
        _Task(out, split, index, recipe.frames, recipe.people, recipe.size, recipe.seed, recipe.style)
        for index, split in enumerate(splits)
    ]
    summary = _write(out, tasks, workers, on_sequence)
    write_json(out / RECIPE, asdict(recipe))
    return summary


def _write(out: Path, tasks: list[_Task], workers: int, on_sequence: Callable[[int, int], None] | None) -> Summary:
    _check_empty(out, tasks)
    start, totals = time.perf_counter(), np.zeros(3, dtype=int)
    with _results(tasks, min(workers, len(tasks))) as results:
        for done, counts in zip(count(1), results, strict=False):
            totals += counts
            if on_sequence is not None:
                on_sequence(done, len(tasks))
    seconds = time.perf_counter() - start
    poses, joints, occluded = totals.tolist()
    frames = sum(task.frames for task in tasks)
    return Summary(len(tasks), frames, poses, joints, occluded, seconds, poses / seconds)
