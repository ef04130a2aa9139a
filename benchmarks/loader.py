"""How many clips a second one core loads: by groups of frames, and the plain way.

python benchmarks/loader.py [--sequences 8] [--frames 16] [--noise 3] [--runs 5] [--batch-size 32] [--json FILE]

The data are drawn by posegraph's synthetic generator in a temporary folder: 1280x720 frames of textured scenes with six
people, PoseTrack18 layout. To them comes the noise of a camera, and they are stored as JPEG of quality 95. How long
decoding takes depends on the bits a pixel: about 2.3 with the default, 1 with the generator's own files (--noise 0).
The files of PoseTrack and COCO that were looked at have 4.9 and 3.9.

Plain: shuffled clips, T full frames decoded for every person and clip. Grouped: the loader of data.group_frames and
data.mixed_groups. Both are the training's own loader with its random crops, its collation included, in one process with
one thread; epochs of the two alternate, and medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from posegraph.config import RunConfig
from posegraph.data import video
from posegraph.data.clips import ClipDataset
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.synthetic import generate
from posegraph.skeleton import Skeleton

SIZE = (1280, 720)
PEOPLE = 6
WANTED = 3.0
WAYS = {
    "plain": ["data.cache_frames=0"],
    "grouped": ["data.cache_frames=0", "data.group_frames=8", "data.mixed_groups=8"],
}
VARIANTS = {"full": "NCSTR, T=3", "vit_alone": "ViT alone, T=1"}


def epoch(data: ClipDataModule, number: int) -> dict[str, float]:
    """One epoch of the training loader: clips, seconds of the processor and of the clock, frames decoded."""
    loader = data.train_dataloader()
    loader.batch_sampler.set_epoch(number)
    with mock.patch.object(video, "read_image", wraps=video.read_image) as decode:
        cpu, wall = time.process_time(), time.perf_counter()
        clips = sum(batch.frames.size(0) for batch in loader)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"clips": clips, "cpu_seconds": cpu, "seconds": wall, "decodes": decode.call_count}


def same_clips(modules: dict[str, ClipDataModule], keys: int = 48) -> bool:
    """Whether both loaders' data sets give the same clips, bit for bit, for the first keys of a grouped epoch."""
    loaders = {name: data.train_dataloader() for name, data in modules.items()}
    drawn = [key for batch in loaders["grouped"].batch_sampler for key in batch][:keys]
    one, other = (loader.dataset for loader in loaders.values())
    assert isinstance(one, ClipDataset)
    return all(
        torch.equal(torch.as_tensor(value), torch.as_tensor(other[key][name]))
        for key in drawn
        for name, value in one[key].to_dict().items()
    )


def compare(folder: Path, variant: str, batch_size: int, runs: int) -> dict[str, Any]:
    """Medians of both ways for one variant of the model, and their ratio."""
    modules = {}
    for name, overrides in WAYS.items():
        settings = [f"data.train={folder}/annotations/train", f"training.batch_size={batch_size}"]
        config = RunConfig.from_preset("ncstr-b", [*settings, f"model.variant={variant}", *overrides])
        modules[name] = ClipDataModule(config, Skeleton.load(config.skeleton))
    same = same_clips(modules)  # warms up, too
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for run in range(runs):
        for name, data in modules.items():
            found[name].append(epoch(data, run))
    ways: dict[str, dict[str, float]] = {}
    for name, epochs in found.items():
        ways[name] = {
            "clips_per_cpu_second": statistics.median(one["clips"] / one["cpu_seconds"] for one in epochs),
            "clips_per_second": statistics.median(one["clips"] / one["seconds"] for one in epochs),
            "decodes_per_clip": statistics.median(one["decodes"] / one["clips"] for one in epochs),
        }
    ratio = ways["grouped"]["clips_per_cpu_second"] / ways["plain"]["clips_per_cpu_second"]
    return {"ways": ways, "ratio": ratio, "same_clips": same, "epochs": found}


def drawn_data(folder: Path, sequences: int, frames: int, noise: float) -> dict[str, float]:
    """Draw the data set; what it holds."""
    summary = generate(folder, sequences=sequences, frames=frames, people=PEOPLE, size=SIZE, val_fraction=0)
    files = sorted((folder / "images").rglob("*.jpg"))
    if noise:
        rng = np.random.default_rng(0)
        for file in files:
            image = video.read_image(file) + noise * rng.standard_normal((SIZE[1], SIZE[0], 3), dtype=np.float32)
            cv2.imwrite(str(file), image.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
    size = sum(file.stat().st_size for file in files) / len(files)
    return {
        "frames": summary.frames,
        "clips": summary.poses,
        "people_per_frame": summary.poses / summary.frames,
        "noise": noise,
        "jpeg_kb": size / 1000,
        "bits_per_pixel": 8 * size / (SIZE[0] * SIZE[1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--frames", type=int, default=16, help="of each sequence")
    parser.add_argument("--noise", type=float, default=3.0, help="of the camera: sd in grey levels")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    result: dict[str, Any] = {"settings": WAYS, "batch_size": args.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        result["data"] = drawn_data(Path(folder), args.sequences, args.frames, args.noise)
        print(", ".join(f"{name} {value:.1f}" for name, value in result["data"].items()))
        for variant, title in VARIANTS.items():
            result[variant] = found = compare(Path(folder), variant, args.batch_size, args.runs)
            print(f"\n{title}: both ways give the same clips: {found['same_clips']}")
            for name, way in found["ways"].items():
                print(f"  {name:8}", ", ".join(f"{value:.2f} {key}" for key, value in way.items()))
            verdict = f"{'pass' if found['ratio'] >= WANTED else 'FAIL'}, wanted {WANTED:g}x"
            print(f"  ratio    {found['ratio']:.2f}x per core ({verdict if variant == 'full' else 'nothing is asked'})")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
