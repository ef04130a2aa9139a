"""Writing the PoseTrack18 and COCO keypoint layouts; poseval reads the one, pycocotools the other.

Letters: M people, K joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats import coco
from posegraph.data.formats.coco_images import IMAGE_FIELDS, image_fields
from posegraph.data.formats.coco_people import PERSON_FIELDS
from posegraph.data.formats.coco_points import scores_of, xyv_of
from posegraph.data.formats.entries import carried, give_back, plain_numbers
from posegraph.data.formats.sequences import FRAME_FIELDS
from posegraph.data.formats.written_rows import WrittenRows, rows_of_file
from posegraph.data.tracks import ABSENT, NO_FIELDS, PersonTrack, SourceFile, Video, movie_frame
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

LAYOUTS = ("posetrack18", "posetrack21", "coco")
"""The layouts that share these fields."""

PERSON_CATEGORY = 1
_TOP_FIELDS = frozenset({"images", "annotations", "categories"})


def content_of(
    videos: Sequence[Video],
    tracks: dict[Video, list[PersonTrack]],
    skeleton: Skeleton,
    source: SourceFile | None,
    layout: str,
    lost: Counter[str],
) -> dict[str, Any]:
    """The content of one file with ``videos``, as JSON values.

    Args:
        videos: Videos of the file.
        tracks: People of each video.
        skeleton: Of the tracks.
        source: The file that they were read from, if they were: what else it holds is written again.
        layout: ``posetrack18`` or ``coco``.
        lost: What the layout cannot hold is counted here.
    """
    related = source is not None and source.layout in LAYOUTS
    images = _images(videos, layout, related, lost)
    rows = rows_of_file(videos, tracks, skeleton, as_listed=related)
    annotations = _people(rows, videos, skeleton, layout, lost)
    content: dict[str, Any] = {"images": images, "annotations": annotations}
    if source is None:
        return content | {"categories": [_category(skeleton, annotations)]}
    if related and source.others:
        placed = [*zip(rows.file_row.tolist(), annotations, strict=True), *source.others]
        content["annotations"] = [entry for _, entry in sorted(placed, key=lambda pair: pair[0])]
    categories = _categories(source, skeleton)
    if categories is not ABSENT or not same_layout(source.layout, layout):
        content["categories"] = [_category(skeleton, annotations)] if categories is ABSENT else categories
    return carried(source.extra, _TOP_FIELDS, "the file", lost) | content


def same_layout(one: str, other: str) -> bool:
    """Whether a file of one layout is one of the other: PoseTrack21 is PoseTrack18 with more fields."""
    return one.replace("posetrack21", "posetrack18") == other.replace("posetrack21", "posetrack18")


def _images(videos: Sequence[Video], layout: str, as_listed: bool, lost: Counter[str]) -> list[dict[str, Any]]:
    placed = []
    for number, video in enumerate(videos):
        for frame in range(video.num_frames):
            row = frame if video.file_row is None or not as_listed else int(video.file_row[frame])
            placed.append((row if as_listed else (number, frame), _image(video, frame, layout, lost)))
    return [image for _, image in sorted(placed, key=lambda pair: pair[0])]


def _image(video: Video, frame: int, layout: str, lost: Counter[str]) -> dict[str, Any]:
    extra = video.extra[frame] if video.extra else NO_FIELDS
    same = same_layout(video.layout, layout)
    file, image_id = video.frame_files[frame], int(video.image_ids[frame])
    labeled = bool(video.labeled[frame])
    written = image_fields(file, image_id, video.image_hw[frame].tolist(), labeled, video.ignore_regions[frame])
    image = carried(extra, IMAGE_FIELDS, "an image", lost) | written
    if video.verbatim and video.layout in LAYOUTS:
        image = give_back(image, video.verbatim[frame], same)
    movie = movie_frame(file)
    if movie is not None and not image.keys() & set(FRAME_FIELDS):
        image["frame_idx"] = movie[1]
    if layout == "posetrack18" and video.layout and not same:
        image = {"vid_id": video.name, "frame_id": image_id, "nframes": video.num_frames} | image
    if layout == "coco" and not same and labeled:
        image.pop("is_labeled", None)
    return image


def _people(
    rows: WrittenRows, videos: Sequence[Video], skeleton: Skeleton, layout: str, lost: Counter[str]
) -> list[dict[str, Any]]:
    image_ids = [int(videos[video].image_ids[frame]) for video, frame in zip(rows.video, rows.frame, strict=True)]
    people = _plain_people(rows, image_ids, lost)
    complete = [not same_layout(videos[video].layout, layout) for video in rows.video]
    if any(rows.verbatim) and videos[0].layout in LAYOUTS:
        restored = [give_back(entry, rows.verbatim[row], not complete[row]) for row, entry in enumerate(people)]
        true = _read_back(rows, restored, image_ids, skeleton, videos[0])
        people = [restored[row] if true[row] else entry for row, entry in enumerate(people)]
    for row, entry in enumerate(people):
        if complete[row] and layout == "coco":
            width, height = entry.get("bbox", [0, 0, 0, 0])[2:]
            count = int(rows.annotated[row].sum())
            people[row] = {"iscrowd": 0, "area": width * height, "num_keypoints": count} | entry
    _number(people, image_ids, [complete[row] or "id" not in rows.verbatim[row] for row in range(len(rows))])
    for row, entry in enumerate(people):
        if complete[row] or "category_id" not in rows.verbatim[row]:
            entry.setdefault("category_id", PERSON_CATEGORY)
    return people


def _plain_people(rows: WrittenRows, image_ids: list[int], lost: Counter[str]) -> list[dict[str, Any]]:
    """The people as the arrays have them."""
    keypoints = (
        xyv_of(rows.keypoints_px, rows.annotated, rows.visibility)
        .reshape(len(rows), 3 * rows.annotated.shape[1])
        .tolist()
    )
    joint_scores = scores_of(rows.keypoint_scores, rows.annotated)
    people = []
    for row, image_id in enumerate(image_ids):
        entry = carried(rows.extra[row], PERSON_FIELDS, "an annotation", lost)
        entry |= {"image_id": image_id, "track_id": int(rows.track_id[row])}
        entry["keypoints"] = plain_numbers(keypoints[row])
        if np.isfinite(joint_scores[row]).any():
            entry["scores"] = plain_numbers(joint_scores[row].tolist())
        if np.isfinite(rows.scores[row]):
            entry["score"] = float(rows.scores[row])
        for key, boxes_xywh in (("bbox", rows.boxes_xywh), ("bbox_head", rows.head_boxes_xywh)):
            if np.isfinite(boxes_xywh[row]).all():
                entry[key] = plain_numbers(boxes_xywh[row].tolist())
        people.append(entry)
    return people


def _read_back(
    rows: WrittenRows, people: list[dict[str, Any]], image_ids: list[int], skeleton: Skeleton, video: Video
) -> NDArray[np.bool_]:
    """``[M]`` whether reading the entries gives what the tracks hold, which may have changed since they were read."""
    images = [{"id": image_id, "file_name": str(image_id)} for image_id in dict.fromkeys(image_ids)]
    content = {"images": images, "annotations": people}
    try:
        parsed = coco.parse(video.source, content, video.layout, skeleton, Counter())
    except PoseGraphError:  # they do not even go with the skeleton of the tracks
        return np.zeros(len(rows), dtype=np.bool_)
    return rows.read_back(parsed.people)


def _number(people: list[dict[str, Any]], image_ids: list[int], wanted: list[bool]) -> None:
    """Give people without an ``id`` one as PoseTrack18 does: 0..99 within image_id * 100."""
    taken = {entry["id"] for entry in people if isinstance(entry.get("id"), int)}
    count: Counter[int] = Counter()
    for entry, image_id, want in zip(people, image_ids, wanted, strict=True):
        if "id" in entry or not want:
            continue
        while image_id * 100 + count[image_id] in taken:
            count[image_id] += 1
        entry["id"] = image_id * 100 + count[image_id]
        taken.add(entry["id"])


def _category(skeleton: Skeleton, people: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "supercategory": "person",
        "id": people[0]["category_id"] if people and "category_id" in people[0] else PERSON_CATEGORY,
        "name": "person",
        **_joints(skeleton),
    }


def _joints(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "keypoints": list(skeleton.joints),
        "skeleton": [[first + 1, second + 1] for first, second in skeleton.bone_rows],
    }


def _categories(source: SourceFile, skeleton: Skeleton) -> Any:
    """The file's categories, with the joints of the tracks; ``ABSENT`` where it has none with joints."""
    if source.categories is ABSENT or source.joints == skeleton.joints:
        return source.categories
    categories = list(source.categories or ())
    for place, category in enumerate(categories):
        if category.get("keypoints"):
            categories[place] = category | _joints(skeleton)
            return categories
    return ABSENT
