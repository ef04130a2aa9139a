"""What a run over one source has to tell: figures, what was left out, and what was written."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from posegraph.data.people import FramePoses
from posegraph.data.sources import FrameSource
from posegraph.engine.predicting import Predictor
from posegraph.engine.results import FrameRecord
from posegraph.engine.smoothing import JitterMeter, LagMeter

State = Literal["done", "stopped", "failed", "finished before"]


@dataclass
class SourceReport:
    """One source of a run.

    Fields:
        source: As it was named.
        name: Stem of its outputs.
        state: ``stopped`` by a signal, ``failed`` by ``error``; both can be resumed unless the source is live.
        frames: In the outputs.
        resumed_frames: Of these, done by an earlier run.
        bad_frames: Missing before the last frame of the outputs, in which no live source has any.
        people_frames: Poses in the outputs: people, summed over frames.
        tracks: Different people.
        most_people: In one frame.
        dropped: Boxes and frames that were left out in this run, reason -> count.
        problems: A line for each stretch of frames that could not be read.
        notes: What else is worth knowing, a line each.
        encoded_crops_per_person_frame: Backbone passes of this run; 1 is a single-image model's.
        searched_crops_per_frame: Backbone passes of this run besides, in search of people (``--detector self``).
        re_anchored_share: Share of this run's person-frames whose crop was placed anew.
        seconds: This run's.
        frames_per_second: This run's.
        jitter: Mean acceleration of the joints before smoothing (:class:`JitterMeter`); None: nothing to measure.
        jitter_smoothed: After it; None without smoothing.
        lag: By how many frames smoothing shows moving joints late (:class:`LagMeter`); None without it.
        live: It was a camera, a stream or stdin, and cannot be read again.
        outputs: Files.
        error: What ended it.
    """

    source: str
    name: str
    state: State = "done"
    frames: int = 0
    resumed_frames: int = 0
    bad_frames: int = 0
    people_frames: int = 0
    tracks: int = 0
    most_people: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    encoded_crops_per_person_frame: float | None = None
    searched_crops_per_frame: float = 0.0
    re_anchored_share: float | None = None
    seconds: float = 0.0
    frames_per_second: float | None = None
    jitter: float | None = None
    jitter_smoothed: float | None = None
    lag: float | None = None
    live: bool = False
    outputs: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def whole(self) -> bool:
        """Every frame that the source promises is in the outputs."""
        return self.state in ("done", "finished before") and not self.bad_frames and not self.problems

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def line(self) -> str:
        """The figures in a line for people."""
        who = "1 person" if self.tracks == 1 else f"{self.tracks} people"
        parts = [f"{self.frames} frames, {self.people_frames} poses of {who}"]
        if self.state == "finished before":
            parts.append("finished before")
        elif self.frames_per_second is not None:
            parts.append(f"{self.frames_per_second:.1f} frames/s")
        if self.encoded_crops_per_person_frame is not None:
            parts.append(f"{self.encoded_crops_per_person_frame:.2f} backbone passes a pose")
        if self.searched_crops_per_frame:
            parts.append(f"{self.searched_crops_per_frame:.1f} a frame in search of people")
        if self.jitter is not None and self.jitter_smoothed is not None:
            late = "" if self.lag is None else f" ({self.lag:.1f} frames late)"
            parts.append(f"jitter {self.jitter:.4f} -> {self.jitter_smoothed:.4f}{late}")
        return f"{self.source}: {', '.join(parts)}; in {', '.join(self.outputs) or 'no file'}"

    def warnings(self) -> list[str]:
        """What went wrong, was left out or should be known, a line each."""
        lines = [*self.problems, *(f"{self.source}: {note}" for note in self.notes)]
        return lines + [f"{self.source}: left out {count} times: {reason}" for reason, count in self.dropped.items()]


class Tally:
    """Counts a run's frames into a report.

    Args:
        smoothing: Jitter is measured after smoothing too, and how late it shows the joints.
        live: Gaps in the frames' numbers are frames that came too fast, not bad ones.
    """

    def __init__(self, report: SourceReport, smoothing: bool, live: bool) -> None:
        self.report = report
        self._live = live
        self._raw, self._smoothed, self._lag = JitterMeter(), JitterMeter(), LagMeter()
        self._smoothing = smoothing
        self._track_ids: set[int] = set()
        self._last = -1
        self._started = time.perf_counter()

    def add(self, record: FrameRecord, smoothed: FramePoses) -> None:
        """Count a frame, of this run or of an earlier one."""
        report, n = self.report, len(record.poses.track_ids)
        report.frames += 1
        report.people_frames += n
        report.most_people = max(report.most_people, n)
        if not self._live:
            report.bad_frames += record.number - self._last - 1
        self._last = record.number
        self._track_ids.update(record.poses.track_ids.tolist())
        report.tracks = len(self._track_ids)
        self._raw.add(record.number, record.poses)
        if self._smoothing:
            self._smoothed.add(record.number, smoothed)
            self._lag.add(record.number, record.poses, smoothed)

    def close(self, predictor: Predictor, source: FrameSource) -> None:
        """Fill in what is known at the end."""
        report, stats = self.report, predictor.stats
        report.problems = list(source.problems)
        report.notes = [*predictor.notices, *predictor.notes]
        report.dropped = dict(predictor.dropped)
        if source.dropped:
            report.dropped["frame of a live source, which came before the one ahead of it was done"] = source.dropped
        report.jitter, report.jitter_smoothed, report.lag = self._raw.mean(), self._smoothed.mean(), self._lag.mean()
        report.seconds = time.perf_counter() - self._started
        report.frames_per_second = (report.frames - report.resumed_frames) / report.seconds
        report.searched_crops_per_frame = stats.searched_crops / max(stats.frames, 1)
        if stats.person_frames:
            report.encoded_crops_per_person_frame = stats.encoded_crops / stats.person_frames
            report.re_anchored_share = stats.re_anchored / stats.person_frames
