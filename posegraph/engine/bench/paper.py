"""The paper's Table 5 beside the same quantities of this implementation, counted in full."""

from __future__ import annotations

from dataclasses import dataclass

from posegraph.config import RunConfig
from posegraph.engine.bench.model_work import ModelWork, model_work, total
from posegraph.skeleton import Skeleton

SIZES = ("S", "B", "L", "H")
JOINTS = 17
_PARAMETERS = (30.7, 96.2, 314.9, 643.7)  # millions
_GFLOPS = (38.6, 94.0, 283.2, 573.3)  # a clip
_GMACS = (19.2, 47.1, 141.7, 285.6)  # a clip


@dataclass(frozen=True)
class PaperRow:
    """A line of the table.

    Fields:
        figure: What it is, with its unit.
        source: ``paper``, ``ours``, or ``ours / paper``.
        values: For S, B, L and H.
        counted: What is counted, and where it is known why it differs.
    """

    figure: str
    source: str
    values: tuple[float, ...]
    counted: str


def paper_table() -> list[PaperRow]:
    """Table 5 (spec section 10) and ours: 256x192 crops, 17 joints, the classic decoder. Nothing is adjusted."""
    skeleton = Skeleton.load("posetrack17")
    assert skeleton.num_joints == JOINTS
    works = [model_work(RunConfig.from_preset(f"ncstr-{size.lower()}").model, skeleton) for size in SIZES]
    return [*_parameter_rows(works), *_clip_rows(works), *_stream_rows(works)]


def _parameter_rows(works: list[ModelWork]) -> list[PaperRow]:
    ours = tuple(sum(work.parameters.values()) / 1e6 for work in works)
    return [
        PaperRow("parameters, M", "paper", _PARAMETERS, "as printed"),
        PaperRow(
            "parameters, M", "ours", ours, f"all, decoder included; {JOINTS} joints, which the paper does not say"
        ),
        PaperRow(
            "parameters", "ours / paper", _ratio(ours, _PARAMETERS), "widths inside the head are not in the paper"
        ),
    ]


def _clip_rows(works: list[ModelWork]) -> list[PaperRow]:
    clips = [total(work.clip) for work in works]
    macs = tuple(clip.macs / 1e9 for clip in clips)
    without = tuple(clip.weights / 1e9 for clip in clips)
    flops = tuple(clip.flops / 1e9 for clip in clips)
    frame_free = tuple((total(work.clip) - work.clip["backbone"] - work.clip["decoder"]).macs / 1e9 for work in works)
    return [
        PaperRow("GMACs a clip", "paper", _GMACS, "as printed; which products, frames and input is not said"),
        PaperRow("GMACs a clip", "ours", macs, "every product of 3 full frames and the head, attention's included"),
        PaperRow("GMACs a clip", "ours", without, "the same without the products of activations with activations"),
        PaperRow("GMACs a clip", "ours", frame_free, "the head alone (joint embedding, pose query, graph, fusion)"),
        PaperRow(
            "GMACs a clip",
            "ours / paper",
            _ratio(macs, _GMACS),
            "3 frames of ViTPose alone are above the paper's B, L, H and below its S: its counter or input differs",
        ),
        PaperRow("GFLOPs a clip", "paper", _GFLOPS, "as printed: 2 a multiply-add, to 1%"),
        PaperRow("GFLOPs a clip", "ours", flops, "2 a multiply-add, attention products included"),
    ]


def _stream_rows(works: list[ModelWork]) -> list[PaperRow]:
    streams = [total(work.stream) for work in works]
    frames = tuple((work.stream["backbone"] + work.stream["decoder"]).macs / 1e9 for work in works)
    return [
        PaperRow(
            "GMACs an output pose, steady stream",
            "ours",
            tuple(stream.macs / 1e9 for stream in streams),
            "1 new frame through backbone and decoder, the head over 3; the paper has no such figure",
        ),
        PaperRow(
            "GMACs an output pose, steady stream",
            "ours",
            tuple(stream.weights / 1e9 for stream in streams),
            "the same without attention products",
        ),
        PaperRow("GMACs a frame", "ours", frames, "ViTPose: 1 full frame through backbone and decoder, with attention"),
    ]


def _ratio(ours: tuple[float, ...], theirs: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one / other for one, other in zip(ours, theirs, strict=True))
