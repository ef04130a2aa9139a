"""People found by the pose model itself: windows over the frame, each pose followed to its person and tested there.

# n boxes, J joints
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_convert, box_iou, nms

from posegraph.data.people import NO_TRACK, FramePoses, People
from posegraph.data.sources.frame import Frame
from posegraph.data.video import Image
from posegraph.detect.motion import Motion
from posegraph.detect.plausibility import Poses, boxed_poses, confidence, person_scores
from posegraph.detect.pose_boxes import box_of_pose
from posegraph.detect.windows import windows_to_search
from posegraph.geometry import scale_box

Float = NDArray[np.float64]

SEARCH_EVERY, GLANCE_EVERY = 10, 2
"""Frames from one search of the frame to the next, and from one look at silhouettes and those who are followed."""

MOST_WINDOWS, MOST_WINDOWS_BESIDE = 150, 50
"""Looked at in a search: where nobody is followed, and where newcomers are looked for beside those who are."""

MOST_CANDIDATES = 12
"""Poses in windows that are followed to their people."""

PROMISING = 0.25
"""Confidence in a window from which its pose is followed."""

ROUNDS = 2
"""Times that a crop is placed around the pose that the crop before it showed."""

MOST_SILHOUETTES = 12
"""Of what stands out from the background, looked at as they are."""

SAME_SILHOUETTE, SILHOUETTE_GROWTH = 0.5, 1.2
"""Intersection over union from which a pose is a silhouette's, whose box, so much larger, it then takes."""

SUPPORT, LEAST_SUPPORTED = 0.25, 0.2
"""What a silhouette adds to the score of its pose, and what the pose needs without it."""

NUDGE, ENLARGEMENT = 0.1, 1.15
"""Of the crop that a pose is tested in: its shift in widths and heights of the box, and its size."""

SAME_BOX = 0.5
"""Intersection over union from which two candidates are one."""

LEAST_SCORE = 0.3
"""Of a person who is followed already: newcomers need the tracker's ``min_score``."""

LEAST_OF_BEST = 0.6
"""Who scores below this share of the frame's best is nobody."""

STILL, AT_REST = 0.75, 0.01
"""Before a standing camera, who moves in less than this second share of the box scores the first times less."""

LONGER_SIDE = 960
"""Pixels of the image that is searched; a larger one is made smaller."""


class Poser(Protocol):
    """Estimates poses in boxes of one image: :class:`~posegraph.engine.glimpses.Glimpses`."""

    def glimpse(self, image: Image, boxes_xywh: Float) -> tuple[Float, Float]:
        """Keypoints ``[n, J, 2]`` in pixels of the image and their confidences ``[n, J]``; no past is needed."""
        ...


class PoseSearch:
    """The people of a frame, looked for where they were in the frame before and where something stands out.

    Once in ``every`` frames the frame is searched, too. All depends on the frame, on the poses of the frame before, and
    on the frames that ``motion`` remembers, and on nothing else.

    Args:
        poser: What sees poses.
        motion: Of this video, with the frame itself as its last.
        every: Frames from one search to the next, where each ``GLANCE_EVERY``-th frame is looked at; each search has
            its turn of the windows.
    """

    def __init__(self, poser: Poser, motion: Motion, every: int) -> None:
        self._poser, self._motion, self._every = poser, motion, every

    def __call__(self, frame: Frame, last: FramePoses | None) -> People:
        """The people, best first, scored at least ``LEAST_SCORE``; no track ids."""
        view = _View(self._poser, frame.image)
        followed = np.zeros((0, 4)) if last is None else _followed(last)
        silhouettes = self._motion.silhouettes()[:MOST_SILHOUETTES]
        starts = [followed, silhouettes]
        # Looks may fall on even frames or on odd ones: one of two numbers is met by either.
        if last is None or frame.number % self._every < GLANCE_EVERY:
            most = MOST_WINDOWS_BESIDE if len(followed) else MOST_WINDOWS
            windows = windows_to_search(view.image_hw, self._motion.share, most, frame.number // self._every)
            starts.append(_promising(view.poses(windows)))
        found, supported = _fitted(self._settled(view, np.concatenate(starts)), silhouettes)
        scores = self._scores(view, found)
        scores = np.where(supported & (scores >= LEAST_SUPPORTED), scores + SUPPORT, scores)
        kept = _distinct(found.boxes_xywh, scores)
        kept = kept[scores[kept] >= max(LEAST_SCORE, LEAST_OF_BEST * scores.max(initial=0.0))]
        return People(found.boxes_xywh[kept], scores[kept], np.full(len(kept), NO_TRACK, dtype=np.int64))

    def _settled(self, view: _View, boxes: Float) -> Poses:
        """The poses that are left, once each, when crops have been placed anew around them."""
        poses = view.poses(boxes)
        for _ in range(ROUNDS - 1):
            poses = view.poses(poses.rows(_distinct(poses.boxes_xywh, confidence(poses.scores))).boxes_xywh)
        return poses.rows(_distinct(poses.boxes_xywh, confidence(poses.scores)))

    def _scores(self, view: _View, found: Poses) -> Float:
        sizes = found.boxes_xywh[:, 2:]
        tested = found.boxes_xywh[:, :2] + NUDGE * sizes - (ENLARGEMENT - 1) / 2 * sizes
        scores = person_scores(found, *view.glimpse(np.concatenate([tested, ENLARGEMENT * sizes], axis=1)))
        moving = self._motion.share(found.boxes_xywh)
        return scores if moving is None else scores * np.where(moving < AT_REST, STILL, 1.0)


class _View:
    """One image, made smaller where it is large, and glimpses of it in its own pixels."""

    def __init__(self, poser: Poser, image: Image) -> None:
        self.image_hw = (image.shape[0], image.shape[1])
        self._poser = poser
        self._scale = min(LONGER_SIDE / max(self.image_hw), 1.0)
        if self._scale < 1:
            size_wh = [max(round(side * self._scale), 1) for side in self.image_hw[::-1]]
            image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        self._image = image

    def glimpse(self, boxes_xywh: Float) -> tuple[Float, Float]:
        """Keypoints ``[n, J, 2]`` and their confidences ``[n, J]``."""
        keypoints, scores = self._poser.glimpse(self._image, boxes_xywh * self._scale)
        return keypoints / self._scale, scores

    def poses(self, boxes_xywh: Float) -> Poses:
        """Those of them that have boxes of their own."""
        return boxed_poses(*self.glimpse(boxes_xywh), self.image_hw)


def _followed(last: FramePoses) -> Float:
    """Where the people of the frame before are: ``[n, 4]`` around their poses, else their boxes."""
    boxes = [box_of_pose(*pose) for pose in zip(last.keypoints_px, last.keypoint_scores, strict=True)]
    return np.array(
        [before if box is None else box for box, before in zip(boxes, last.boxes_xywh, strict=True)]
    ).reshape(-1, 4)


def _fitted(found: Poses, silhouettes: Float) -> tuple[Poses, NDArray[np.bool_]]:
    """The poses, those of silhouettes in the silhouettes' boxes; and which of them ``[n]`` are."""
    if not len(found.scores) or not len(silhouettes):
        return found, np.zeros(len(found.scores), dtype=np.bool_)
    own, theirs = (box_convert(torch.from_numpy(boxes), "xywh", "xyxy") for boxes in (found.boxes_xywh, silhouettes))
    best, rows = box_iou(own, theirs).max(dim=1)
    fits: NDArray[np.bool_] = (best >= SAME_SILHOUETTE).numpy()
    grown = np.array([scale_box(box, SILHOUETTE_GROWTH) for box in silhouettes])[rows.numpy()]
    return found._replace(boxes_xywh=np.where(fits[:, None], grown, found.boxes_xywh)), fits


def _promising(poses: Poses) -> Float:
    """Boxes of the windows' poses that are worth a closer look, best first."""
    levels = confidence(poses.scores)
    kept = _distinct(poses.boxes_xywh, levels)
    return poses.boxes_xywh[kept[levels[kept] >= PROMISING][:MOST_CANDIDATES]]


def _distinct(boxes_xywh: Float, scores: Float) -> NDArray[np.intp]:
    """Rows of the boxes, best first, without those that a better one is too much like."""
    corners = box_convert(torch.from_numpy(boxes_xywh), "xywh", "xyxy")
    rows: NDArray[np.intp] = nms(corners, torch.from_numpy(scores), SAME_BOX).numpy().astype(np.intp)
    return rows
