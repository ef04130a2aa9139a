"""What it takes to start training from an index of millions of annotations: seconds and memory.

python benchmarks/index.py [--people 2000000] [--json FILE]

An index is generated in a temporary folder (about 0.4 GB a million people) by the writer of `posegraph data index`:
videos of 30 frames with 4 people and random joints, an annotation file each (not read, but looked at for changes at
every start), and 30 small images that all videos share. Every measurement is a new process, the index's pages dropped
from the system's cache before it. A start is all from the configuration to the numbers of the first batch: the data
module with its check of the annotation files, its loader, the order of the first epoch. What has to be imported for it
(PyTorch, PyG, Lightning) is measured apart: it takes more memory than the index. The index alone needs none of these.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WANTED_SECONDS, WANTED_MB = 2.0, 500.0
FRAMES, PEOPLE = 30, 4  # of a video
SMALL = 12_000
ORDERS: dict[str, list[str]] = {"plain": [], "grouped": ["data.group_frames=8", "data.mixed_groups=8"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2_000_000)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        what, folder = args.measure
        print(json.dumps(start(Path(folder), what) if what in ORDERS else MEASURES[what](Path(folder))))
        return
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name) / str(count) for count in (args.people, SMALL)}
        for count, folder in folders.items():
            begin = time.perf_counter()
            size = generate(folder, count)
            print(f"index of {count} people: {size / 1e6:.0f} MB, written in {time.perf_counter() - begin:.1f} s")
        result["alone"] = alone = measured("alone", folders[args.people])
        print(f"the index alone, 1000 people read: {alone['seconds']:.2f} s, peak {alone['peak_mb']:.0f} MB in all")
        result["imports"] = base = measured("imports", folders[args.people])
        print(f"imports of training: {base['seconds']:.2f} s, peak {base['peak_mb']:.0f} MB")
        for order in ORDERS:
            result[order] = found = measured(order, folders[args.people])
            found["more_than_imports_mb"] = more = found["peak_mb"] - base["peak_mb"]
            print(
                f"start, {order}: {found['seconds']:.2f} s ({verdict(found['seconds'], WANTED_SECONDS, 's')}), "
                f"{more:.0f} MB more than imports ({verdict(more, WANTED_MB, 'MB')}), "
                f"peak {found['peak_mb']:.0f} MB in all; pickled data set: {found['pickle_bytes']} bytes"
            )
        for count, folder in folders.items():
            result[f"workers_{count}"] = found = measured("workers", folder)
            own, mapped = (", ".join(f"{value:.0f}" for value in found[name]) for name in ("own_mb", "mapped_mb"))
            print(
                f"loader processes over {count} people, {found['clips']} clips loaded: written memory of their own "
                f"{own} MB, read pages of files {mapped} MB (the system takes these back when it needs them)"
            )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def verdict(value: float, wanted: float, unit: str) -> str:
    return f"{'pass' if value < wanted else 'FAIL'}, wanted < {wanted:g} {unit}"


def generate(folder: Path, count: int) -> int:
    """Write an index of about ``count`` people and 30 images; its size in bytes."""
    import cv2

    from posegraph.data.index_format import Source
    from posegraph.data.index_writer import IndexWriter
    from posegraph.data.tracks import PersonTrack, Video
    from posegraph.skeleton import Skeleton

    skeleton, rng = Skeleton.load("posetrack17"), np.random.default_rng(0)
    names = tuple(f"images/{frame:06d}.jpg" for frame in range(FRAMES))
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    (folder / "index").mkdir()
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (120, 160, 3), dtype=np.uint8))
    sources = []
    with IndexWriter(folder / "index", skeleton) as writer:
        for number in range(count // (FRAMES * PEOPLE)):
            path = folder / "annotations" / f"{number:06d}.json"
            path.write_text(f"{number}")
            sources.append(Source.of(path))
            ids = np.arange(FRAMES) + number * FRAMES
            hw, labeled = np.tile([120, 160], (FRAMES, 1)), np.ones(FRAMES, dtype=np.bool_)
            video = Video(path.stem, path, names, ids, hw, labeled, ((),) * FRAMES)
            writer.add(video, [PersonTrack(video, track, **random_rows(rng, skeleton)) for track in range(PEOPLE)])
        writer.finish(folder / "annotations", sources, Counter(), clip_frames=3)
    return sum(file.stat().st_size for file in (folder / "index").iterdir())


def random_rows(rng: np.random.Generator, skeleton: Any) -> dict[str, Any]:
    """The arrays of a track through all frames."""
    points = rng.uniform(0, 120, (FRAMES, skeleton.num_joints, 2))
    low, high = points.min(axis=1), points.max(axis=1)
    none = np.full((FRAMES, 4), np.nan)
    return {
        "frame": np.arange(FRAMES),
        "keypoints_px": points,
        "annotated": np.ones((FRAMES, skeleton.num_joints), dtype=np.bool_),
        "visibility": rng.integers(0, 2, (FRAMES, skeleton.num_joints)).astype(np.int8),
        "boxes_xywh": np.concatenate([low, high - low], axis=1),
        "head_boxes_xywh": none,
        "keypoint_scores": none,
        "scores": none[:, 0],
    }


def measured(what: str, folder: Path) -> dict[str, Any]:
    """The result of a new process, after the index's pages have left the system's cache."""
    for file in (folder / "index").iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, "-W", "ignore", __file__, "--measure", what, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(folder: Path) -> dict[str, Any]:
    """Opening and reading the index with nothing else imported."""
    from posegraph.data.index import AnnotationIndex
    from posegraph.skeleton import Skeleton

    begin = time.perf_counter()
    index = AnnotationIndex.open(folder / "index", Skeleton.load("posetrack17"))
    for number in np.random.default_rng(0).integers(index.num_poses, size=1000).tolist():
        index.person(number).keypoints_px.sum()
    return {"seconds": time.perf_counter() - begin, "peak_mb": peak_mb(), "torch": "torch" in sys.modules}


def imports(_: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    import posegraph.data.datamodule  # noqa: F401

    return {"seconds": time.perf_counter() - begin, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Largest resident set of this process, pages of mapped files included."""
    return kilobytes(Path("/proc/self/status"), "VmHWM") / 1024


def module(folder: Path, *overrides: str) -> Any:
    from posegraph.config import RunConfig
    from posegraph.data.datamodule import ClipDataModule
    from posegraph.skeleton import Skeleton

    paths = [f"data.train={folder}/index", f"data.images={folder}", "training.batch_size=32"]
    config = RunConfig.from_preset("ncstr-tiny", [*paths, *overrides])
    return ClipDataModule(config, Skeleton.load(config.skeleton))


def start(folder: Path, order: str) -> dict[str, Any]:
    imports(folder)
    begin = time.perf_counter()
    data = module(folder, *ORDERS[order])
    loader = data.train_dataloader()
    first = next(iter(loader.batch_sampler))
    seconds = time.perf_counter() - begin
    assert len(first) == 32
    return {
        "people": len(loader.dataset),
        "seconds": seconds,
        "peak_mb": peak_mb(),
        "pickle_bytes": len(pickle.dumps(loader.dataset)),
    }


def workers(folder: Path, batches: int = 100) -> dict[str, Any]:
    """Memory of two loader processes after they have made many batches of shuffled clips."""
    loader = module(folder, "data.workers=2").train_dataloader()
    clips, found = 0, []
    for number, batch in enumerate(loader, start=1):
        clips += batch.frames.size(0)
        if number == batches:
            found = [Path(f"/proc/{worker.pid}/smaps_rollup") for worker in loader._iterator._workers]
            break
    return {
        "clips": clips,
        "own_mb": [kilobytes(file, "Private_Dirty") / 1024 for file in found],
        "mapped_mb": [kilobytes(file, "Private_Clean") / 1024 for file in found],
    }


def kilobytes(file: Path, field: str) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(f"{field}:"))


MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {"alone": alone, "imports": imports, "workers": workers}


if __name__ == "__main__":
    main()
