"""Whether a stream can run for ever: memory, tracks held, and the time of a crop, over many frames.

python benchmarks/stream_long.py [--frames 15000] [--tracks 500] [--model RUN] [--seed 0] [--json FILE]

People enter at one side of a 320x240 picture and leave at the other: drawn once by posegraph's synthetic generator,
then pasted where they are now. There are times with nobody, and with many; every track has an id of its own. Each tenth
of the video is the same coming and going of other tracks: memory grows with the most people at once, which is no leak,
so tenths can be compared. A stream of ncstr-tiny with random weights (--model: of a run) gives their poses. Linux with
glibc: memory is what /proc says, and, as ``in use``, what glibc says that the process has asked for and not given back;
what was given back it may keep for later.

Wanted: the resident memory of the last tenth of the frames within 2% of the second tenth's; never more tracks held than
people seen in the last three frames, and none in the end; p99 of the time per encoded crop at most twice p50. That time
is the call of step over the crops encoded in it, one value a call: the processor's (of the calling thread) and the
clock's. What a call costs beside its crops makes the crops of a call with few of them the dearest, so the figures are
also given by the number of crops.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from posegraph import PoseModel, PoseStream, build_model, load
from posegraph.data.people import People
from posegraph.data.synthetic import render_sequence
from posegraph.data.video import Image
from posegraph.files import write_json

WIDTH, HEIGHT = 320, 240
ROUNDS = 10
SHORTEST, LONGEST = 20, 100  # frames of a track
TAIL = 10  # frames without anybody at the end of a round
MEMORY_TARGET, TIME_TARGET = 0.02, 2.0


@dataclass(frozen=True)
class Walk:
    """One person's way through the picture.

    Fields:
        first, frames: When.
        start_xywh, end_xywh: The box in the first frame, and one frame after the last; between them straight on.
        sway: Pixels by which it goes up and down.
        look: Which of the drawn people it is.
    """

    first: int
    frames: int
    start_xywh: NDArray[np.float64]
    end_xywh: NDArray[np.float64]
    sway: float
    look: int

    def box_xywh(self, frame: int) -> NDArray[np.float64]:
        """The box in a frame of the video."""
        share = (frame - self.first) / self.frames
        box = (1 - share) * self.start_xywh + share * self.end_xywh
        box[1] += self.sway * np.sin(share * 12)
        return box


def walks(seed: int, frames: int, tracks: int, rounds: int = ROUNDS) -> list[Walk]:
    """``tracks`` people, as many in each round (the last ones may lack a few), who are gone at the end of it."""
    rng = np.random.default_rng(seed)
    length = frames // rounds
    pattern = [_walk(rng, length) for _ in range(-(-tracks // rounds))]
    repeated = [replace(walk, first=walk.first + number * length) for number in range(rounds) for walk in pattern]
    return sorted(repeated[:tracks], key=lambda walk: walk.first)


def _walk(rng: np.random.Generator, length: int) -> Walk:
    height = rng.uniform(90, 170, size=2)  # nearer or farther in the end
    box = np.stack([np.zeros(2), rng.uniform(20, 60, size=2), height * 0.45, height], axis=1)
    rightwards = rng.random() < 0.5
    # Half outside the picture at both ends.
    box[:, 0] = np.array([0, WIDTH] if rightwards else [WIDTH, 0]) - box[:, 2] / 2
    frames = int(rng.integers(SHORTEST, LONGEST + 1))
    first = int(rng.integers(0, length - TAIL - LONGEST))
    return Walk(first, frames, box[0], box[1], rng.uniform(0, 8), int(rng.integers(1000)))


class Pictures:
    """Backgrounds and people, drawn once."""

    def __init__(self, seed: int, count: int = 8) -> None:
        drawn = [render_sequence(seed, number, 1, 1, (WIDTH, HEIGHT)) for number in range(count)]
        self.backgrounds = [sequence.images[0] for sequence in drawn]
        self.people = [_cut_out(sequence.images[0], sequence.keypoints[0, 0]) for sequence in drawn]

    def frame(self, number: int, boxes_xywh: NDArray[np.float64], looks: list[int]) -> Image:
        """A new picture with these people pasted in."""
        image = self.backgrounds[number // 300 % len(self.backgrounds)].copy()
        for box, look in zip(boxes_xywh, looks, strict=True):
            left, top, right, bottom = np.rint([box[0], box[1], box[0] + box[2], box[1] + box[3]]).astype(int).tolist()
            person = cv2.resize(self.people[look % len(self.people)], (right - left, bottom - top))
            inside = image[max(top, 0) : bottom, max(left, 0) : right]
            inside[:] = person[max(-top, 0) :, max(-left, 0) :][: inside.shape[0], : inside.shape[1]]
        return image


def _cut_out(image: Image, keypoints: NDArray[np.float64]) -> Image:
    points = keypoints[keypoints[:, 2] > 0, :2]
    low = np.clip(points.min(axis=0) - 10, 0, None).astype(int)
    high = (points.max(axis=0) + 10).astype(int)
    return image[low[1] : high[1], low[0] : high[0]].copy()


def video(seed: int, frames: int, tracks: int, rounds: int = ROUNDS) -> Iterator[tuple[Image, People]]:
    """The pictures, and who is in them."""
    pictures, coming = Pictures(seed), list(enumerate(walks(seed, frames, tracks, rounds)))
    here: list[tuple[int, Walk]] = []
    for number in range(frames):
        here = [(track_id, walk) for track_id, walk in here if number < walk.first + walk.frames]
        while coming and coming[0][1].first <= number:
            here.append(coming.pop(0))
        boxes = np.array([walk.box_xywh(number) for _, walk in here]).reshape(-1, 4)
        ids = np.array([track_id for track_id, _ in here], dtype=np.int64)
        image = pictures.frame(number, boxes, [walk.look for _, walk in here])
        yield image, People(boxes, np.ones(len(here)), ids)


@dataclass
class Measured:
    """One value a frame.

    Fields:
        cpu_s, wall_s: Of the call of ``step``.
        crops: Encoded in it.
        people: In the frame.
        held: Tracks that the stream holds after it.
        in_window: Different people in the last frames that a clip spans.
        resident: Bytes of this process after it.
        in_use: Bytes that it has asked the C library for.
    """

    cpu_s: NDArray[np.float64]
    wall_s: NDArray[np.float64]
    crops: NDArray[np.int64]
    people: NDArray[np.int64]
    held: NDArray[np.int64]
    in_window: NDArray[np.int64]
    resident: NDArray[np.int64]
    in_use: NDArray[np.int64]


def measure(model: PoseModel, frames: int, tracks: int, seed: int = 0) -> Measured:
    """Run the stream. The arrays are as large in the beginning as in the end."""
    stream, clip_frames = PoseStream(model), model.config.clip_frames
    found = Measured(np.ones(frames), np.ones(frames), *(np.ones(frames, dtype=np.int64) for _ in range(6)))
    recent: list[list[int]] = []
    for number, (image, people) in enumerate(video(seed, frames, tracks)):
        before = stream.stats.encoded_crops
        wall, cpu = time.perf_counter(), time.thread_time()
        poses = stream.step(image, people)
        found.cpu_s[number], found.wall_s[number] = time.thread_time() - cpu, time.perf_counter() - wall
        assert np.isfinite(poses.keypoints_px).all()
        recent = [*recent, people.track_ids.tolist()][-clip_frames:]
        found.crops[number] = stream.stats.encoded_crops - before
        found.people[number] = len(people.track_ids)
        found.held[number] = len(stream.regions)
        found.in_window[number] = len(set().union(*recent))
        found.resident[number], found.in_use[number] = resident_bytes(), in_use_bytes()
    return found


def resident_bytes() -> int:
    """What this process holds in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Mallinfo2(ctypes.Structure):
    """glibc's: ten sizes, of which two are looked at."""

    _fields_ = (
        ("before", ctypes.c_size_t * 4),
        ("hblkhd", ctypes.c_size_t),
        ("between", ctypes.c_size_t * 2),
        ("uordblks", ctypes.c_size_t),
        ("after", ctypes.c_size_t * 2),
    )


def in_use_bytes() -> int:
    """What this process has asked glibc for and not given back, large blocks included."""
    mallinfo2 = ctypes.CDLL("libc.so.6").mallinfo2
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)


def figures(found: Measured) -> dict[str, Any]:
    """What ``--json`` writes."""
    tenths, in_use = (
        np.array([part.mean() for part in np.array_split(values, 10)]) / 2**20
        for values in (found.resident, found.in_use)
    )
    busy = found.crops > 0
    crops = found.crops[busy]
    a_crop = {"cpu": found.cpu_s[busy] / crops, "wall": found.wall_s[busy] / crops}
    times = {clock: percentiles(seconds) for clock, seconds in a_crop.items()}
    growth = float(tenths[9] / tenths[1] - 1)
    ratio = {clock: one["p99"] / one["p50"] for clock, one in times.items()}
    each_crop = percentiles(np.repeat(a_crop["cpu"], crops))
    return {
        "frames": len(found.crops),
        "person_frames": int(found.people.sum()),
        "encoded_crops": int(found.crops.sum()),
        "most_people": int(found.people.max()),
        "most_tracks_held": int(found.held.max()),
        "tracks_held_in_the_end": int(found.held[-1]),
        "frames_with_tracks_of_nobody": int((found.held > found.in_window).sum()),
        "resident_mib_of_tenths": tenths.round(2).tolist(),
        "in_use_mib_of_tenths": in_use.round(2).tolist(),
        "growth": growth,
        "ms_per_crop": times,
        "p99_over_p50": ratio | {"cpu, every crop counted": each_crop["p99"] / each_crop["p50"]},
        "cpu_ms_per_crop_by_crops": {
            str(count): percentiles(a_crop["cpu"][crops == count]) | {"calls": int((crops == count).sum())}
            for count in np.unique(crops).tolist()
        },
        "frames_per_cpu_second": len(found.crops) / float(found.cpu_s.sum()),
        "verdicts": {
            "memory": verdict(growth <= MEMORY_TARGET),
            "tracks": verdict(bool((found.held <= found.in_window).all()) and found.held[-1] == 0),
            "time (processor)": verdict(ratio["cpu"] <= TIME_TARGET),
            "time (clock)": verdict(ratio["wall"] <= TIME_TARGET),
        },
    }


def percentiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    """Milliseconds."""
    p50, p99 = (1000 * np.percentile(seconds, [50, 99])).tolist()
    return {"p50": p50, "p99": p99}


def verdict(good: bool) -> str:
    return "pass" if good else "FAIL"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=15_000)
    parser.add_argument("--tracks", type=int, default=500)
    parser.add_argument("--model", help="a run; without it ncstr-tiny with random weights")
    parser.add_argument("--seed", type=int, default=0, help="of the people and of random weights")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    least = ROUNDS * (LONGEST + TAIL + 1)
    if args.frames < least:
        parser.error(f"--frames {args.frames}: too few for {ROUNDS} rounds longer than a track; give {least} or more")
    torch.manual_seed(args.seed)
    model = load(args.model) if args.model else build_model("ncstr-tiny", "coco17")
    result = figures(measure(model, args.frames, args.tracks, args.seed)) | {"tracks": args.tracks}
    for name, value in result.items():
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    main()
