"""From the columns of one file to videos and the people followed through them.

Letters: I images, M people (one person in one image), F frames of a video.
"""

from __future__ import annotations

from collections import Counter
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.tables import ParsedFile, PeopleTable, all_finite
from posegraph.data.json_checks import LARGEST_ID, Found
from posegraph.data.tracks import PersonTrack, Video

BAD_BOX = "box of zero area or NaN"
NO_JOINT = "no annotated joint"


def assemble(
    parsed: ParsedFile, people: PeopleTable, keep_empty: bool, skipped: Counter[str]
) -> list[tuple[Video, list[PersonTrack]]]:
    """The file's videos in its own order, each with its tracks in order of first appearance.

    Args:
        parsed: The file.
        people: Its people in the rows of the skeleton wanted.
        keep_empty: Keep people without an annotated joint or without a box; else they are counted in ``skipped``.

    Raises:
        PoseGraphError: a track is twice in one image.
    """
    video_of_image = np.zeros(len(parsed.images.files), dtype=np.int64)
    frame_of_image = np.zeros_like(video_of_image)
    videos = []
    for number, (name, rows) in enumerate(parsed.sequences.items()):
        video_of_image[rows] = number
        frame_of_image[rows] = np.arange(len(rows))
        videos.append(_video(name, parsed, rows))
    frame = frame_of_image[people.image]
    rows_in_order = np.lexsort((people.file_row, frame, video_of_image[people.image]))
    track_id = people.track_id.copy()
    ends = np.searchsorted(video_of_image[people.image][rows_in_order], np.arange(len(videos) + 1))
    result = []
    for video, first, end in zip(videos, ends[:-1], ends[1:], strict=True):
        own = rows_in_order[first:end]
        _number_untracked(track_id, people.has_track, own)
        if not keep_empty:
            own = _useful(people, own, skipped)
        result.append((video, _tracks(parsed, people, video, own, track_id, frame)))
    return result


def _video(name: str, parsed: ParsedFile, rows: list[int]) -> Video:
    images = parsed.images
    verbatim = tuple(images.verbatim[row] for row in rows)
    extra = tuple(images.extra[row] for row in rows)
    return Video(
        name=name,
        source=parsed.source.path,
        frame_files=tuple(images.files[row] for row in rows),
        image_ids=images.ids[rows],
        image_hw=images.image_hw[rows].reshape(-1, 2),
        labeled=images.labeled[rows],
        ignore_regions=tuple(images.ignore_regions[row] for row in rows),
        extra=extra if any(extra) else (),
        layout=parsed.source.layout,
        file_row=np.array(rows, dtype=np.int64),
        verbatim=verbatim if any(verbatim) else (),
    )


def _number_untracked(track_id: NDArray[np.int64], has_track: NDArray[np.bool_], rows: NDArray[np.intp]) -> None:
    """Give people without a track id numbers of their own, above the ids of the video's tracks."""
    free = rows[~has_track[rows]]
    if not len(free):
        return
    taken = track_id[rows[has_track[rows]]]
    highest = int(taken.max(initial=-1))
    if highest < LARGEST_ID - len(free):
        track_id[free] = np.arange(highest + 1, highest + 1 + len(free))
    else:
        known = set(taken.tolist())
        track_id[free] = list(islice((number for number in count() if number not in known), len(free)))


def _useful(people: PeopleTable, rows: NDArray[np.intp], skipped: Counter[str]) -> NDArray[np.intp]:
    has_joint = np.asarray(people.annotated[rows].any(axis=1))
    has_box = all_finite(people.boxes_xywh[rows])
    for reason, number in ((NO_JOINT, (~has_joint).sum()), (BAD_BOX, (has_joint & ~has_box).sum())):
        if number:
            skipped[reason] += int(number)
    return rows[has_joint & has_box]


def _tracks(
    parsed: ParsedFile,
    people: PeopleTable,
    video: Video,
    rows: NDArray[np.intp],
    track_id: NDArray[np.int64],
    frame: NDArray[np.int64],
) -> list[PersonTrack]:
    """``rows`` are in order of frame, then file: the first of each track is its first appearance."""
    _, first, track = np.unique(track_id[rows], return_index=True, return_inverse=True)
    by_appearance = np.argsort(np.argsort(first))[track]
    order = np.argsort(by_appearance, kind="stable")
    rows = rows[order]
    twice = (np.diff(by_appearance[order]) == 0) & (np.diff(frame[rows]) == 0)
    if twice.any():
        _twice_in_an_image(parsed, rows, int(np.flatnonzero(twice)[0]), track_id)
    pieces = np.split(rows, np.flatnonzero(np.diff(by_appearance[order])) + 1) if len(rows) else []
    return [_track(people, video, piece, int(track_id[piece[0]]), frame) for piece in pieces]


def _twice_in_an_image(parsed: ParsedFile, rows: NDArray[np.intp], place: int, track_id: NDArray[np.int64]) -> None:
    one, other = int(rows[place]), int(rows[place + 1])
    parsed.fault(
        f"{parsed.person_field(other)}.track_id",
        Found(f"{track_id[other]}, which {parsed.person_field(one)} has in the same image"),
        "every person once in an image",
        "give each person an id of its own, or none",
    )


def _track(
    people: PeopleTable, video: Video, rows: NDArray[np.intp], track_id: int, frame: NDArray[np.int64]
) -> PersonTrack:
    extra = tuple(people.extra[row] for row in rows)
    verbatim = tuple(people.verbatim[row] for row in rows)
    return PersonTrack(
        video=video,
        track_id=track_id,
        frame=frame[rows],
        keypoints_px=people.keypoints_px[rows],
        annotated=people.annotated[rows],
        visibility=people.visibility[rows],
        boxes_xywh=people.boxes_xywh[rows],
        head_boxes_xywh=people.head_boxes_xywh[rows],
        keypoint_scores=people.keypoint_scores[rows],
        scores=people.scores[rows],
        extra=extra if any(extra) else (),
        track_id_given=bool(people.has_track[rows].all()),
        file_row=people.file_row[rows],
        verbatim=verbatim if any(verbatim) else (),
    )
