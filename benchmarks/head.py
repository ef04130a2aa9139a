"""What the node-centric head costs beside the backbone, and how that grows with joints and people.

python benchmarks/head.py [--presets ncstr-b ncstr-s] [--batches 1 8] [--repeats 9] [--joints 17 68 133]
    [--people 1 2 4 8 16 32 64] [--clock wall|cpu] [--json FILE]

The head is all of NCSTR behind the encoded frames: joint embedding, pose query, both graph branches, cross-branch
attention, fusion. Its share is that of the time of three full frames through backbone and decoder of the same clips,
on the CPU in float32; both take turns, and medians are compared. `written`: the modules as training and
`posegraph eval` run them; `inference`: rewritten by posegraph.models.inference, as a stream runs them. Weights and
images are noise.

Growth: the head alone, in the inference form. A straight line is fitted to the medians, and the exponent between the
two largest sizes is given: 1 is linear. Edges are made once for a batch of clips; making them is not in the figures.

Peer: the pose query the way the paper writes it, features up-sampled before they are projected, on one clip.
OMP_NUM_THREADS sets the number of threads. On a machine with other work take 1 and --clock cpu, the processor's time.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from posegraph.config import RunConfig
from posegraph.encoders.joint_embedding import Joints
from posegraph.encoders.pose_query import PoseQueryEncoder, window_mask
from posegraph.engine.blank_clips import blank_clips
from posegraph.environment import describe_environment
from posegraph.graph import ClipData
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import model_from_config
from posegraph.models.inference import InferenceModel
from posegraph.models.ncstr import NCSTR
from posegraph.skeleton import Skeleton

GOALS = {"ncstr-b": 0.05, "ncstr-s": 0.10}
LINEAR = 1.15
"""Largest exponent that passes for linear growth."""
GROWTH_PRESET, GROWTH_PEOPLE = "ncstr-b", 8
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


class Stopwatch:
    """Times ways of doing something, ``repeats`` times each, by one of :data:`CLOCKS`."""

    def __init__(self, clock: str, repeats: int) -> None:
        self._clock, self._repeats = CLOCKS[clock], repeats

    def in_turns(self, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
        """Median seconds of each way; they take turns, and a first round does not count."""
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        with torch.inference_mode():
            for _ in range(self._repeats + 1):
                for name, way in ways.items():
                    start = self._clock()
                    way()
                    seconds[name].append(self._clock() - start)
        return {name: statistics.median(found[1:]) for name, found in seconds.items()}


def built(preset: str, skeleton: Skeleton, *overrides: str) -> PoseModel:
    """A model with random weights."""
    torch.manual_seed(0)
    return model_from_config(RunConfig.from_preset(preset, overrides).model, skeleton).eval()


def noise(model: PoseModel, count: int) -> tuple[Encoded, ClipData]:
    """Encoded frames of ``count`` clips, and their graph."""
    config, joints = model.config, model.skeleton.num_joints
    clip = blank_clips(config, model.skeleton, count)
    del clip.frames
    frames = (count, config.clip_frames)
    features = torch.randn(*frames, config.embed_dim, *config.grid_hw)
    return Encoded(features, torch.rand(*frames, joints, *config.heatmap_hw)), clip


def share(preset: str, batch: int, watch: Stopwatch) -> dict[str, Any]:
    """Seconds of head and full passes, and their ratio, in both forms."""
    written = built(preset, Skeleton.load("posetrack17"))
    frames = torch.randn(batch, written.config.clip_frames, 3, *written.config.input_hw)
    fast = InferenceModel(written)
    encoded, clip = noise(written, batch)
    ways: dict[str, Callable[[], object]] = {
        "written passes": lambda: written.encode(frames),
        "written head": lambda: written.reason(encoded, clip),
        "inference passes": lambda: fast.encode(frames.flatten(0, 1)),
        "inference head": lambda: fast(encoded),
    }
    found = watch.in_turns(ways)
    return {
        form: {
            "passes_s": found[f"{form} passes"],
            "head_s": found[f"{form} head"],
            "share": found[f"{form} head"] / found[f"{form} passes"],
        }
        for form in ("written", "inference")
    }


def growth(sizes: list[int], work: Callable[[int], Callable[[], object]], watch: Stopwatch) -> dict[str, Any]:
    """Median seconds at each size, the straight line through them, and the exponent at the end."""
    found = watch.in_turns({str(size): work(size) for size in sizes})
    seconds = list(found.values())
    slope, constant = np.polyfit(sizes, seconds, 1)
    apart = np.array(seconds) - (slope * np.array(sizes) + constant)
    explained = 1 - float(apart @ apart) / max(float(np.var(seconds)) * len(seconds), 1e-30)
    exponent = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
    return {
        "seconds": found,
        "seconds_per_item": float(slope),
        "seconds_fixed": float(constant),
        "r_squared": explained,
        "last_exponent": exponent,
    }


def without_backbone(joints: int) -> PoseModel:
    """A model of so many joints whose backbone is not used, and hardly there."""
    return built(GROWTH_PRESET, tree(joints), "model.depth=1")


def reasoning(model: PoseModel, people: int) -> Callable[[], object]:
    """The head's work on so many people, in the inference form."""
    fast, (encoded, _) = InferenceModel(model), noise(model, people)
    return lambda: fast(encoded)


def tree(num_joints: int) -> Skeleton:
    """A skeleton of any size: each joint is joined to the one at half its number."""
    names = tuple(f"joint {number}" for number in range(num_joints))
    return Skeleton(
        name=f"tree of {num_joints}",
        joints=names,
        bones=tuple((names[number // 2], names[number]) for number in range(1, num_joints)),
    )


def dense_peer(watch: Stopwatch) -> dict[str, float]:
    """Seconds of both forms of the pose query on one clip, and how far their nodes are apart."""
    model = built(GROWTH_PRESET, Skeleton.load("posetrack17"), "model.depth=1")
    assert isinstance(model, NCSTR)
    encoded, _ = noise(model, 1)
    with torch.inference_mode():
        joints = model.joint_embedding(encoded.heatmaps)
        fast, slow = model.pose_query(joints, *encoded), dense(model.pose_query, joints, *encoded)
    apart = max(float((one - other).abs().max()) for one, other in zip(fast, slow, strict=True))
    found = watch.in_turns(
        {
            "fast": lambda: model.pose_query(joints, *encoded),
            "dense": lambda: dense(model.pose_query, joints, *encoded),
        }
    )
    return {f"{name}_s": value for name, value in found.items()} | {
        "ratio": found["dense"] / found["fast"],
        "nodes_apart": apart,
    }


def dense(query: PoseQueryEncoder, joints: Joints, features: Tensor, heatmaps: Tensor) -> list[Tensor]:
    """Paper section 3.3 as it is written: keys and values of every cell of the heatmap grid."""
    grid_hw = (heatmaps.size(-2), heatmaps.size(-1))
    full = F.interpolate(features.flatten(0, 1), size=grid_hw, mode="bilinear", align_corners=False)
    cells = full.flatten(2).transpose(1, 2).view(*features.shape[:2], -1, features.size(2))  # [B, T, H*W, C]
    keys, values = query.key(cells), query.value(cells)  # [B, T, H*W, D]
    logits = query.query(joints.tokens) @ keys.transpose(-1, -2)  # [B, T, J, H*W]
    logits = logits / (math.sqrt(keys.size(-1)) * F.softplus(query.raw_temperature))
    logits = logits + (heatmaps.clamp_min(0) + query.prior_epsilon).log().flatten(-2)
    nodes = []
    for radius in query.radii(joints.speed, num_frames=features.size(1)):
        mask = window_mask(joints.centres, radius, grid_hw).flatten(-2)
        context = logits.masked_fill(~mask, -math.inf).softmax(-1) @ values
        nodes.append(query.norm(joints.tokens + query.out(context)))
    return nodes


def told(preset: str, batch: int, found: dict[str, Any]) -> None:
    """Print one comparison."""
    for form, figures in found.items():
        goal = GOALS.get(preset)
        verdict = (
            "nothing is asked" if goal is None else f"{'pass' if figures['share'] <= goal else 'FAIL'}, {goal:.0%}"
        )
        print(
            f"{preset} batch {batch}, {form:9}: head {1e3 * figures['head_s']:7.2f} ms, 3 passes "
            f"{1e3 * figures['passes_s']:8.1f} ms, share {figures['share']:6.2%} ({verdict})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["ncstr-b", "ncstr-s"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--joints", nargs="+", type=int, default=[17, 68, 133])
    parser.add_argument("--people", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    environment = describe_environment() | {"threads": torch.get_num_threads()}
    watch = Stopwatch(args.clock, args.repeats)
    result: dict[str, Any] = {"environment": environment, "clock": args.clock, "repeats": args.repeats, "shares": []}
    for preset in args.presets:
        for batch in args.batches:
            found = share(preset, batch, watch)
            result["shares"].append({"preset": preset, "batch": batch, **found})
            told(preset, batch, found)
    result["growth"] = {
        f"joints, {GROWTH_PEOPLE} people": growth(
            args.joints, lambda joints: reasoning(without_backbone(joints), GROWTH_PEOPLE), watch
        ),
        "people, 17 joints": growth(args.people, partial(reasoning, without_backbone(17)), watch),
    }
    for what, found in result["growth"].items():
        verdict = "pass" if found["last_exponent"] <= LINEAR else "FAIL"
        print(f"{what}: " + ", ".join(f"{size}: {1e3 * s:.1f} ms" for size, s in found["seconds"].items()))
        print(
            f"  {1e3 * found['seconds_fixed']:.2f} ms + {1e3 * found['seconds_per_item']:.3f} ms each, R2 "
            f"{found['r_squared']:.4f}; exponent at the end {found['last_exponent']:.2f} ({verdict}, {LINEAR})",
            flush=True,
        )
    result["dense pose query"] = peer = dense_peer(watch)
    print(
        f"pose query, 1 clip: {1e3 * peer['fast_s']:.1f} ms, dense {1e3 * peer['dense_s']:.1f} ms "
        f"({peer['ratio']:.1f}x), nodes at most {peer['nodes_apart']:.1e} apart"
    )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
