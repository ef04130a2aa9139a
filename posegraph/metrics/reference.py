"""The length that an error is measured in: a person's head size, box or bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.tracks import TrackSet, Video
from posegraph.errors import PoseGraphError
from posegraph.metrics.people import People
from posegraph.skeleton import PCKReference, Skeleton

HEAD_SIZE_FACTOR = 0.6
HEAD_ALPHA = 0.5
"""PoseTrack's threshold in head sizes."""
OTHER_ALPHA = 0.2
"""The usual threshold for a box or a torso."""

UNITS = {"head_box": "head size", "box": "box's longer side", "joints": "reference bone"}
"""Kind of reference -> what a table calls it."""


@dataclass(frozen=True)
class Reference:
    """A kind of length, and the skeleton that names its joints.

    Fields:
        skeleton: The skeleton.
        kind: ``head_box``: 0.6 x the diagonal of the head box. ``box``: the longer side of the person's box.
            ``joints``: the distance of two joints.
        joints: Those two.
    """

    skeleton: Skeleton
    kind: str
    joints: tuple[str, str] | None = None

    @classmethod
    def of(cls, skeleton: Skeleton, reference: PCKReference | None = None) -> Reference:
        """``reference``, or the skeleton's own."""
        chosen = reference or skeleton.pck_reference
        return cls(skeleton, chosen.kind, chosen.joints)

    @property
    def description(self) -> str:
        """The kind, or the two joints."""
        return self.kind if self.joints is None else f"{self.joints[0]} to {self.joints[1]}"

    @property
    def usual_alpha(self) -> float:
        """0.5 head sizes, 0.2 of any other length."""
        return HEAD_ALPHA if self.kind == "head_box" else OTHER_ALPHA

    def lengths_px(self, people: People) -> NDArray[np.float64]:
        """``[N]`` the length of every person (all joints of the skeleton given), NaN where it is unknown or 0."""
        if self.kind == "head_box":
            length = head_sizes_px(people)
        elif self.joints is None:
            length = np.asarray(people.boxes_xywh[:, 2:].max(axis=1))
        else:
            first, second = (self.skeleton.index[joint] for joint in self.joints)
            length = np.linalg.norm(people.points_px[:, first] - people.points_px[:, second], axis=1)
            length[~(people.given[:, first] & people.given[:, second])] = np.nan
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(length) & (length > 0), length, np.nan)


def reference_for(ground_truth: TrackSet) -> Reference:
    """Head boxes where every annotated person has one; else the skeleton's reference, and the person's box where
    that is the head box."""
    skeleton = ground_truth.skeleton
    if ground_truth.num_poses and not people_without_head_box(ground_truth):
        return Reference(skeleton, "head_box")
    if skeleton.pck_reference.kind == "head_box":
        return Reference(skeleton, "box")
    return Reference.of(skeleton)


def people_without_head_box(ground_truth: TrackSet) -> int:
    """Annotated people (a person in a frame is one) whose head box is not known."""
    return sum(int(np.isnan(track.head_boxes_xywh).any(axis=1).sum()) for track in ground_truth)


def head_sizes_px(people: People) -> NDArray[np.float64]:
    """``[N]`` 0.6 x diagonal of the head boxes, NaN where there is none."""
    # poseval stores corners, so the size is that of the corners: (x + w) - x is not always w.
    near_corner = people.head_boxes_xywh[:, :2]
    side = near_corner + people.head_boxes_xywh[:, 2:] - near_corner
    return np.asarray(HEAD_SIZE_FACTOR * np.sqrt((side**2).sum(axis=1)))


def required_head_sizes_px(people: People, video: Video) -> NDArray[np.float64]:
    """``[N]`` head sizes of the ground truth's people.

    Raises:
        PoseGraphError: a person has no head box.
    """
    sizes_px = head_sizes_px(people)
    missing = np.flatnonzero(~np.isfinite(sizes_px))
    if len(missing):
        track_id, frame = int(people.track_id[missing[0]]), int(people.frame[missing[0]])
        raise PoseGraphError(
            f"{video.source}: track {track_id} has no head box (bbox_head) in frame {frame} "
            f"({video.frame_files[frame]}); expected one for every person, which the head size is taken "
            "from; add the head boxes, or evaluate with PCK, whose reference the skeleton chooses"
        )
    return sizes_px
