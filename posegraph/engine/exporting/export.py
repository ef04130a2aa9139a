"""``posegraph export``: a model to a folder that other runtimes run, checked before it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posegraph import __version__
from posegraph.engine.exporting.check import REDUCED_MEAN_PX, Differences, compare, stream_speed
from posegraph.engine.exporting.clips import annotated_clips, image_clips, synthetic_clips
from posegraph.engine.exporting.exported import MANIFEST, VERSION, is_exported, load_exported
from posegraph.engine.exporting.formats import SUFFIXES, Format, Precision, check_choice, quantise, write_part
from posegraph.engine.exporting.parts import PARTS, model_parts
from posegraph.errors import PoseGraphError
from posegraph.files import full_disk_told, replacing_folder, sha256, write_json
from posegraph.graph import ClipData
from posegraph.models.base import PoseModel
from posegraph.models.weights.own import config_json

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "torch-geometric", "timm")


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how it compares with the model.

    Fields:
        out: The folder.
        format, precision: As asked for.
        checked_on: Where the check's clips are from.
        differences: From the model as written, in float32.
        speed: Of a stream's step (:func:`stream_speed`).
        size_bytes: Of the files of the parts.
    """

    out: str
    format: Format
    precision: Precision
    checked_on: str
    differences: Differences
    speed: dict[str, Any]
    size_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people, a line each."""
        megabytes, found, speed = self.size_bytes / 1e6, self.differences, self.speed
        return [
            f"{self.out}: {self.format}, {self.precision}, {megabytes:.1f} MB",
            f"checked on {found.clips} clips ({self.checked_on}) in batches of {', '.join(map(str, found.batches))}: "
            f"{found}",
            f"a stream's step for one person: {speed['export_ms']:.1f} ms, the model's {speed['model_ms']:.1f} ms "
            f"({speed['speedup']:.2f} times as fast), {speed['threads']} threads",
        ]


def export_model(
    model: PoseModel,
    out: str | Path,
    to: Format = "onnx",
    precision: Precision = "fp32",
    *,
    check_data: str | Path | None = None,
    check_images: str | Path | None = None,
    max_mean_px: float = REDUCED_MEAN_PX,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> ExportReport:
    """Write a model as files of another runtime, for clips and for streams, with batches of any size.

    The files are run beside the model before they take their place: an export that differs leaves nothing behind.

    Args:
        model: On the CPU; left as it is.
        out: A new folder; with ``overwrite`` also one that an earlier export wrote.
        to: ``onnx``, ``pt2`` (a torch.export program) or ``aoti`` (compiled for this machine's processor).
        precision: Of the backbone: ``fp32``; ``bf16`` (pt2, aoti); ``int8`` (onnx; linear layers of the head, too).
        check_data: Annotations of the people to check it on.
        check_images: Or pictures of people. Neither: drawn people.
        max_mean_px: How far bf16 and int8 may move keypoints on average, in pixels of the crop.
        overwrite: Replace an earlier export.
        say: Is told what happens next.

    Raises:
        PoseGraphError: ``out`` exists, the model cannot be exported, or the export is not the model.
    """
    check_choice(to, precision)
    target = Path(out)
    _check_free(target, overwrite)
    was_training = model.training
    model.eval()
    try:
        clips, checked_on = _clips(model, check_data, check_images)
        full = full_disk_told(target, "make room on the disk, or choose another folder")
        with full, replacing_folder(target) as folder:
            files = _write(model, folder, to, precision, torch.stack([clip.frames[0] for clip in clips[:2]]), say)
            manifest = _manifest(model, to, precision, files)
            write_json(folder / MANIFEST, manifest)
            say("checking it against the model")
            exported = load_exported(folder)
            differences = compare(model, exported, clips)
            differences.check(exact=precision == "fp32", max_mean_px=max_mean_px)
            report = ExportReport(
                str(target),
                to,
                precision,
                checked_on,
                differences,
                stream_speed(model, exported, clips[0]),
                sum((folder / file["name"]).stat().st_size for file in files),
            )
            write_json(folder / MANIFEST, manifest | {"check": report.as_json()})
    finally:
        model.train(was_training)
    return report


def _check_free(target: Path, overwrite: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not is_exported(target):
        raise PoseGraphError(f"--out {target}: exists, and posegraph export did not write it; name a new folder")
    if not overwrite:
        raise PoseGraphError(f"--out {target}: holds an export; name a new folder, or give --overwrite")


def _clips(model: PoseModel, data: str | Path | None, images: str | Path | None) -> tuple[Sequence[ClipData], str]:
    if data is not None:
        return annotated_clips(model, data, images), f"people of {data}"
    if images is not None:
        return image_clips(model, images), f"images of {images}"
    return synthetic_clips(model), "drawn people"


@torch.no_grad()
def _write(
    model: PoseModel, folder: Path, to: Format, precision: Precision, frames: Tensor, say: Callable[[str], None]
) -> list[dict[str, str]]:
    """The parts' files, and of each its part, name and hash. A part's own file comes first."""
    parts = model_parts(model, torch.bfloat16 if precision == "bf16" else torch.float32)
    features, heatmaps = parts["encode"](frames.flatten(0, 1))
    clip_shape = frames.shape[:2]
    examples = {
        "encode": (frames.flatten(0, 1),),
        "reason": (features.unflatten(0, clip_shape).contiguous(), heatmaps.unflatten(0, clip_shape).contiguous()),
        "clip": (frames,),
    }
    entries = []
    for name in PARTS:
        say(f"exporting {name}")
        path = folder / f"{name}{SUFFIXES[to]}"
        write_part(name, parts[name], examples[name], to, path)
        if precision == "int8":
            quantise(path)
        others = sorted(file for file in folder.glob(f"{path.name}?*"))
        entries += [{"part": name, "name": file.name, "sha256": sha256(file)} for file in (path, *others)]
    return entries


def _manifest(model: PoseModel, to: Format, precision: Precision, files: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "posegraph_export": VERSION,
        "format": to,
        "precision": precision,
        "run": config_json(model.run_config, model.config, model.skeleton, __version__),
        "parts": {name: spec._asdict() for name, spec in PARTS.items()},
        "files": files,
        "versions": {package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
