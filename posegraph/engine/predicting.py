"""A video and a model -> people and poses, frame by frame."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from posegraph.data.people import FramePoses
from posegraph.data.sources import Frame
from posegraph.data.video import Image
from posegraph.detect import PeopleFinder
from posegraph.engine.exporting.exported import device_of
from posegraph.engine.exporting.opening import ModelOrName, opened
from posegraph.engine.predict_options import PeopleFinders, PredictOptions
from posegraph.engine.results import FrameRecord
from posegraph.engine.streaming import PoseStream, StreamStats


class Predictor:
    """One source's frames, in their order, to people and their poses, before any smoothing.

    Args:
        stream: It forgets what it has seen, and its figures.
        finder: Of the source.

    Attributes:
        notes: A line for each time that it started anew, because the frames' size changed.
    """

    def __init__(self, stream: PoseStream, finder: PeopleFinder) -> None:
        self._stream, self._finder = stream, finder
        stream.reset()
        stream.stats = StreamStats()
        self._image_hw: tuple[int, int] | None = None
        self._last: FramePoses | None = None
        self.notes: list[str] = []

    @property
    def past_images(self) -> int:
        """How many frames before one its poses, to the last bit, depend on the images of."""
        return max(self._stream.past_images, self._finder.past_images)

    @property
    def stats(self) -> StreamStats:
        """What the stream has done."""
        return self._stream.stats

    @property
    def notices(self) -> list[str]:
        """What is to be known of the way people are found."""
        return self._finder.notices

    @property
    def dropped(self) -> Counter[str]:
        """Boxes that were left out, by reason."""
        return self._finder.dropped

    def step(self, frame: Frame) -> FrameRecord:
        """Find, follow and estimate the people of the next frame."""
        image_hw = (frame.image.shape[0], frame.image.shape[1])
        self._on_size(frame.number, image_hw)
        detected = self._finder.detect(frame, self._last)
        people = self._finder.follow(detected, self._last, image_hw)
        self._last = self._stream.step(frame.image, people)
        return FrameRecord(frame.number, frame.time_s, frame.name, image_hw, detected, people, self._last)

    def replay(self, record: FrameRecord, image: Image | None) -> None:
        """Take up a frame that an earlier run has done: the next :meth:`step` goes on as that run would have.

        Args:
            image: The frame, where a frame to come may need it: among the last ``past_images``.
        """
        self._on_size(record.number, record.image_hw)
        if image is not None:
            self._finder.remember(image)
        self._finder.follow(record.detected, self._last, record.image_hw)
        self._stream.remember(image, record.people)
        self._last = record.poses

    def _on_size(self, number: int, image_hw: tuple[int, int]) -> None:
        if self._image_hw not in (None, image_hw):
            before, now = (f"{size[1]}x{size[0]}" for size in (self._image_hw, image_hw) if size is not None)
            self.notes.append(f"frame {number}: the size changes from {before} to {now}; everybody is followed anew")
            self._stream.reset()
        self._image_hw = image_hw


def predict(source: str | Path, model: ModelOrName = None, **options: Any) -> Iterator[tuple[Frame, FramePoses]]:
    """The frames of a video with the poses of the people in them, one by one as they are asked for.

    >>> for frame, poses in posegraph.predict("match.mp4"):  # doctest: +SKIP
    ...     print(frame.number, poses.track_ids, poses.keypoints_px[:, 0])

    A model runs where it is (``model.to("cuda")``); one that is named, on a GPU where there is one. What was left out
    is told as warnings when the source ends, and what became of other people's weights that were named. A loop that is
    left early closes the source.

    Args:
        source: A movie, a folder of images, a camera's number, an address, or ``"-"`` for stdin
            (:func:`posegraph.data.sources.open_frames`).
        model: A model of :func:`posegraph.load` or :func:`posegraph.load_exported`, or the name of one: what
            ``posegraph predict --model`` takes. None: ``ncstr-tiny``, which comes with posegraph.
        options: The fields of :class:`PredictOptions`.

    Raises:
        PoseGraphError: the model cannot be opened, the source, the boxes or the detector cannot be used, or the source
            stalls.
    """
    chosen, running = PredictOptions(**options), opened(model)
    with chosen.open(source) as frames:
        finders = PeopleFinders(chosen, device_of(running))
        stream = PoseStream(running, settings=chosen.stream)
        predictor = Predictor(stream, finders.finder(frames, stream))
        smooth = chosen.smoother()
        for frame in frames:
            record = predictor.step(frame)
            yield frame, smooth(record.poses, record.time_s)
        # Who opened the model can look there; who named it cannot.
        weights = [] if running is model or running.weights_report is None else [str(running.weights_report)]
        left_out = [f"left out {count} times: {reason}" for reason, count in predictor.dropped.items()]
        for line in [*weights, *finders.notes, *frames.problems, *predictor.notices, *predictor.notes, *left_out]:
            warnings.warn(line, stacklevel=2)
