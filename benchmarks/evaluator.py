"""How fast predictions are read and scored: seconds and memory, on one core.

python benchmarks/evaluator.py [--data FOLDER] [--frames 100000] [--files 200] [--json FILE]

--data is a folder with eval_vectors/a_jitter_pt17 (default: $POSEGRAPH_TEST_DATA); without one that case is left out.
The large set is generated in a temporary folder: three people in every frame who walk at random, and predictions that
tremble, miss people and joints and change their track ids. Every figure is taken in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from posegraph.skeleton import Skeleton

PEOPLE = 3
REPEATS = 7
SMALL_TARGET_S, LARGE_TARGET_S, LARGE_TARGET_GIB = 0.25, 60.0, 2.0


# --- the large set -------------------------------------------------------------------------------------------------


def generate(folder: Path, num_frames: int, num_files: int) -> None:
    """Write ground truth and predictions of the PoseTrack18 layout to ``folder/gt`` and ``folder/pred``."""
    for side in ("gt", "pred"):
        (folder / side).mkdir()
    rng = random.Random(0)
    skeleton = Skeleton.load("posetrack17")
    categories = [{"id": 1, "name": "person", "keypoints": list(skeleton.joints)}]
    for number in range(num_files):
        frames = num_frames // num_files + (number < num_frames % num_files)
        truth, found = sequence(rng, skeleton, number, frames)
        for side, (images, people) in (("gt", truth), ("pred", found)):
            content = {"images": images, "annotations": people, "categories": categories}
            (folder / side / f"{number:06d}_mpii_test.json").write_text(json.dumps(content), encoding="utf-8")


def sequence(rng: random.Random, skeleton: Skeleton, number: int, frames: int) -> tuple[Any, Any]:
    """Images and people of both sides of one video."""
    J, scored = skeleton.num_joints, set(skeleton.scored_rows.values())  # joints that are not scored are not annotated
    images, named, people, found = [], [], [], []
    centres = [[rng.uniform(200, 1000), rng.uniform(200, 500)] for _ in range(PEOPLE)]
    shapes = [[(rng.gauss(0, 40), rng.gauss(0, 90)) for _ in range(J)] for _ in range(PEOPLE)]
    tracks = list(range(PEOPLE))
    for frame in range(frames):
        image_id = 10_000_000_000 + number * 10_000 + frame
        name = f"images/val/{number:06d}_mpii_test/{frame:06d}.jpg"
        images.append({"id": image_id, "file_name": name, "vid_id": f"{number:06d}", "frame_id": image_id,
                       "nframes": frames, "is_labeled": True, "width": 1280, "height": 720})  # fmt: skip
        named.append({"id": image_id, "file_name": name})
        for person in range(PEOPLE):
            centres[person] = [value + rng.gauss(0, 4) for value in centres[person]]
            x, y = centres[person]
            points = [(x + dx + rng.gauss(0, 1), y + dy + rng.gauss(0, 1)) for dx, dy in shapes[person]]
            people.append(annotated(image_id, person, points, scored))
            if rng.random() < 0.02:
                tracks[person] = max(tracks) + 1
            if rng.random() < 0.95:
                found.append(predicted(rng, image_id, tracks[person], points, scored))
    return (images, people), (named, found)


def annotated(image_id: int, track_id: int, points: list[tuple[float, float]], scored: set[int]) -> dict[str, Any]:
    """A person of the ground truth."""
    keypoints = [[round(x, 3), round(y, 3), 1] if row in scored else [0, 0, 0] for row, (x, y) in enumerate(points)]
    x, y = points[0]
    low_x, low_y = (min(point[axis] for point in points) for axis in (0, 1))
    high_x, high_y = (max(point[axis] for point in points) for axis in (0, 1))
    return {
        "image_id": image_id, "id": image_id * 100 + track_id, "track_id": track_id, "category_id": 1, "scores": [],
        "keypoints": [value for point in keypoints for value in point],
        "bbox": [round(value, 2) for value in (low_x, low_y, high_x - low_x, high_y - low_y)],
        "bbox_head": [round(x - 25, 2), round(y, 2), 50.0, 60.0],
    }  # fmt: skip


def predicted(
    rng: random.Random, image_id: int, track_id: int, points: list[tuple[float, float]], scored: set[int]
) -> dict[str, Any]:
    """A prediction of that person."""
    keypoints: list[float] = []
    scores = []
    for row, (x, y) in enumerate(points):
        given = row in scored and rng.random() < 0.95
        keypoints += [round(x + rng.gauss(0, 15), 3), round(y + rng.gauss(0, 15), 3), 1] if given else [0, 0, 0]
        scores.append(round(rng.random(), 6) if given else 0.0)
    return {"image_id": image_id, "id": image_id * 100 + track_id, "track_id": track_id, "category_id": 1,
            "keypoints": keypoints, "scores": scores, "score": round(rng.random(), 4)}  # fmt: skip


# --- what the processes measure ------------------------------------------------------------------------------------


def parse(folder: Path) -> dict[str, float]:
    """Seconds to parse every file as JSON, one after another."""
    from posegraph.files import read_json

    start = time.perf_counter()
    for path in sorted(folder.rglob("*.json")):
        read_json(path)
    return {"parse_s": time.perf_counter() - start}


def scores(folder: Path) -> dict[str, float]:
    """Seconds to load both sides and to score them, and the memory at its peak."""
    from posegraph.data import read_tracks
    from posegraph.metrics import mota, posetrack_ap

    start, cpu = time.perf_counter(), time.process_time()
    truth = read_tracks(folder / "gt", keep_empty=True)
    found = read_tracks(folder / "pred", truth.skeleton, keep_empty=True)
    loaded = time.perf_counter()
    loaded_gib = peak_gib()
    ap = posetrack_ap(truth, found)
    scored, cpu = time.perf_counter(), time.process_time() - cpu
    scored_gib = peak_gib()
    tracking = mota(truth, found)
    end = time.perf_counter()
    return {
        "load_s": loaded - start,
        "ap_s": scored - loaded,
        "load_and_ap_s": scored - start,
        "load_and_ap_cpu_s": cpu,
        "mota_s": end - scored,
        "peak_gib_load": loaded_gib,
        "peak_gib_ap": scored_gib,
        "peak_gib_mota": peak_gib(),
        "frames": float(sum(video.num_frames for video in truth.videos)),
        "ap": ap.ap["total"],
        "mota": tracking.mota["total"],
    }


def peak_gib() -> float:
    """Most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


MEASUREMENTS = {"parse": parse, "scores": scores}


def measure_here(name: str, folder: Path, repeats: int) -> None:
    """Print the figures of every repeat as JSON; of several, the first (of a cold process) is thrown away."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = [MEASUREMENTS[name](folder) for _ in range(repeats)]
    print(json.dumps(found[1:] or found))


def measure(name: str, folder: Path, repeats: int = 1) -> dict[str, float]:
    """Median figures of a fresh process on one core."""
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder), "--repeats", str(repeats)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    rows = json.loads(done.stdout)
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def poseval_seconds(folder: Path) -> float | None:
    """Wall-clock seconds of poseval's AP on the same files, start of the process included; None: not installed."""
    if importlib.util.find_spec("poseval") is None:
        return None
    with tempfile.TemporaryDirectory() as out:
        sides = ["-g", f"{folder / 'gt'}/", "-p", f"{folder / 'pred'}/"]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "poseval.evaluate", *sides, "-e", "-o", out], check=True,
                       capture_output=True)  # fmt: skip
        return time.perf_counter() - start


# --- the report ----------------------------------------------------------------------------------------------------


def verdict(figure: float, target: float, unit: str) -> str:
    """``0.21 s of 0.25 s: pass``."""
    return f"{figure:.3g} {unit} of at most {target:g} {unit}: {'pass' if figure <= target else 'FAIL'}"


def small_case(data: str | None) -> dict[str, Any]:
    """Case a of the test vectors: 274 frames."""
    folder = None if data is None else Path(data) / "eval_vectors/a_jitter_pt17"
    if folder is None or not folder.is_dir():
        reason = "left out: give --data or POSEGRAPH_TEST_DATA, a folder with eval_vectors/a_jitter_pt17"
        return {"skipped": reason}
    found: dict[str, Any] = measure("parse", folder, REPEATS) | measure("scores", folder, REPEATS)
    found["poseval_s"] = poseval_seconds(folder)
    found["verdict"] = verdict(found["load_and_ap_s"], SMALL_TARGET_S, "s")
    return found


def large_case(num_frames: int, num_files: int) -> dict[str, Any]:
    """The generated set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, num_frames, num_files)
        size = sum(path.stat().st_size for path in folder.rglob("*.json"))
        found: dict[str, Any] = {"files_gib": size / 2**30} | measure("parse", folder) | measure("scores", folder)
    found["verdict"] = (
        verdict(found["load_and_ap_s"], LARGE_TARGET_S, "s")
        + "; "
        + verdict(found["peak_gib_ap"], LARGE_TARGET_GIB, "GiB")
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("POSEGRAPH_TEST_DATA"))
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--measure", choices=list(MEASUREMENTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure_here(args.measure, args.folder, args.repeats)
    result = {"case a": small_case(args.data), f"{args.frames} frames": large_case(args.frames, args.files)}
    for case, figures in result.items():
        print(case)
        for name, value in figures.items():
            shown = "not installed: not compared" if value is None else value
            print(f"  {name:18} {shown:.4f}" if isinstance(shown, float) else f"  {name:18} {shown}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
