"""How much faster the head trains from features that were computed once.

python benchmarks/feature_cache.py [--presets ncstr-b ncstr-s] [--clips 64] [--batch-size 16] [--epochs 3] [--json FILE]

Two trainings of the same model take turns, a step each, on the CPU: one encodes images with the frozen backbone, the
other reads the cache. A step is all of it: loading the batch, forward, backward, clipping, AdamW. Weights are random,
the data drawn by posegraph's synthetic generator, augmentation is off in both. Clips a second are the median step's.
OMP_NUM_THREADS sets the number of threads; on a machine with other work take 1, and look at the processor's time, too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from posegraph import build_model
from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.synthetic import generate
from posegraph.engine.features import ensure_features
from posegraph.engine.module import PoseTraining
from posegraph.engine.optimizer import parameter_groups
from posegraph.graph import ClipData
from posegraph.models.build import started_model
from posegraph.skeleton import Skeleton

PEOPLE, FRAMES = 4, 8
WANTED = {"ncstr-b": 20.0}
CLOSE = 1e-5
FROZEN = ("training.backbone_lr_scale=0", "loss.heatmap=0", "training.accelerator=cpu", "data.workers=0")
PLAIN = tuple(f"augment.{name}=0" for name in ("half_body", "scale", "rotation_probability", "flip", "shift"))


class Training:
    """A training whose steps are taken, and timed, one by one."""

    def __init__(self, config: RunConfig) -> None:
        torch.manual_seed(config.seed)
        skeleton = Skeleton.load(config.skeleton)
        self.data = ClipDataModule(config, skeleton)
        self.module = PoseTraining(started_model(config.model, skeleton), config, self.data.ever_annotated)
        self.module.train()
        self.optimizer = torch.optim.AdamW(parameter_groups(self.module.model, config.training))
        self.learning = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.clip_gradient = config.training.clip_gradient
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.losses: list[float] = []

    def batches(self, epochs: int) -> Iterator[ClipData]:
        """All batches of all epochs."""
        loader = self.data.train_dataloader()
        for epoch in range(epochs):
            loader.batch_sampler.set_epoch(epoch)
            yield from loader

    def step(self, batches: Iterator[ClipData]) -> None:
        """Load a batch, and learn from it."""
        start, cpu = time.perf_counter(), time.process_time()
        clip = next(batches)
        loss = torch.stack(list(self.module.losses(self.module.run(clip), clip).values())).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        torch.nn.utils.clip_grad_norm_(self.learning, self.clip_gradient)
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - start)
        self.cpu_seconds.append(time.process_time() - cpu)
        self.losses.append(float(loss.detach()))


def compare(folder: Path, preset: str, batch_size: int, epochs: int) -> dict[str, Any]:
    """Medians of both ways, their ratio, and how far their losses are apart."""
    settings = [f"data.train={folder}/annotations/train", f"training.batch_size={batch_size}", *FROZEN, *PLAIN]
    weights = folder / f"{preset}-weights"
    build_model(preset, RunConfig.from_preset(preset).skeleton).save_pretrained(weights)
    settings.append(f"model.weights={weights}")
    cached = Training(RunConfig.from_preset(preset, [*settings, f"data.features={folder}/{preset}-features"]))
    start = time.perf_counter()
    cache = ensure_features(cached.data, cached.module.model)["train"]
    computing = time.perf_counter() - start
    ways = {"images": Training(RunConfig.from_preset(preset, settings)), "cache": cached}
    batches = {name: way.batches(epochs) for name, way in ways.items()}
    for _ in range(epochs * len(cached.data.train_batches())):
        for name, way in ways.items():
            way.step(batches[name])
    # The first step of each fills memory pools.
    rate = {name: batch_size / statistics.median(way.seconds[1:]) for name, way in ways.items()}
    cpu_rate = {name: batch_size / statistics.median(way.cpu_seconds[1:]) for name, way in ways.items()}
    images, cache_losses = (way.losses for way in ways.values())
    apart = max(abs(one - other) for one, other in zip(images, cache_losses, strict=True))
    return {
        "clips_per_second": rate,
        "ratio": rate["cache"] / rate["images"],
        "clips_per_cpu_second": cpu_rate,
        "cpu_ratio": cpu_rate["cache"] / cpu_rate["images"],
        "losses_apart": apart,
        "clips": cache.meta.clips,
        "steps": len(images),
        "megabytes_per_clip": cache.meta.bytes_per_clip / 1e6,
        "seconds_to_compute_the_cache": computing,
        "losses": {name: way.losses for name, way in ways.items()},
        "seconds": {name: way.seconds for name, way in ways.items()},
        "cpu_seconds": {name: way.cpu_seconds for name, way in ways.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["ncstr-b", "ncstr-s"])
    parser.add_argument("--clips", type=int, default=64, help=f"rounded up to {PEOPLE * FRAMES}, a video's")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    result: dict[str, Any] = {"threads": torch.get_num_threads(), "batch_size": args.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        videos = -(-args.clips // (PEOPLE * FRAMES))
        generate(Path(folder), sequences=videos, frames=FRAMES, people=PEOPLE, val_fraction=0, workers=1)
        for preset in args.presets:
            result[preset] = found = compare(Path(folder), preset, args.batch_size, args.epochs)
            rate, wanted = found["clips_per_second"], WANTED.get(preset)
            verdict = "nothing is asked" if wanted is None else f"wanted {wanted:g}x"
            print(f"{preset}: {found['steps']} steps each, {found['megabytes_per_clip']:.2f} MB a clip")
            print(f"  images {rate['images']:.2f}, cache {rate['cache']:.2f} clips a second")
            print(f"  ratio  {found['ratio']:.1f}x ({verdict}); by the processor's time {found['cpu_ratio']:.1f}x")
            print(f"  losses at most {found['losses_apart']:.1e} apart (wanted {CLOSE:.0e})")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
