"""OKS average precision and recall, as COCO computes them; faster-coco-eval does the counting.

Letters: J joints of the skeleton.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posegraph.data.tracks import PersonTrack, TrackSet
from posegraph.errors import PoseGraphError
from posegraph.metrics.people import People, video_pairs
from posegraph.metrics.table import mean_of_known
from posegraph.skeleton import Skeleton

CATEGORY = 1
LAST = -9999.0
"""Score of a prediction that has none."""
FAR_AWAY_PX = -1e6
"""Where a joint is put that a prediction does not have: similar to nothing."""
NO_AREA = "person without an area (ignored, as COCO's crowds are)"
NAMES = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")


@dataclass(frozen=True)
class OKS:
    """Fractions, as COCO's own tool prints them; NaN where no person of that size is annotated.

    Fields:
        values: ``AP`` and ``AR`` over OKS 0.5, 0.55 .. 0.95, at 0.5 (``AP50``) and at 0.75, and of people of medium
            area (``AP_M``, 32^2 to 96^2 px) and of large area.
        people: Annotated people that count.
        skipped: What was ignored, reason -> count.
        no_ground_truth: Joints that are annotated nowhere.
    """

    values: dict[str, float]
    people: int
    skipped: Counter[str] = field(default_factory=Counter)
    no_ground_truth: tuple[str, ...] = ()


def oks(ground_truth: TrackSet, predictions: TrackSet) -> OKS:
    """OKS AP and AR over the labelled frames of all videos, every joint of the skeleton included.

    The similarity of a prediction and a person is the mean, over the person's annotated joints, of
    exp(-d^2 / (2 area (2 sigma)^2)). The area is the annotation's ``area`` (COCO's segment), else that of its box:
    PoseTrack's files have no segments. ``iscrowd`` people and people without a joint are ignored, as in COCO. A
    prediction is ranked by its ``score``, else by the mean of its joints' scores, else last; a joint that it does
    not have is similar to nothing. At most 20 predictions an image count.

    Read both files with ``keep_empty=True``, as COCO lets people without joints take a prediction each.

    Raises:
        PoseGraphError: the skeleton has no sigmas, nobody is annotated, or the predictions lack a video or a frame.
    """
    skeleton = ground_truth.skeleton
    sigmas = oks_sigmas(skeleton, skeleton.joints)
    skipped: Counter[str] = Counter()
    first_image = dict(zip((v.name for v in ground_truth.videos), _starts(ground_truth), strict=True))
    images = [
        {"id": first_image[video.name] + frame}
        for video in ground_truth.videos
        for frame in np.flatnonzero(video.labeled).tolist()
    ]
    labeled = {image["id"] for image in images}
    people = [
        person
        for track in ground_truth
        for person in _annotations(track, first_image[track.video.name], skipped)
        if person["image_id"] in labeled
    ]
    found = [
        result
        for pair in video_pairs(ground_truth, predictions)
        for result in _results(pair.predicted, first_image[pair.video.name])
        if result["image_id"] in labeled
    ]
    for number, person in enumerate(people, start=1):
        person["id"] = number
    annotated = np.zeros(skeleton.num_joints, dtype=np.bool_)
    for track in ground_truth:
        annotated |= track.annotated.any(axis=0)
    unknown = tuple(joint for joint, given in zip(skeleton.joints, annotated, strict=True) if not given)
    category = {"id": CATEGORY, "name": "person", "keypoints": list(skeleton.joints)}
    truth = {"images": images, "annotations": people, "categories": [category]}
    return average_precision(truth, found, sigmas, skipped, unknown)


def average_precision(
    ground_truth: dict[str, Any],
    results: list[dict[str, Any]],
    sigmas: list[float],
    skipped: Counter[str] | None = None,
    no_ground_truth: tuple[str, ...] = (),
) -> OKS:
    """OKS AP and AR of a COCO data set and a COCO result list, both checked already; both are changed in place."""
    from faster_coco_eval import COCO, COCOeval_faster  # not every score needs it

    truth = COCO(ground_truth)
    evaluator = COCOeval_faster(truth, truth.loadRes(results), iouType="keypoints", kpt_oks_sigmas=sigmas)
    evaluator.run()
    values = [float(value) if value >= 0 else float("nan") for value in evaluator.stats]
    people = sum(not person["ignore"] for person in ground_truth["annotations"])
    return OKS(dict(zip(NAMES, values, strict=True)), people, skipped or Counter(), no_ground_truth)


def oks_sigmas(skeleton: Skeleton, joints: Sequence[str]) -> list[float]:
    """The sigmas of ``joints``, in their order.

    Raises:
        PoseGraphError: the skeleton has no sigma for one of them.
    """
    missing = [joint for joint in joints if joint not in skeleton.oks_sigmas]
    if missing:
        raise PoseGraphError(
            f"skeleton {skeleton.name!r}: found no OKS sigma for {', '.join(missing)}, expected one for every joint; "
            "add oks_sigmas to the skeleton's YAML file (COCO's are 0.025 for an eye to 0.107 for a hip), or use PCK"
        )
    return [skeleton.oks_sigmas[joint] for joint in joints]


def _starts(tracks: TrackSet) -> list[int]:
    """Image id of every video's first frame: the files' own ids may occur in several videos."""
    counts = [video.num_frames for video in tracks.videos]
    return [1 + sum(counts[:place]) for place in range(len(counts))]


def _annotations(track: PersonTrack, first_image: int, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in range(len(track)):
        extra = track.extra[row] if track.extra else {}
        given = track.annotated[row]
        box = np.nan_to_num(track.boxes_xywh[row])
        area = extra.get("area")
        if not isinstance(area, (int, float)) or not np.isfinite(area):
            area = box[2] * box[3]
        if given.any() and not area > 0:
            skipped[NO_AREA] += 1
            given = np.zeros_like(given)
        keypoints = np.column_stack([track.keypoints_px[row], 2 * given])
        yield {
            "image_id": first_image + int(track.frame[row]),
            "category_id": CATEGORY,
            "keypoints": keypoints.ravel().tolist(),
            "num_keypoints": int(given.sum()),
            "iscrowd": int(bool(extra.get("iscrowd", 0))),
            "area": float(area),
            "bbox": box.tolist(),
        }


def _results(people: People, first_image: int) -> Iterator[dict[str, Any]]:
    for row in range(len(people)):
        given = people.given[row]
        points_px = people.points_px[row, given]
        if not len(points_px):
            continue
        low, size = points_px.min(axis=0), np.ptp(points_px, axis=0)
        keypoints = np.where(given[:, None], people.points_px[row], FAR_AWAY_PX)
        yield {
            "image_id": first_image + int(people.frame[row]),
            "category_id": CATEGORY,
            "keypoints": np.column_stack([keypoints, given]).ravel().tolist(),
            "bbox": [*low.tolist(), *size.tolist()],  # the extent of the joints: COCO's area of a result
            "score": _score(people, row),
        }


def _score(people: People, row: int) -> float:
    score = float(people.scores[row])
    if np.isnan(score):
        score = mean_of_known(people.joint_scores[row, people.given[row]].tolist())
    return LAST if np.isnan(score) else score
