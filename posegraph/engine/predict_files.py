"""Many videos to result files, with one model: what is finished is passed over, what fails does not stop the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from posegraph.data.sources import NamedSource, find_sources
from posegraph.data.sources import shard as share_of
from posegraph.engine.exporting.exported import StreamModel, device_of
from posegraph.engine.exporting.opening import ModelOrName, opened
from posegraph.engine.predict_identity import id_of_model, identity, without_password
from posegraph.engine.predict_options import PeopleFinders, PredictOptions
from posegraph.engine.predict_outputs import (
    OVERLAY,
    Outputs,
    check_apart,
    check_folder,
    check_free,
    check_saved,
    clear,
    finished,
)
from posegraph.engine.predict_report import SourceReport
from posegraph.engine.predict_source import Progress, SourceRun
from posegraph.engine.results import JournalHeader
from posegraph.engine.stopping import StopSignals
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError

DEFAULT_SAVE = (OVERLAY, "posetrack18")


@dataclass
class PredictSummary:
    """What a run over some sources did.

    Fields:
        out: The output folder.
        sources: A report for each source of this share, in order; those not begun before Ctrl-C have none.
        shared_out: Sources of all shares.
        notes: What should be known of the run as a whole, a line each.
        stopped: By Ctrl-C or a scheduler's signal.
    """

    out: str
    shared_out: int
    notes: list[str]
    sources: list[SourceReport] = field(default_factory=list)
    stopped: bool = False

    def of(self, *states: str) -> list[SourceReport]:
        """The reports with one of these states."""
        return [report for report in self.sources if report.state in states]

    @property
    def whole(self) -> bool:
        """Every frame of every source is in the outputs."""
        return all(report.whole for report in self.sources)

    def as_json(self) -> dict[str, Any]:
        """Plain values: sums over the sources, and each source."""
        sums = ("frames", "bad_frames", "people_frames", "tracks", "seconds")
        totals = {name: sum(getattr(report, name) for report in self.sources) for name in sums}
        states = Counter(report.state for report in self.sources)
        return asdict(self) | {"states": dict(states), **totals}

    def line(self) -> str:
        """How many sources came to which end, for people."""
        states = Counter(report.state for report in self.sources)
        told = "".join(f", {count} {state}" for state, count in states.items())
        return f"{len(self.sources)} of {self.shared_out} sources{told}"


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a scheduler's signal, ended a run; the outputs of what was done are whole.

    Attributes:
        summary: What was done until then.
    """

    def __init__(self, summary: PredictSummary) -> None:
        super().__init__("stopped")
        self.summary = summary


def predict_files(
    sources: Sequence[str | Path],
    model: ModelOrName,
    out: str | Path,
    *,
    save: Sequence[str] = DEFAULT_SAVE,
    options: PredictOptions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: tuple[int, int] = (0, 1),
    on_frame: Callable[[Progress], None] = lambda progress: None,
    on_source: Callable[[SourceReport], None] = lambda report: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> PredictSummary:
    """Write the poses of videos, and the videos with poses drawn over them, to a folder.

    A source whose outputs an earlier run has finished with the same model and settings is passed over. One that fails
    has its ``error`` in the report, and the others go on.

    Args:
        sources: Movies, folders of images, folders of movies, cameras, addresses, ``"-"``.
        model: On its device, or the name of one, as :func:`posegraph.predict` takes it.
        out: The folder; made where there is none.
        save: Some of ``overlay``, ``posetrack18``, ``coco``, ``csv``, ``parquet``, ``npz`` (docs/predict.md).
        options: How people are found and followed.
        resume: Go on with sources that an earlier run left unfinished.
        overwrite: Begin all sources anew.
        shard: Of the sources, only share (index, count).
        on_frame: Called after each frame.
        on_source: Called after each source.
        on_note: Called with each of the summary's notes, before the first source.

    Raises:
        PoseGraphError: there are no such sources, the folder cannot be written, or the model cannot be opened.
        Stopped: Ctrl-C or SIGTERM.
    """
    if resume and overwrite:
        raise PoseGraphError("--resume goes on with a run and --overwrite begins it anew; give one of them")
    save, out, options = check_saved(save), Path(out), options or PredictOptions()
    found = find_sources(sources, leave_out=out)
    check_folder(out)
    mine = share_of(found.sources, *shard)
    files = _Files(opened(model), out, save, options, len(found.sources) > 1, resume, overwrite, on_frame)
    summary = PredictSummary(str(out), len(found.sources), [*files.finders.notes])
    if found.ignored:
        summary.notes.append(f"{found.ignored} files are neither movies nor folders of images; passed over")
    for note in summary.notes:
        on_note(note)
    try:
        with StopSignals() as signals:
            for source in mine:
                try:
                    files.predict(source, summary, signals)
                finally:
                    on_source(summary.sources[-1])
    except KeyboardInterrupt:
        summary.stopped = True
        raise Stopped(summary) from None
    return summary


class _Files:
    """The run's choices, which are the same for all sources."""

    def __init__(
        self,
        model: StreamModel,
        out: Path,
        save: tuple[str, ...],
        options: PredictOptions,
        shared: bool,
        resume: bool,
        overwrite: bool,
        on_frame: Callable[[Progress], None],
    ) -> None:
        self.out, self.save, self.options = out, save, options
        self.resume, self.overwrite, self.on_frame = resume, overwrite, on_frame
        self.finders = PeopleFinders(options, device_of(model), shared)
        self.stream = PoseStream(model, settings=options.stream)
        settings = self.finders.made_by | {"fps": options.fps}
        settings |= (options.stream or model.run_config.stream).model_dump(
            mode="json", exclude={"batch_size", "compile"}
        )
        self._made_by = JournalHeader("", id_of_model(model), tuple(model.skeleton.joints), settings)

    def predict(self, source: NamedSource, summary: PredictSummary, signals: StopSignals) -> None:
        """Do one source and append its report; a mistake, or a failing disk, is the report's error."""
        report = SourceReport(without_password(source.spec), source.name or without_password(source.spec))
        summary.sources.append(report)
        try:
            before = self._finished(source)
            if before is not None:
                summary.sources[-1] = before
            else:
                self._predict(source, report, signals)
        except KeyboardInterrupt:
            report.state = "stopped"
            raise
        except (PoseGraphError, OSError) as error:
            report.state, report.error = "failed", str(error)

    def _finished(self, source: NamedSource) -> SourceReport | None:
        if source.name is None or self.overwrite:
            return None
        return finished(Outputs(self.out, source.name, self.save), self._header(source), self.options)

    def _header(self, source: NamedSource) -> JournalHeader:
        return replace(self._made_by, source=identity(source.spec))

    def _predict(self, source: NamedSource, report: SourceReport, signals: StopSignals) -> None:
        with self.options.open(source.spec) as frames:
            report.name, report.live = source.name or frames.name, frames.live
            outputs = Outputs(self.out, report.name, self.save)
            check_apart(source.spec, outputs)
            with outputs.alone():
                run = SourceRun(
                    frames,
                    outputs,
                    self.stream,
                    self.options,
                    self.finders,
                    self._header(source),
                    report,
                    signals,
                    self.on_frame,
                )
                unfinished = outputs.journal.exists()
                if self.overwrite:
                    clear(outputs)
                elif self.resume and frames.live:
                    raise _not_resumed(run, unfinished)
                elif not (self.resume and unfinished):
                    check_free(outputs, frames.live)
                run.run(resume=self.resume and unfinished)


def _not_resumed(run: SourceRun, unfinished: bool) -> PoseGraphError:
    told = ""
    if unfinished:
        run.salvage()
        told = f"; the {run.report.frames} frames that it had are in {', '.join(run.report.outputs)}"
    return PoseGraphError(
        f"{run.outputs.name}: a live source cannot be resumed{told}; run it again without --resume, into another --out"
    )
