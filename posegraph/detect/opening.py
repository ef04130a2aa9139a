"""From what a user asks for to a finder of people."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from posegraph.data.boxes import Boxes
from posegraph.data.people import FramePoses, People
from posegraph.data.sources.frame import Frame, FrameSource
from posegraph.detect.detector import Detector
from posegraph.detect.file_boxes import FileBoxes, read_box_file
from posegraph.detect.finder import PeopleFinder
from posegraph.detect.followers import TrackFollower
from posegraph.detect.motion import Motion
from posegraph.detect.pose_search import GLANCE_EVERY, SEARCH_EVERY, Poser, PoseSearch
from posegraph.detect.tracker import DEFAULT_TRACKER, LibraryTracker
from posegraph.errors import PoseGraphError, did_you_mean

MIN_SCORE = 0.5
"""Score from which a detection starts a track; boxes of a file are taken as they are."""

_KINDS = ("torchvision", "onnx", "self")


class ChosenDetector(NamedTuple):
    """A detector, ready to run; one may serve several sources.

    Fields:
        name: ``torchvision:NAME``, ``onnx:FILE`` or ``self``.
        detector: None for ``self``: the pose model finds people.
        notice: Why it was chosen, where nobody asked for it.
    """

    name: str
    detector: Detector | None
    notice: str | None = None


def open_detector(spec: str | None = None, device: str | torch.device = "cpu") -> ChosenDetector:
    """Load a detector.

    Args:
        spec: ``torchvision`` or ``torchvision:NAME``, ``onnx:FILE`` (:func:`onnx_detector`), ``self``. None:
            torchvision where its weights are on disk or can be downloaded, otherwise ``self``.
        device: Of torchvision's models; onnxruntime takes what it was installed for.

    Raises:
        PoseGraphError: no such detector, or it cannot be loaded.
    """
    if spec is None:
        return _default(device)
    kind, _, name = spec.partition(":")
    if kind == "torchvision":
        from posegraph.detect.torchvision_detector import DEFAULT_MODEL, TorchvisionDetector

        name = name or DEFAULT_MODEL
        return ChosenDetector(f"{kind}:{name}", TorchvisionDetector(name, device))
    if kind == "onnx" and name:
        from posegraph.detect.onnx_detector import onnx_detector

        return ChosenDetector(spec, onnx_detector(name))
    if spec == "self":
        return ChosenDetector(spec, None)
    raise PoseGraphError(
        f"detector {spec!r}; expected torchvision, torchvision:NAME, onnx:FILE or self{did_you_mean(kind, _KINDS)}"
    )


def open_finder(
    detector: ChosenDetector | str | None,
    boxes: Boxes | str | Path | None,
    source: FrameSource,
    *,
    poser: Poser | None = None,
    every: int | None = None,
    min_score: float | None = None,
    tracker: str = DEFAULT_TRACKER,
    shared: bool = False,
    device: str | torch.device = "cpu",
) -> PeopleFinder:
    """What finds and follows the people of one source.

    Args:
        detector: See :func:`open_detector`, whose result may be given for several sources one after the other. Not
            looked at where there are ``boxes``.
        boxes: A file or folder of boxes (:func:`read_box_file`), or what was read from it.
        source: The frames to come.
        poser: What sees poses in boxes; needed where the detector is ``self``.
        every: Frames from one detection to the next; people are followed by their poses between them. None: 1; with
            ``self``, 10 from one search of the whole frame to the next.
        min_score: Score from which a box starts a track. None: 0.5, and all boxes of a file.
        tracker: One of :data:`~posegraph.detect.tracker.TRACKERS`.
        shared: The boxes are for several sources (:class:`FileBoxes`).
        device: Of a detector that is loaded here.

    Raises:
        PoseGraphError: a setting is out of range, or boxes or detector cannot be had.
    """
    if every is not None and every < 1:
        raise PoseGraphError(f"a detection every {every} frames; expected 1 or more")
    if boxes is not None:
        return _file_finder(boxes, source, every or 1, min_score, tracker, shared)
    chosen = detector if isinstance(detector, ChosenDetector) else open_detector(detector, device)
    notices = [] if chosen.notice is None else [chosen.notice]
    ids = LibraryTracker(tracker, MIN_SCORE if min_score is None else min_score)
    find = chosen.detector
    if find is None:
        return _own_finder(poser, ids, every or SEARCH_EVERY, notices)

    def look(frame: Frame, last: FramePoses | None) -> People:
        return find(frame.image)

    every = every or 1
    return PeopleFinder(look, TrackFollower(ids, bridge=every > 1), every=every, told=lambda: notices)


def _own_finder(poser: Poser | None, ids: LibraryTracker, every: int, notices: list[str]) -> PeopleFinder:
    if poser is None:
        raise PoseGraphError("detector 'self' finds people by their poses; give open_finder a poser")
    motion = Motion()
    search = PoseSearch(poser, motion, every)
    # Whom the search does not confirm twice is let go: it has looked at that very place.
    return PeopleFinder(
        search, TrackFollower(ids, bridge=True), every=min(every, GLANCE_EVERY), motion=motion, told=lambda: notices
    )


def _file_finder(
    boxes: Boxes | str | Path, source: FrameSource, every: int, min_score: float | None, tracker: str, shared: bool
) -> PeopleFinder:
    if not isinstance(boxes, Boxes):
        boxes = read_box_file(boxes)
    given = FileBoxes(boxes, source, shared)
    ids = LibraryTracker(tracker, -np.inf if min_score is None else min_score, given.first_free_id)
    return PeopleFinder(
        lambda frame, last: given(frame),
        TrackFollower(ids, given.first_free_id, bridge=every > 1),
        every=every,
        told=lambda: [line for line in (given.notice(),) if line is not None],
        dropped=boxes.skipped,
    )


def _default(device: str | torch.device) -> ChosenDetector:
    try:
        chosen = open_detector("torchvision", device)
    except PoseGraphError as error:
        return ChosenDetector("self", None, f"no detector: people are searched for by the pose model itself ({error})")
    return chosen._replace(notice=f"people are found by {chosen.name}")
