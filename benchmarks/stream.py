"""What a person costs in a steady stream, beside plain single-frame ViTPose of transformers with the same weights.

python benchmarks/stream.py [--sizes s b] [--people 1 4] [--pairs 30] [--decoder classic] [--threads 2] [--json FILE]
python benchmarks/stream.py --macs b l h
python benchmarks/stream.py --boxes ANNOTATIONS [...] [-o hysteresis=0.6 ...]

The ways take turns, in one run; times are medians, per person and frame. ``stream``: image and boxes in, keypoints in
image pixels out, cropping included, no crop moves. ``peer``: the model's forward on ready pixel values. ``whole peer``:
its image processor before and after it, too. ``clip``: the same as ``stream``, by way of clips, three crops a pose.
Weights are random. By the processor's time, the figures hold on a machine with other work, too.

``--macs`` counts all multiplications of matrix products and convolutions that a pose takes in a steady stream, those of
attention included, as they are run on a CPU. ``--boxes`` follows tracks without a model: how often a crop moves.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor
from transformers.utils.logging import disable_progress_bar

from posegraph import People, PoseModel, PoseStream, build_model
from posegraph.config import RunConfig, StreamConfig
from posegraph.data import read_boxes, read_tracks
from posegraph.data.augment import CropDraw
from posegraph.data.clips import ClipMaker
from posegraph.data.video import Image
from posegraph.engine.anchor import Anchor
from posegraph.geometry import denormalise, transform
from posegraph.models.base import Encoded
from posegraph.models.inference import InferenceModel

WANTED = {"s": 1.25, "b": 1.10}
PAPER_GMACS = {"s": 19.2, "b": 47.1, "l": 141.7, "h": 285.6}
IMAGE_HW, BOX = (720, 1280), (60.0, 100.0, 150.0, 400.0)


def random_peer(size: str, decoder: str) -> VitPoseForPoseEstimation:
    """ViTPose of transformers, of a preset's size, with random weights."""
    numbers = RunConfig.from_preset(f"vitpose-{size}").model
    backbone: dict[str, Any] = {
        "hidden_size": numbers.embed_dim,
        "num_hidden_layers": numbers.depth,
        "num_attention_heads": numbers.num_heads,
        "out_indices": [numbers.depth],
    }
    head: dict[str, Any] = {"use_simple_decoder": decoder == "simple", "num_labels": 17}
    torch.manual_seed(0)
    peer = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=VitPoseBackboneConfig(**backbone), **head))
    peer.train(False)
    return peer


def with_weights_of(peer: VitPoseForPoseEstimation, size: str) -> PoseModel:
    """Our model on the same backbone and decoder."""
    with tempfile.TemporaryDirectory() as folder:
        peer.save_pretrained(folder)
        return build_model(f"ncstr-{size}", "coco17", weights=folder).eval()


def clip_mode(model: PoseModel, images: list[Image], regions: list[CropDraw]) -> np.ndarray[Any, Any]:
    """Keypoints ``[n, J, 2]`` in image pixels, each person's clip cropped and encoded whole."""
    maker = ClipMaker(model.skeleton, model.config)
    batch = Batch.from_data_list([maker(images, region) for region in regions])
    points = denormalise(model.run(batch).nodes[..., :2].double().numpy(), model.config.input_hw)
    matrices = batch.crop_to_image.numpy()
    return np.stack([transform(each, matrix) for each, matrix in zip(points, matrices, strict=True)])


@torch.inference_mode()
def compare(peer: VitPoseForPoseEstimation, model: PoseModel, num_people: int, pairs: int) -> dict[str, Any]:
    """Medians of all ways in milliseconds per person and frame, and their ratios to the peer."""
    image = np.random.default_rng(0).integers(0, 255, (*IMAGE_HW, 3), dtype=np.uint8)
    boxes = np.array([[BOX[0] + 280 * number, *BOX[1:]] for number in range(num_people)])
    people = People(boxes, np.ones(num_people), np.arange(num_people))
    stream = PoseStream(model)
    processor: Any = VitPoseImageProcessor()
    pixels = torch.randn(num_people, 3, *model.config.input_hw)
    for _ in range(model.config.clip_frames):
        poses = stream.step(image, people)
    regions = [CropDraw(stream.regions[number]) for number in range(num_people)]
    images, rgb = [image] * model.config.clip_frames, np.ascontiguousarray(image[..., ::-1])

    def whole_peer() -> Any:
        ready = processor(images=rgb, boxes=[boxes], return_tensors="pt")
        return processor.post_process_pose_estimation(peer(**ready), boxes=[boxes])

    ways: dict[str, Callable[[], Any]] = {
        "stream": lambda: stream.step(image, people),
        "peer": lambda: peer(pixels),
        "whole peer": whole_peer,
        "clip": lambda: clip_mode(model, images, regions),
    }
    apart = np.abs(ways["clip"]() - poses.keypoints_px).max()
    heatmaps_apart = (peer(pixels).heatmaps - model.heatmaps(pixels)).abs().max().item()
    wall, processor_time = measured(ways, pairs)
    medians = {name: 1e3 * statistics.median(wall[name]) / num_people for name in ways}
    cpu = {name: 1e3 * statistics.median(processor_time[name]) / num_people for name in ways}
    return {
        "ms": medians,
        "cpu_ms": cpu,
        "stream_over_peer": medians["stream"] / medians["peer"],
        "stream_over_whole_peer": medians["stream"] / medians["whole peer"],
        "stream_over_clip": medians["stream"] / medians["clip"],
        "cpu_stream_over_peer": cpu["stream"] / cpu["peer"],
        "pairs": pairs,
        "pixels_from_clip_mode": float(apart),
        "heatmaps_from_peer": heatmaps_apart,
        "seconds": wall,
    }


def measured(ways: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of every round, by the clock and by the processor; the order turns from round to round."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            start, busy = time.perf_counter(), time.process_time()
            ways[name]()
            wall[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - busy)
    return wall, processor


@torch.inference_mode()
def giga_macs(size: str) -> float:
    """Of one more crop through backbone and decoder, and the head over its clip."""
    model = build_model(f"ncstr-{size}", "coco17").eval()
    fast, crop = InferenceModel(model), torch.randn(1, 3, *model.config.input_hw)
    # The fused attention is no matrix product to the counter; its plain form is.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        features, heatmaps = fast.encode(crop)
        frames = model.config.clip_frames
        fast(Encoded(features.repeat(1, frames, 1, 1, 1), heatmaps.repeat(1, frames, 1, 1, 1)))
    return float(counter.get_total_flops()) / 2e9


class FollowedBoxes(NamedTuple):
    """One person's boxes ``[N, 4]`` and the frames, in order, that have them."""

    frames: list[int]
    boxes_xywh: NDArray[np.float64]


def followed_boxes(path: Path) -> Iterator[FollowedBoxes]:
    """Of everybody in annotations, predictions, or MOTChallenge text with ids."""
    if path.suffix != ".txt":
        for track in read_tracks(path):
            yield FollowedBoxes(track.frame.tolist(), track.boxes_xywh.astype(np.float64))
        return
    found = read_boxes(path)
    rows: dict[tuple[Hashable, int], list[int]] = {}
    places = cast(tuple[tuple[str, int], ...], found.places)  # of text: video and frame
    for row in sorted(range(len(found)), key=lambda row: places[row]):
        rows.setdefault((places[row][0], int(found.track_ids[row])), []).append(row)
    for chosen in rows.values():
        yield FollowedBoxes([places[row][1] for row in chosen], found.boxes_xywh[chosen])


def anchor_costs(tracks: Iterable[FollowedBoxes], settings: StreamConfig, config: RunConfig) -> dict[str, float]:
    """What a stream would encode beyond one crop a person-frame, per person-frame, and how often a crop would move."""
    people = encoded = moved = 0
    num_frames = config.model.clip_frames
    for track in tracks:
        anchor: Anchor | None = None
        known: set[int] = set()
        for frame, box in zip(*track, strict=True):
            if not (np.isfinite(box).all() and (box[2:] > 0).all()):
                continue
            clip = set(range(max(frame - num_frames + 1, 0), frame + 1))
            if anchor is None or not known & clip:
                anchor, known = Anchor(box, frame, settings, config.model.input_hw, config.data.box_scale), set()
            elif anchor.follow(box, frame):
                known, moved = set(), moved + 1
            encoded += len(clip - known)
            people, known = people + 1, clip
    return {"people": people, "extra_passes": (encoded - people) / people, "moved": moved / people}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["s", "b"], choices=sorted(PAPER_GMACS))
    parser.add_argument("--people", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--decoder", choices=["classic", "simple"], default="classic")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--macs", nargs="+", metavar="SIZE", choices=sorted(PAPER_GMACS), help="count only")
    parser.add_argument("--boxes", nargs="+", type=Path, help="annotations, predictions or MOTChallenge text to follow")
    parser.add_argument("-o", action="append", default=[], metavar="KEY=VALUE", help="stream settings, for --boxes")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers
    torch.set_num_threads(args.threads)
    result: dict[str, Any] = {"threads": args.threads}
    if args.macs:
        for size in args.macs:
            result[size] = macs = giga_macs(size)
            print(
                f"{size}: {macs:.1f} GMACs a pose; half of the paper's {PAPER_GMACS[size]} is {PAPER_GMACS[size] / 2}"
            )
    elif args.boxes:
        config = RunConfig.from_dict({}, [f"stream.{override}" for override in args.o])
        for path in args.boxes:
            result[str(path)] = costs = anchor_costs(followed_boxes(path), config.stream, config)
            print(f"{path}: {costs['people']} people, {costs['extra_passes']:.3f} extra passes each (wanted 0.25)")
    else:
        for size in args.sizes:
            peer = random_peer(size, args.decoder)
            model = with_weights_of(peer, size)
            for num_people in args.people:
                result[f"{size} {num_people}"] = found = compare(peer, model, num_people, args.pairs)
                times = ", ".join(f"{name} {ms:.1f}" for name, ms in found["ms"].items())
                busy = ", ".join(f"{name} {ms:.1f}" for name, ms in found["cpu_ms"].items())
                wanted = f"wanted {WANTED[size]}" if size in WANTED else "nothing is asked"
                print(f"{size}, {args.decoder}, {num_people} people: ms a person {times}; processor's {busy}")
                print(
                    f"  stream / peer {found['stream_over_peer']:.2f} ({wanted}), by the processor's time "
                    f"{found['cpu_stream_over_peer']:.2f}; / whole peer {found['stream_over_whole_peer']:.2f}; / clip "
                    f"{found['stream_over_clip']:.2f}; keypoints {found['pixels_from_clip_mode']:.1e} px from clip "
                    f"mode's, heatmaps {found['heatmaps_from_peer']:.1e} from the peer's"
                )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
