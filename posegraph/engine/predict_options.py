"""How a video is opened, its people are found, and their poses smoothed."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from posegraph.config import RunConfig, StreamConfig
from posegraph.data.boxes import Boxes
from posegraph.data.people import FramePoses
from posegraph.data.sources import FrameSource, open_frames
from posegraph.detect import ChosenDetector, PeopleFinder, open_detector, open_finder
from posegraph.detect.file_boxes import read_box_file
from posegraph.detect.tracker import DEFAULT_TRACKER
from posegraph.engine.exporting.exported import StreamModel
from posegraph.engine.glimpses import Glimpses
from posegraph.engine.predict_identity import content_id
from posegraph.engine.smoothing import OneEuro
from posegraph.engine.streaming import PoseStream

Smoother = Callable[[FramePoses, float], FramePoses]
"""Poses and their time in seconds, frame after frame, to smoothed poses."""


@dataclass(frozen=True)
class PredictOptions:
    """What :func:`predict` and :func:`predict_files` may be told.

    Fields:
        boxes: A file or folder of detections (docs/data.md); it goes before ``detector``.
        detector: ``torchvision[:NAME]``, ``onnx:FILE`` or ``self`` (docs/predict.md). None: torchvision where its
            weights can be had, else ``self``.
        every: The detector looks at each ``every``-th frame; between them, people are followed by their poses. None: 1;
            with ``self``, 10 from one search of the whole frame to the next.
        min_score: Detections below start no track. None: 0.5, and all boxes of a file.
        tracker: ``botsort``, ``bytetrack`` or ``ocsort``.
        smoothing: A filter of the poses; every source has its own, which begins where this one is.
        stream: How crops follow people; None: the ``stream`` section of the model's run.
        fps: Frames a second, of images and raw frames, or in place of a movie's own.
        size_wh: Width and height of raw frames on stdin.
        pixel_format: Of raw frames on stdin.
        timeout_s: Longest wait for a frame of a live source; None: for ever.
        every_frame: Of a live source: every frame, late or not, instead of the latest.
    """

    boxes: str | Path | None = None
    detector: str | None = None
    every: int | None = None
    min_score: float | None = None
    tracker: str = DEFAULT_TRACKER
    smoothing: OneEuro | None = None
    stream: StreamConfig | None = None
    fps: float | None = None
    size_wh: tuple[int, int] | None = None
    pixel_format: str = "bgr24"
    timeout_s: float | None = 10.0
    every_frame: bool = False

    def smoother(self) -> Smoother:
        """A filter of its own for a source; without smoothing, one that changes nothing."""
        if self.smoothing is None:
            return lambda poses, time_s: poses
        return copy.deepcopy(self.smoothing)

    def smoothing_settings(self) -> dict[str, float] | None:
        """The filter's numbers; None without one."""
        if self.smoothing is None:
            return None
        return {name: getattr(self.smoothing, name) for name in ("min_cutoff", "beta", "d_cutoff", "forget_s")}

    def open(self, source: str | Path) -> FrameSource:
        """The source's frames. Raises :class:`PoseGraphError` when it cannot be opened."""
        return open_frames(
            source,
            fps=self.fps,
            size_wh=self.size_wh,
            pixel_format=self.pixel_format,
            timeout_s=self.timeout_s,
            every_frame=self.every_frame,
        )


class PeopleFinders:
    """Makes a finder for one source after the other; detector and boxes are read once.

    Args:
        options: What finds people.
        device: Of the detector.
        shared: There may be several sources, so boxes must tell videos apart.

    Raises:
        PoseGraphError: the boxes or the detector cannot be had.

    Attributes:
        made_by: What the people depend on, as JSON values.
        notes: What should be known, a line each.
    """

    def __init__(self, options: PredictOptions, device: torch.device, shared: bool = False) -> None:
        self._options, self._shared = options, shared
        self._boxes: Boxes | None = None
        self._detector: ChosenDetector | None = None
        self.notes: list[str] = []
        self.made_by: dict[str, Any] = {
            "every": options.every,
            "min_score": options.min_score,
            "tracker": options.tracker,
        }
        if options.boxes is not None:
            boxes = read_box_file(options.boxes)
            self.notes += [f"{options.boxes}: left out {count} times: {why}" for why, count in boxes.skipped.items()]
            # Told here, and not by every source again.
            self._boxes = dataclasses.replace(boxes, skipped=Counter())
            self.made_by["boxes"] = content_id(options.boxes)
        else:
            chosen = open_detector(options.detector, device)
            self.notes += [chosen.notice] if chosen.notice is not None else []
            self._detector = chosen._replace(notice=None)
            self.made_by["detector"] = chosen.name

    def finder(self, source: FrameSource, stream: PoseStream) -> PeopleFinder:
        """For the frames of a source, whose poses the stream estimates.

        Raises :class:`PoseGraphError` for a setting that is out of range.
        """
        options = self._options
        return open_finder(
            self._detector,
            self._boxes,
            source,
            poser=Glimpses(stream),
            every=options.every,
            min_score=options.min_score,
            tracker=options.tracker,
            shared=self._shared,
        )


def stream_settings(model: StreamModel, overrides: Sequence[str]) -> StreamConfig:
    """The stream settings of the model's run, with ``key=value`` overrides of them."""
    content = model.run_config.to_dict()
    return RunConfig.from_dict(content, [f"stream.{override}" for override in overrides], source="-o").stream


def one_euro(min_cutoff: float | None, beta: float | None) -> OneEuro:
    """The filter with these settings; None: its own."""
    given = {"min_cutoff": min_cutoff, "beta": beta}
    return OneEuro(**{name: value for name, value in given.items() if value is not None})
