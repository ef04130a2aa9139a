"""From the checked rows of one annotation file to videos and person tracks.

Letters: F frames of a video, N frames of a person, J joints of the skeleton, K keypoints of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegraph.data.json_checks import Fault, Found
from posegraph.data.posetrack_schema import AnnotationFile, ImageRow, PersonRow
from posegraph.data.tracks import UNKNOWN, PersonTrack, Video
from posegraph.skeleton import Skeleton

FILE_ROW = "posegraph_file_row"
"""Key in ``PersonTrack.extra``: place of the person in the file's annotation list.

poseval breaks ties by that order, so the metric and the writer need it; the writer does not write it.
"""

BAD_BOX = "box of zero area or NaN"
NO_JOINT = "no annotated joint"
BAD_POINT = "joint at NaN or infinity (taken as not annotated)"
OTHER_CATEGORY = "annotation of a category without keypoints"

EXTENT_TO_BOX = 1.3


@dataclass(frozen=True, eq=False)
class _Pose:
    """One person in one frame, in the rows of the skeleton."""

    keypoints_px: NDArray[np.float64]
    annotated: NDArray[np.bool_]
    visibility: NDArray[np.int8]
    scores: NDArray[np.float64]
    box_xywh: NDArray[np.float64]
    row: PersonRow
    file_row: int


class FileReader:
    """Turns the checked rows of one file into videos and tracks."""

    def __init__(self, content: AnnotationFile, skeleton: Skeleton, keep_empty: bool, skipped: Counter[str]) -> None:
        self.content = content
        self.skeleton = skeleton
        self.keep_empty = keep_empty
        self.skipped = skipped
        self.fault = Fault(content.path)
        names = content.keypoint_names or skeleton.joints
        self.num_keypoints = len(names)
        column = {name: row for row, name in enumerate(names)}
        self.rows = np.array([row for row, joint in enumerate(skeleton.joints) if joint in column], dtype=np.intp)
        self.columns = np.array([column[joint] for joint in skeleton.joints if joint in column], dtype=np.intp)
        if not len(self.rows):
            self.fault("categories.keypoints", Found(", ".join(names)),
                       f"joints of skeleton {skeleton.name!r}: {', '.join(skeleton.joints)}",
                       "pass a skeleton that names the file's joints")  # fmt: skip
        if content.people and all(person.keypoints is None for person in content.people):
            self.fault("annotations", Found("no keypoints in any of them"), "keypoints", "give a keypoint file")
        self.graded = any(p.keypoints is not None and (p.keypoints[2::3] == 2).any() for p in content.people)

    def videos(self) -> list[tuple[Video, list[PersonTrack]]]:
        if self.content.other_category:
            self.skipped[OTHER_CATEGORY] += self.content.other_category
        people: dict[int, list[tuple[int, PersonRow]]] = {}
        for file_row, person in enumerate(self.content.people):
            people.setdefault(person.image_id, []).append((file_row, person))
        result = []
        for name, images in self._images_of_videos().items():
            video = _video(name, self.content.path, images)
            result.append((video, self._tracks(video, images, people)))
        return result

    def _images_of_videos(self) -> dict[str, list[ImageRow]]:
        images = self.content.images
        groups: dict[str | None, list[ImageRow]] = {}
        for image in images:
            groups.setdefault(image.video_id, []).append(image)
        if len(groups) <= 1:
            return {self.content.path.stem: _in_time_order(images)}
        if None in groups:
            self.fault(f"{groups[None][0].field}.vid_id", Found("nothing"), "a video's name as in the other images",
                       "give every image a vid_id, or none")  # fmt: skip
        folders = [{Path(image.file_name).parent.name for image in group} for group in groups.values()]
        one_each = all(len(folder) == 1 and folder != {""} for folder in folders)
        if one_each and len(set().union(*folders)) == len(folders):
            names = [folder.pop() for folder in folders]
        else:
            names = [str(video_id) for video_id in groups]
        return {name: _in_time_order(group) for name, group in zip(names, groups.values(), strict=True)}

    def _tracks(
        self, video: Video, images: list[ImageRow], people: dict[int, list[tuple[int, PersonRow]]]
    ) -> list[PersonTrack]:
        rows = [person for image in images for _, person in people.get(image.image_id, [])]
        own_id = max((person.track_id for person in rows if person.track_id is not None), default=-1)
        poses: dict[int, dict[int, _Pose]] = {}
        for frame, image in enumerate(images):
            for file_row, person in people.get(image.image_id, []):
                if person.track_id is None:
                    own_id += 1
                track_id = own_id if person.track_id is None else person.track_id
                pose = self._pose(person, file_row)
                track = poses.setdefault(track_id, {})
                if frame in track:
                    other = track[frame].row.field
                    self.fault(
                        f"{person.field}.track_id",
                        Found(f"{track_id}, which {other} has in the same image"),
                        "every person once in an image",
                        "give each person an id of its own, or none",
                    )
                if not self._leave_out(pose):
                    track[frame] = pose
        seen = sorted((item for item in poses.items() if item[1]), key=lambda item: min(item[1]))
        return [_track(video, track_id, track) for track_id, track in seen]

    def _leave_out(self, pose: _Pose) -> bool:
        if self.keep_empty:
            return False
        if not pose.annotated.any():
            self.skipped[NO_JOINT] += 1
            return True
        if not np.isfinite(pose.box_xywh).all():
            self.skipped[BAD_BOX] += 1
            return True
        return False

    def _pose(self, person: PersonRow, file_row: int) -> _Pose:
        J = self.skeleton.num_joints
        keypoints_px, annotated = np.zeros((J, 2)), np.zeros(J, dtype=np.bool_)
        visibility, scores = np.full(J, UNKNOWN, dtype=np.int8), np.full(J, np.nan)
        if person.scores is not None:
            self._right_length(person, "scores", len(person.scores), self.num_keypoints)
            scores[self.rows] = person.scores[self.columns]
        if person.keypoints is not None:
            self._right_length(person, "keypoints", len(person.keypoints), 3 * self.num_keypoints)
            xyv = person.keypoints.reshape(-1, 3)[self.columns]
            given = xyv[:, 2] > 0
            if person.scores is not None:
                given |= (xyv[:, :2] != 0).any(axis=1)
            finite = np.isfinite(xyv[:, :2]).all(axis=1)
            if (given & ~finite).any():
                self.skipped[BAD_POINT] += int((given & ~finite).sum())
            given &= finite
            annotated[self.rows] = given
            keypoints_px[self.rows[given]] = xyv[given, :2]
            if self.graded:
                visibility[self.rows[given & (xyv[:, 2] == 2)]] = 1
                visibility[self.rows[given & (xyv[:, 2] == 1)]] = 0
        box = _box(person.box_xywh, keypoints_px[annotated])
        return _Pose(keypoints_px, annotated, visibility, scores, box, person, file_row)

    def _right_length(self, person: PersonRow, key: str, found: int, expected: int) -> None:
        if found == expected:
            return
        annotation = person.extra.get("id", "none")
        source = "categories" if self.content.keypoint_names else f"skeleton {self.skeleton.name!r}"
        self.fault(f"{person.field}.{key}", Found(f"{found} numbers (annotation id {annotation})"),
                   f"{expected} for the {self.num_keypoints} joints of {source}",
                   "correct the annotation, or pass the skeleton that the file was made with")  # fmt: skip


def _box(given: NDArray[np.float64] | None, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """``[4]`` xywh: the given box, else the extent of the points x 1.3; NaN where it has no area."""
    if given is None and len(points_px):
        low, high = points_px.min(axis=0), points_px.max(axis=0)
        size = (high - low) * EXTENT_TO_BOX
        given = np.concatenate([(low + high - size) / 2, size])
    if given is None or not np.isfinite(given).all() or (given[2:] <= 0).any():
        return np.full(4, np.nan)
    return given


def _in_time_order(images: list[ImageRow]) -> list[ImageRow]:
    from_name = [re.findall(r"\d+", Path(image.file_name).stem) for image in images]
    from_field = [image.extra.get("frame_id") for image in images]
    for numbers in ([int(found[-1][-18:]) if found else None for found in from_name], from_field):
        known = [number for number in numbers if type(number) is int]
        if len(set(known)) == len(images):
            return [image for _, image in sorted(zip(known, images, strict=True), key=lambda pair: pair[0])]
    return list(images)


def _video(name: str, source: Path, images: list[ImageRow]) -> Video:
    return Video(
        name=name,
        source=source,
        frame_files=tuple(image.file_name for image in images),
        image_ids=np.array([image.image_id for image in images], dtype=np.int64),
        image_hw=np.array([image.image_hw for image in images], dtype=np.int64).reshape(-1, 2),
        labeled=np.array([image.labeled for image in images], dtype=np.bool_),
        ignore_regions=tuple(image.ignore_regions for image in images),
        extra=tuple(image.extra for image in images),
    )


def _track(video: Video, track_id: int, poses: dict[int, _Pose]) -> PersonTrack:
    none = np.full(4, np.nan)
    ordered = list(poses.values())  # frames were visited in ascending order
    heads = [none if pose.row.head_box_xywh is None else pose.row.head_box_xywh for pose in ordered]
    return PersonTrack(
        video=video,
        track_id=track_id,
        frame=np.array(list(poses), dtype=np.int64),
        keypoints_px=np.stack([pose.keypoints_px for pose in ordered]),
        annotated=np.stack([pose.annotated for pose in ordered]),
        visibility=np.stack([pose.visibility for pose in ordered]),
        boxes_xywh=np.stack([pose.box_xywh for pose in ordered]),
        head_boxes_xywh=np.stack(heads),
        keypoint_scores=np.stack([pose.scores for pose in ordered]),
        scores=np.array([pose.row.score for pose in ordered], dtype=np.float64),
        extra=tuple({**pose.row.extra, FILE_ROW: pose.file_row} for pose in ordered),
    )
