"""The people of some frames as columns, which all result files are written from.

# F frames, N person-frames, J joints
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import FramePoses
from posegraph.engine.results.record import FrameRecord


@dataclass(frozen=True, eq=False)
class PersonRows:
    """``N`` people, frame by frame, in the order of each frame's own list.

    Fields:
        frame: ``[N]`` int64, place in the list of the ``F`` frames.
        place: ``[N]`` int64, place in the frame's list of people.
        track_ids: ``[N]`` int64.
        boxes_xywh: ``[N, 4]`` image pixels.
        box_scores: ``[N]``.
        keypoints_px: ``[N, J, 2]`` image pixels.
        keypoint_scores: ``[N, J]``, the box's score not included.
    """

    frame: NDArray[np.int64]
    place: NDArray[np.int64]
    track_ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    box_scores: NDArray[np.float64]
    keypoints_px: NDArray[np.float64]
    keypoint_scores: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Sequence[FrameRecord], num_joints: int) -> PersonRows:
        """The people of some frames, or of none."""
        poses = [FramePoses.nobody(num_joints), *(record.poses for record in frames)]
        counts = [len(one.track_ids) for one in poses]
        return cls(
            frame=np.repeat(np.arange(len(poses)) - 1, counts),
            place=np.concatenate([np.arange(count) for count in counts]),
            track_ids=np.concatenate([one.track_ids for one in poses]),
            boxes_xywh=np.concatenate([one.boxes_xywh for one in poses]),
            box_scores=np.concatenate([one.box_scores for one in poses]),
            keypoints_px=np.concatenate([one.keypoints_px for one in poses]),
            keypoint_scores=np.concatenate([one.keypoint_scores for one in poses]),
        )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def scoring_scores(self) -> NDArray[np.float64]:
        """``[N, J]`` keypoint confidence x box score: what ranks keypoints where files are scored."""
        return self.keypoint_scores * self.box_scores[:, None]
