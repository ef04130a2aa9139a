"""``posegraph predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .option_groups import GroupedCommand, grouped
from .output import STDOUT, FramesBar, emit_json, json_option, notice, tell_error
from .size import Size
from .status import DONE, FAULT, GAPS, STOPPED

if TYPE_CHECKING:
    from posegraph.engine.exporting.exported import StreamModel
    from posegraph.engine.exporting.opening import Runtime
    from posegraph.engine.predict_files import PredictSummary
    from posegraph.engine.predict_report import SourceReport

_model, _people, _source, _output, _run = (grouped(title) for title in ("Model", "People", "Source", "Output", "Run"))


def _names(context: click.Context, option: click.Parameter, text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]


@click.command(cls=GroupedCommand)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@_model(
    "--model",
    metavar="MODEL",
    help="A run, a checkpoint, a saved folder, an export, or a ViTPose; by default ncstr-tiny, which comes along.",
)
@_model("--weights", metavar="SPEC", help="MODEL is a preset: build it and give it these weights.")
@_model("--skeleton", metavar="NAME_OR_PATH", help="Joints of other people's weights, where they do not say.")
@_model("--expert", default=0, type=click.IntRange(0), show_default=True, help="ViTPose+: the expert; 0 is COCO's.")
@_model(
    "--runtime",
    type=click.Choice(["torch", "onnx", "pt2", "aoti"]),
    help="What has to run MODEL; by default torch, or what `posegraph export` made it for.",
)
@_model("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]), show_default=True, help="Where to run.")
@_model(
    "-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the stream: -o hysteresis=0.5."
)
@_people("--boxes", metavar="FILE", type=click.Path(), help="Detections that another tool made, instead of a detector.")
@_people(
    "--detector",
    metavar="torchvision[:NAME]|onnx:FILE|self",
    help="What finds people. By default torchvision where its weights can be had, else self: the pose model itself.",
)
@_people(
    "--every",
    type=click.IntRange(1),
    metavar="N",
    help="Detect in each N-th frame, by default in each; with self, search all of it there, by default in each 10th.",
)
@_people(
    "--min-score",
    type=click.FloatRange(0, 1),
    metavar="SCORE",
    help="Score from which a person starts a track; by default 0.5 with a detector, all with --boxes.",
)
@_people(
    "--tracker", default="botsort", show_default=True, metavar="NAME", help="Gives ids: botsort, bytetrack or ocsort."
)
@_source("--size", "size_wh", type=Size(), help="Frame size of raw frames on stdin.")
@_source("--pixel-format", default="bgr24", show_default=True, metavar="NAME", help="Of raw frames, by FFmpeg's names.")
@_source(
    "--fps", type=click.FloatRange(0, min_open=True), help="Of images and raw frames, or instead of a movie's own."
)
@_source(
    "--timeout",
    "timeout_s",
    default=10.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for a frame of a camera, a stream or stdin.",
)
@_source("--every-frame", is_flag=True, help="Of a camera or a stream: every frame, late or not, not the latest.")
@_output("--out", required=True, metavar="DIR", type=click.Path(file_okay=False), help="Folder of the results.")
@_output(
    "--save",
    default="overlay,posetrack18",
    show_default=True,
    metavar="NAMES",
    callback=_names,
    help="Of overlay (mp4), posetrack18, coco (JSON), csv, parquet and npz; commas between them.",
)
@_output("--smooth", is_flag=True, help="Smooth the poses, causally, by the One-Euro filter.")
@_output(
    "--smooth-cutoff",
    type=click.FloatRange(0, min_open=True),
    metavar="HZ",
    help="One-Euro's min_cutoff: lower is steadier at rest.",
)
@_output("--smooth-beta", type=click.FloatRange(0), metavar="HZ", help="Its beta: higher follows fast joints sooner.")
@_run("--resume", is_flag=True, help="Go on with what an earlier run left unfinished.")
@_run("--overwrite", is_flag=True, help="Begin anew, over the results of an earlier run.")
@_run("--shard", metavar="I/N|auto", help="Only share I (from 0) of N of the sources; auto: as torchrun or SLURM says.")
@json_option
def predict(
    sources: tuple[str, ...],
    model: str | None,
    weights: str | None,
    skeleton: str | None,
    expert: int,
    device: str,
    runtime: Runtime | None,
    overrides: tuple[str, ...],
    out: str,
    save: list[str],
    smooth: bool,
    smooth_cutoff: float | None,
    smooth_beta: float | None,
    resume: bool,
    overwrite: bool,
    shard: str | None,
    json_path: str | None,
    **choices: Any,
) -> int:
    """Poses of the people in every SOURCE, frame by frame: result files, and the video with poses drawn over it.

    SOURCE is a movie, a folder of images, a folder of movies, a camera's number, an address (rtsp://...), or "-": raw
    frames on stdin.

    \b
    Exit status: 0 done; 2 a mistake, or an input or output that failed;
    3 done, but for frames that could not be read; 130 stopped (Ctrl-C, SIGTERM).
    In all cases the files of what was done are whole.
    """
    from posegraph.engine import shards
    from posegraph.engine.predict_files import Stopped, predict_files
    from posegraph.engine.predict_options import PredictOptions, one_euro, stream_settings

    if weights and not model:
        raise click.UsageError("--weights: name the preset that they are for: --model PRESET --weights SPEC")
    with shards.shared_out(shard) as share, FramesBar() as bar:
        options_of_weights = {"preset": model if weights else None, "skeleton": skeleton, "expert": expert}
        name, opened = _opened(weights or model, runtime, device, options_of_weights)
        smoothing = one_euro(smooth_cutoff, smooth_beta) if smooth else None
        options = PredictOptions(stream=stream_settings(opened, overrides), smoothing=smoothing, **choices)
        try:
            summary = predict_files(
                sources,
                opened,
                out,
                save=save,
                options=options,
                resume=resume,
                overwrite=overwrite,
                shard=(share.index, share.count),
                on_frame=bar,
                on_source=lambda report: _tell(report, json_path, bar),
                on_note=notice,
            )
        except Stopped as stop:
            summary = stop.summary
        emit_json({"model": name, **summary.as_json()}, json_path)
        return _status(summary)


def _opened(spec: str | None, runtime: Runtime | None, device: str, options: dict[str, Any]) -> tuple[str, StreamModel]:
    """The model, and what results call it; without SPEC, the one that comes with posegraph."""
    from posegraph.engine import checkpoint
    from posegraph.engine.exporting.opening import open_model
    from posegraph.models.weights.shipped import DEFAULT_MODEL

    name = DEFAULT_MODEL if spec is None else checkpoint.location(spec)
    opened = open_model(spec, runtime, device, **options)
    if spec is None:
        joints = f"{opened.skeleton.num_joints} joints of {opened.skeleton.name}"
        notice(f"no --model: {name}, which comes with posegraph ({joints})")
    if opened.weights_report is not None:
        notice(str(opened.weights_report))
    return name, opened


def _tell(report: SourceReport, json_path: str | None, bar: FramesBar) -> None:
    bar.hide()
    for line in report.warnings():
        notice(line)
    if report.error is not None:
        tell_error(report.error)
    if report.frames and json_path != STDOUT:
        click.echo(report.line())
    if report.state in ("failed", "stopped") and report.frames and not report.live:
        notice(f"{report.source}: {report.frames} frames are done; --resume goes on")


def _status(summary: PredictSummary) -> int:
    if summary.shared_out != 1 or len(summary.sources) != 1:
        notice(summary.line())
    if summary.stopped:
        return STOPPED
    return FAULT if summary.of("failed") else DONE if summary.whole else GAPS
