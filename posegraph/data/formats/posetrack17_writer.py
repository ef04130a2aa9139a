"""Writing the PoseTrack17 layout, which poseval reads.

Letters: M people, J joints of the tracks, K joints of the layout (posetrack15).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats import posetrack17
from posegraph.data.formats.entries import carried, give_back, plain_numbers
from posegraph.data.formats.joints import matching_rows, taken
from posegraph.data.formats.posetrack17 import FRAME_FIELDS, frame_fields
from posegraph.data.formats.posetrack17_people import CORNERS, RECT_FIELDS, corners_of, read_people
from posegraph.data.formats.sequences import frame_number
from posegraph.data.formats.tables import extent_boxes
from posegraph.data.formats.written_rows import WrittenRows, rows_of_file
from posegraph.data.json_checks import Fault
from posegraph.data.tracks import NO_FIELDS, UNKNOWN, Fields, PersonTrack, SourceFile, Video
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

LAYOUT = "posetrack17"
_TOP_FIELDS = frozenset({"annolist"})


def content_of(
    video: Video,
    tracks: dict[Video, list[PersonTrack]],
    skeleton: Skeleton,
    source: SourceFile | None,
    lost: Counter[str],
) -> dict[str, Any]:
    """The content of the file of one video, as JSON values. What the layout cannot hold is counted in ``lost``.

    ``source`` is the file that the video was read from, if it was: what else it holds is written again.
    """
    rows = rows_of_file([video], tracks, skeleton, as_listed=False)
    if video.layout != LAYOUT:
        _count_lost(rows, video, skeleton, source, lost)
    rows = _official(rows, skeleton)
    in_frame: dict[int, list[dict[str, Any]]] = {}
    for frame, person in zip(rows.frame.tolist(), _people(rows, video, lost), strict=True):
        in_frame.setdefault(frame, []).append(person)
    listed = range(video.num_frames)
    if video.layout == LAYOUT and video.file_row is not None:
        listed = np.argsort(video.file_row).tolist()
    first = 1 - min((number for number in map(frame_number, video.frame_files) if number is not None), default=0)
    frames = [_frame(video, frame, in_frame.get(frame, []), first, lost) for frame in listed]
    extra = {} if source is None else carried(source.extra, _TOP_FIELDS, "the file", lost)
    return extra | {"annolist": frames}


def _frame(video: Video, frame: int, people: list[dict[str, Any]], first: int, lost: Counter[str]) -> dict[str, Any]:
    file = video.frame_files[frame]
    extra = carried(video.extra[frame] if video.extra else NO_FIELDS, FRAME_FIELDS, "an image", lost)
    written = frame_fields(file, bool(video.labeled[frame]), video.ignore_regions[frame]) | {"annorect": people}
    if video.layout != LAYOUT:
        number = frame_number(file)
        # Frames are counted from 1 here, whatever their names count from.
        return {"imgnum": [frame + 1 if number is None else number + max(first, 0)]} | extra | written
    verbatim = dict(video.verbatim[frame]) if video.verbatim else {}
    if people:
        verbatim.pop("annorect", None)
    return give_back(extra | written, verbatim, same_layout=True)


def _count_lost(
    rows: WrittenRows, video: Video, skeleton: Skeleton, source: SourceFile | None, lost: Counter[str]
) -> None:
    official = matching_rows(skeleton.joints, posetrack17.skeleton())
    counts = {
        f"position of {joint}, which the layout lacks": rows.annotated[:, row].sum()
        for row, joint in enumerate(skeleton.joints)
        if row not in official
    }
    own_box = rows.boxes_xywh != extent_boxes(rows.keypoints_px, rows.annotated)
    counts["box of a person"] = (np.isfinite(rows.boxes_xywh) & own_box).any(axis=1).sum()
    counts["size of an image"] = (video.image_hw > 0).any(axis=1).sum()
    counts["annotation of another category"] = np.int64(0 if source is None else len(source.others))
    lost.update({what: int(count) for what, count in counts.items() if count})


def _official(rows: WrittenRows, skeleton: Skeleton) -> WrittenRows:
    """The people with the layout's joints; a joint that the tracks lack is not annotated."""
    columns = matching_rows(skeleton.joints, posetrack17.skeleton())
    keypoints_px, annotated = taken(rows.keypoints_px, columns, 0), taken(rows.annotated, columns, False)
    return replace(
        rows,
        keypoints_px=keypoints_px,
        annotated=annotated,
        visibility=taken(rows.visibility, columns, UNKNOWN),
        keypoint_scores=taken(rows.keypoint_scores, columns, np.nan),
        boxes_xywh=extent_boxes(keypoints_px, annotated),  # what a reader of the layout takes
    )


def _people(rows: WrittenRows, video: Video, lost: Counter[str]) -> list[dict[str, Any]]:
    corners = corners_of(rows.head_boxes_xywh)
    people = [_person(rows, row, corners[row], lost) for row in range(len(rows))]
    if video.layout != LAYOUT or not any(rows.verbatim):
        return people
    restored = [_restored(person, rows.verbatim[row]) for row, person in enumerate(people)]
    true = _read_back(rows, restored, video)
    return [restored[row] if true[row] else person for row, person in enumerate(people)]


def _person(rows: WrittenRows, row: int, corners: NDArray[np.float64], lost: Counter[str]) -> dict[str, Any]:
    person = carried(rows.extra[row], RECT_FIELDS, "a person", lost)
    person |= {"track_id": [int(rows.track_id[row])]}
    points = [_point(rows, row, joint) for joint in np.flatnonzero(rows.annotated[row]).tolist()]
    person["annopoints"] = [{"point": points}] if points else []
    if np.isfinite(rows.scores[row]):
        person["score"] = [float(rows.scores[row])]
    if np.isfinite(corners).all():
        person |= {key: [value] for key, value in zip(CORNERS, plain_numbers(corners.tolist()), strict=True)}
    return person


def _point(rows: WrittenRows, row: int, joint: int) -> dict[str, Any]:
    x, y = plain_numbers(rows.keypoints_px[row, joint].tolist())
    point: dict[str, Any] = {"id": [joint], "x": [x], "y": [y]}
    if rows.visibility[row, joint] != UNKNOWN:
        point["is_visible"] = [int(rows.visibility[row, joint])]
    if np.isfinite(rows.keypoint_scores[row, joint]):
        point["score"] = [float(rows.keypoint_scores[row, joint])]
    return point


def _restored(person: dict[str, Any], verbatim: Fields) -> dict[str, Any]:
    order = verbatim.get("annopoints")
    if not isinstance(order, np.ndarray):
        return give_back(person, verbatim, same_layout=True)
    points = {point["id"][0]: point for holder in person["annopoints"] for point in holder["point"]}
    others = {key: value for key, value in verbatim.items() if key != "annopoints"}
    if points.keys() == set(order.tolist()):
        person = person | {"annopoints": [{"point": [points[joint] for joint in order.tolist()]}]}
    return give_back(person, others, same_layout=True)


def _read_back(rows: WrittenRows, people: list[dict[str, Any]], video: Video) -> NDArray[np.bool_]:
    """``[M]`` whether reading the entries gives what the tracks hold, which may have changed since they were read."""
    K, image = rows.annotated.shape[1], np.zeros(len(rows), dtype=np.int64)
    try:
        return rows.read_back(read_people(people, image, K, str, Fault(video.source), Counter()))
    except PoseGraphError:
        return np.zeros(len(rows), dtype=np.bool_)
