"""A teacher's poses of a video as annotations to train on: checked, cleaned, in the layout of PoseTrack18.

python benchmarks/pseudo_labels.py VIDEO POSES OUT [--name NAME] [--split train] [--joint-score 0.3]
    [--pose-score 0.35] [--joints 8] [--jump 0.15] [--run 20] [--json FILE]

VIDEO: a movie. POSES: JSON lines, one a person and frame: `frame` (from 0), `id`, `keypoints` (x, y in pixels, score;
in the order that pseudo_labels.yaml names), `box_xywh`; teacher_poses.py makes such a file with MoveNet. An entry whose
`duplicate_of` is an id is left out: two people got one skeleton.

OUT gets annotations/SPLIT/NAME.json and images/SPLIT/NAME/000000.jpg, as `posegraph data synth` lays its files out:
both kinds of data can share a folder, which `data.train` then names.

Not annotated are joints scored below --joint-score, and joints that jump: further from the middle of their places one
frame before and after than --jump of the box's longer side. Left out are poses with a mean score below --pose-score or
fewer than --joints joints, and stretches of under --run frames between two moments at which left and right change
places: one of the two ways is wrong, and a short one is the likelier. The box holds the teacher's box and all joints
that are annotated. Pseudo-labels are not the truth: do not score a model on them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pseudo_poses import RULES, Floats, Limits, Mask, Pose, read_poses, usable_joints

from posegraph.data.sources.opening import open_frames
from posegraph.errors import PoseGraphError
from posegraph.files import replacing, write_json
from posegraph.skeleton import Skeleton

QUALITY = 95
MOST_PEOPLE = 1000
"""In one frame: room in the ids."""


def with_derived(points: Floats, annotated: Mask) -> tuple[Floats, Mask]:
    """The joints ``[K, 2]`` and those that follow from them: ``[K + D, 2]`` and ``[K + D]``."""
    derived = [_derived(lines, points, annotated) for lines in RULES["derived"].values()]
    places = [np.zeros(2) if place is None else place for place in derived]
    return np.array([*points, *places]), np.array([*annotated, *(place is not None for place in derived)])


def _derived(lines: list[dict[str, Any]], points: Floats, annotated: Mask) -> Floats | None:
    """The place ``[2]`` on the first line whose joints are there; None without one, or where it is too short."""
    index, shortest = Skeleton.load(RULES["skeleton"]).index, RULES["shortest"]
    for line in lines:
        rows = [[index[joint] for joint in joints] for joints in (line["from"], line["through"], shortest["of"])]
        if all(annotated[own].all() for own in rows):
            start, through, other = (points[own].mean(axis=0) for own in rows)
            if np.linalg.norm(through - start) < shortest["share"] * np.linalg.norm(other - start):
                return None
            place: Floats = start + line["at"] * (through - start)
            return place
    return None


def category() -> dict[str, Any]:
    """The category of the annotations: the teacher's joints, and the derived ones after them."""
    skeleton = Skeleton.load(RULES["skeleton"])
    names = [*skeleton.joints, *RULES["derived"]]
    bones = [*skeleton.bones, *RULES["derived_bones"]]
    rows = [[names.index(joint) + 1 for joint in bone] for bone in bones]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": rows}


def person(pose: Pose, annotated: Mask, image_hw: tuple[int, int]) -> dict[str, Any]:
    """An entry of ``annotations``; joints outside the image are not annotated, and the box ends at its border."""
    height, width = image_hw
    points, there = with_derived(pose.points[:, :2], annotated)
    there = there & (points >= 0).all(axis=1) & (points <= [width - 1, height - 1]).all(axis=1)
    low = np.minimum(pose.box_xywh[:2], points[there].min(axis=0, initial=np.inf))
    high = np.maximum(pose.box_xywh[:2] + pose.box_xywh[2:], points[there].max(axis=0, initial=-np.inf))
    low, high = np.maximum(low, 0), np.minimum(high, [width, height])
    keypoints = [
        value for (x, y), v in zip(points.tolist(), there.tolist(), strict=True) for value in (
            (round(x, 2), round(y, 2), 1) if v else (0.0, 0.0, 0)
        )
    ]  # fmt: skip
    return {
        "id": pose.frame * MOST_PEOPLE + pose.track % MOST_PEOPLE,
        "image_id": pose.frame,
        "track_id": pose.track,
        "category_id": 1,
        "keypoints": keypoints,
        "bbox": [round(value, 2) for value in (*low.tolist(), *(high - low).tolist())],
        "scores": [],
    }


def write_set(video: Path, poses_file: Path, out: Path, name: str, split: str, limits: Limits) -> dict[str, Any]:
    """Write images and annotations; the counts of what was written and what was left out."""
    skipped: Counter[str] = Counter()
    poses = read_poses(poses_file, skipped)
    kept = usable_joints(poses, limits, skipped)
    of_frame: dict[int, list[Pose]] = defaultdict(list)
    for pose in poses:
        if (pose.frame, pose.track) in kept:
            of_frame[pose.frame].append(pose)
    folder = f"images/{split}/{name}"
    images, people, size = [], [], (0, 0)
    with open_frames(video) as source:
        for frame in source:
            size = frame.image.shape[:2]
            file = f"{folder}/{frame.number:06d}.jpg"
            with replacing(out / file) as temporary:
                temporary.write_bytes(
                    cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
                )
            people += [person(pose, kept[frame.number, pose.track], size) for pose in of_frame.pop(frame.number, [])]
            images.append({
                "id": frame.number, "frame_id": frame.number, "vid_id": name, "file_name": file, "is_labeled": True,
                "width": size[1], "height": size[0],
            })  # fmt: skip
        problems = source.problems
    if of_frame:
        raise PoseGraphError(
            f"{poses_file}: has people in frame {min(of_frame)}, which {video} has not ({len(images)} frames); give "
            "the poses of this video"
        )
    for image in images:
        image["nframes"] = len(images)
    target = out / f"annotations/{split}/{name}.json"
    # Last, so that a set with annotations is a whole one.
    write_json(target, {"images": images, "annotations": people, "categories": [category()]})
    return {
        "annotations": str(target),
        "frames": len(images),
        "poses": len(people),
        "people": len({one["track_id"] for one in people}),
        "joints": sum(sum(v > 0 for v in one["keypoints"][2::3]) for one in people),
        "left_out": dict(skipped),
        "problems": problems,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("poses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", help="of the sequence; by default the video's")
    parser.add_argument("--split", default="train")
    parser.add_argument("--joint-score", type=float, default=Limits.joint_score)
    parser.add_argument("--pose-score", type=float, default=Limits.pose_score)
    parser.add_argument("--joints", type=int, default=Limits.joints)
    parser.add_argument("--jump", type=float, default=Limits.jump)
    parser.add_argument("--run", type=int, default=Limits.run)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    limits = Limits(given.joint_score, given.pose_score, given.joints, given.jump, given.run)
    name = given.name or given.video.stem
    try:
        result = write_set(given.video, given.poses, given.out, name, given.split, limits)
    except PoseGraphError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(result, indent=1))
    if given.json is not None:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
