"""Ids for detected people, from a tracker of the library ``trackers``.

# n people
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posegraph.data.people import NO_TRACK, People
from posegraph.errors import PoseGraphError, did_you_mean

LOST_FRAMES = 30
"""Frames for which a person who is not seen is waited for."""

DEFAULT_TRACKER = "botsort"

_SURE, _UNSURE, _BETWEEN = 1.0, 0.3, 0.5
"""Confidences that the library is told, and its threshold: what is sure is decided here, whatever scale scores have."""


class Tracker(Protocol):
    """Follows people from frame to frame by their boxes."""

    def update(self, people: People) -> NDArray[np.int64]:
        """``[n]`` ids of the next frame's people, unique; ``NO_TRACK`` for an unsure box that carries no track on.

        An id is never given to somebody else, not even after :meth:`reset`.
        """
        ...

    def reset(self) -> None:
        """Forget everybody."""
        ...


class LibraryTracker:
    """A tracker of the library ``trackers``; a person has an id from the first frame on.

    Args:
        name: One of ``TRACKERS``.
        min_score: A box scored below starts no track.
        first_id: Ids are counted from it.
    """

    def __init__(self, name: str = DEFAULT_TRACKER, min_score: float = 0.5, first_id: int = 0) -> None:
        if name not in TRACKERS:
            raise PoseGraphError(
                f"tracker {name!r}; expected one of {', '.join(TRACKERS)}{did_you_mean(name, TRACKERS)}"
            )
        self.min_score = min_score
        self._library = TRACKERS[name]()
        self._first_id = self._next_id = first_id
        self._frame = 0

    def update(self, people: People) -> NDArray[np.int64]:
        """See :meth:`Tracker.update`."""
        self._frame += 1
        sure = people.scores >= self.min_score
        ids = self._ids(people.boxes_xywh, sure)
        # The library gives a track its id with its second box. Given the new ones again, at the same time, it matches
        # each with the track that it has just started.
        new = np.flatnonzero(sure & (ids == NO_TRACK))
        if len(new):
            ids[new] = self._ids(people.boxes_xywh[new], sure[new])
        ids[ids != NO_TRACK] += self._first_id
        self._next_id = max(self._next_id, int(ids.max(initial=-1)) + 1)
        return ids

    def reset(self) -> None:
        """See :meth:`Tracker.reset`."""
        self._library.reset()
        self._first_id = self._next_id

    def _ids(self, boxes: NDArray[np.float64], sure: NDArray[np.bool_]) -> NDArray[np.int64]:
        from supervision import Detections

        rows = np.arange(len(boxes))
        detections = Detections(
            xyxy=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
            confidence=np.where(sure, _SURE, _UNSURE),
            data={"row": rows},
        )
        with warnings.catch_warnings():
            # That the second call comes at the same time as the first is meant.
            warnings.filterwarnings("ignore", message=".*duplicate timestamp")
            tracked = self._library.update(detections, timestamp=float(self._frame))
        ids = np.full(len(boxes), NO_TRACK, dtype=np.int64)
        if len(tracked):
            ids[tracked.data["row"]] = tracked.tracker_id
        return ids


# Measured with tests/detect/test_tracker.py's crowds: the distance IoU, which still says how far apart boxes are that
# do not overlap any more, brings back more people than the IoU. The image is not looked at, so that a run can be taken
# up without decoding the past again.


def _botsort() -> Any:
    from trackers import BoTSORTTracker, DIoU

    # Its thresholds are those of (1 + IoU) / 2.
    return BoTSORTTracker(
        **_common(),
        track_activation_threshold=_BETWEEN,
        enable_cmc=False,
        iou=DIoU(),
        minimum_iou_threshold_first_assoc=0.3,
        minimum_iou_threshold_unconfirmed_assoc=0.3,
    )


def _bytetrack() -> Any:
    from trackers import ByteTrackTracker, DIoU

    return ByteTrackTracker(**_common(), track_activation_threshold=_BETWEEN, iou=DIoU(), minimum_iou_threshold=-0.4)


def _ocsort() -> Any:
    from trackers import DIoU, OCSORTTracker

    return OCSORTTracker(**_common(), iou=DIoU(), minimum_iou_threshold=-0.4)


def _common() -> dict[str, Any]:
    # The library counts its buffer in frames of 1/30 s. A clock that ticks once a frame counts it in frames.
    return {
        "frame_rate": 1.0,
        "lost_track_buffer": 30 * LOST_FRAMES,
        "minimum_consecutive_frames": 1,
        "high_conf_det_threshold": _BETWEEN,
    }


TRACKERS: Mapping[str, Callable[[], Any]] = {"botsort": _botsort, "bytetrack": _bytetrack, "ocsort": _ocsort}
"""Name -> what makes the library's tracker, with settings measured for video of people."""
