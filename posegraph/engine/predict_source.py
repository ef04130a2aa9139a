"""One video to result files: a journal while it runs, whole files after it, whatever ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

from posegraph.data.sources import Frame, FrameSource
from posegraph.engine.predict_options import PeopleFinders, PredictOptions, Smoother
from posegraph.engine.predict_outputs import Outputs, write_record
from posegraph.engine.predict_report import SourceReport, Tally
from posegraph.engine.predicting import Predictor
from posegraph.engine.results import FrameRecord, Journal, JournalHeader, OverlayWriter, read_journal, write_results
from posegraph.engine.stopping import StopSignals
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError


class Progress(NamedTuple):
    """Where a run is.

    Fields:
        name: Of the source's outputs.
        frames: Done, those of an earlier run included.
        num_frames: In all; None where the source does not say.
        people: In the last frame.
    """

    name: str
    frames: int
    num_frames: int | None
    people: int


@dataclass(frozen=True, eq=False)
class SourceRun:
    """A run over one open source.

    Whatever ends it (the source's end, an error, Ctrl-C), the files of what was done are then whole. The journal stays
    where an error or Ctrl-C left something to do.

    Fields:
        source: Its frames.
        outputs: Where the files go.
        stream: Used by one run at a time.
        options: What to do.
        finders: What finds people.
        made_by: What the journal is known by.
        report: Filled in while it runs.
        signals: Entered.
        on_frame: Called after each frame.
    """

    source: FrameSource
    outputs: Outputs
    stream: PoseStream
    options: PredictOptions
    finders: PeopleFinders
    made_by: JournalHeader
    report: SourceReport
    signals: StopSignals
    on_frame: Callable[[Progress], None]

    def run(self, resume: bool) -> None:
        """Run to the source's end, from the start or from where the journal ends.

        Raises:
            KeyboardInterrupt: it was stopped; the files of what was done are whole.
            PoseGraphError: the source or an output ended it; so are those that could be written.
        """
        predictor = Predictor(self.stream, self.finders.finder(self.source, self.stream))
        tally = Tally(self.report, self.options.smoothing is not None, self.source.live)
        ending: BaseException | None = None
        with self._journal(resume) as journal:
            try:
                with self._overlay() as overlay:
                    ending = _Pass(self, predictor, journal, overlay, tally).run()
            except BaseException as error:
                ending = ending or error
        tally.close(predictor, self.source)
        try:
            self._write_files(journal.frames, whole=ending is None or self.source.live)
        except PoseGraphError as error:
            ending = ending or error
        if ending is not None:
            raise ending

    def salvage(self) -> None:
        """Make the files of a live source whose run was killed: all that is left of it is the journal."""
        tally, smooth = Tally(self.report, self.options.smoothing is not None, live=True), self.options.smoother()
        for record in read_journal(self.outputs.journal)[1]:
            tally.add(record, smooth(record.poses, record.time_s))
        self._write_files(self.report.frames, whole=True)

    def _write_files(self, frames: int, whole: bool) -> None:
        """Make the result files from the journal; where they are ``whole``, it goes and the record comes."""
        if frames:
            smooth = self.options.smoother()
            _, records = read_journal(self.outputs.journal)
            smoothed = (replace(record, poses=smooth(record.poses, record.time_s)) for record in records)
            write_results(smoothed, self.outputs.formats, self.outputs.out, self.outputs.name, self.stream.skeleton)
            self.report.outputs = [str(path) for path in self.outputs.files if path.exists()]
            if not whole:
                return
            write_record(self.outputs, self.made_by, self.options, self.report)
        self.outputs.journal.unlink()

    def _journal(self, resume: bool) -> Journal:
        path = self.outputs.journal
        return Journal.resume(path, self.made_by) if resume else Journal.create(path, self.made_by)

    def _overlay(self) -> AbstractContextManager[OverlayWriter | None]:
        if self.outputs.overlay is None:
            return nullcontext()
        return OverlayWriter(self.outputs.overlay, self.source.fps, self.stream.skeleton)


class _Pass:
    """The loop over the frames: first those of the journal, then new ones."""

    def __init__(
        self, task: SourceRun, predictor: Predictor, journal: Journal, overlay: OverlayWriter | None, tally: Tally
    ) -> None:
        self._task, self._predictor = task, predictor
        self._journal, self._overlay, self._tally = journal, overlay, tally
        self._smooth: Smoother = task.options.smoother()

    def run(self) -> BaseException | None:
        """What ended it; None: the source did."""
        try:
            for frame in self._replayed() if self._journal.frames else self._task.source.frames():
                record = self._predictor.step(frame)
                with self._task.signals.held():
                    self._journal.append(record)
                    self._add(record, frame)
        except (Exception, KeyboardInterrupt) as error:
            return error
        return None

    def _replayed(self) -> Iterator[Frame]:
        """Take up the journal's frames; the frames that are left."""
        path = self._journal.path
        needed = deque((record.number for record in read_journal(path)[1]), maxlen=self._predictor.past_images)
        from_image = needed[0] if needed else self._journal.last + 1
        from_frame = from_image if self._overlay is None else 0
        frames = self._task.source.frames(from_frame)
        for record in read_journal(path)[1]:
            frame = _same(frames, record, self._task.source) if record.number >= from_frame else None
            self._predictor.replay(record, frame.image if frame is not None and record.number >= from_image else None)
            self._add(record, frame)
            self._task.report.resumed_frames += 1
        return frames

    def _add(self, record: FrameRecord, frame: Frame | None) -> None:
        poses = self._smooth(record.poses, record.time_s)
        if self._overlay is not None and frame is not None:
            self._overlay.write(frame, poses)
        self._tally.add(record, poses)
        task, people = self._task, len(poses.track_ids)
        task.on_frame(Progress(task.outputs.name, task.report.frames, task.source.num_frames, people))


def _same(frames: Iterator[Frame], record: FrameRecord, source: FrameSource) -> Frame:
    """The frame of a record, which is the source's next one."""
    frame = next(frames, None)
    if frame is None or frame.number != record.number or frame.image.shape[:2] != record.image_hw:
        raise PoseGraphError(
            f"{source.name}: frame {record.number} is not what it was when the run began; give the same source, or "
            "--overwrite to start anew"
        )
    return frame
