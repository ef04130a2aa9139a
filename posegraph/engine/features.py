"""Computing the features of a frozen backbone once, into the folder ``data.features``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import track
from torch import Tensor

from posegraph.config import RunConfig
from posegraph.data.clips import annotated_places
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.feature_cache import CacheMeta, FeatureCache
from posegraph.data.index import Tracks
from posegraph.data.sampling import time_order
from posegraph.engine.distributed import on_gpu, own_device
from posegraph.engine.feature_key import differences, digest_of_weights, feature_key
from posegraph.errors import PoseGraphError
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import started_model
from posegraph.models.weights import WeightsReport, load_weights
from posegraph.skeleton import Skeleton

Encode = Callable[[Tensor], Encoded]
Notice = Callable[[str], None]
_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def compute_features(
    config: RunConfig, on_notice: Notice | None = None, progress: bool = False
) -> dict[str, FeatureCache]:
    """Have the features of a run's clips in its ``data.features``, without training it.

    Args, return value and errors as of :func:`ensure_features`.
    """
    _check_weights(config)
    # As in training: rows of a decoder for joints that the weights do not know are drawn.
    lightning.seed_everything(config.seed, verbose=False)
    skeleton = Skeleton.load(config.skeleton)
    data = ClipDataModule(config, skeleton)
    model = started_model(config.model, skeleton)
    data.check_images()
    return ensure_features(data, model, on_notice, progress)


def train_from_features(
    data: ClipDataModule,
    model: PoseModel,
    checkpoint: Path | None = None,
    on_notice: Notice | None = None,
    progress: bool = False,
) -> None:
    """Check that a run can train from features that were computed once, and have them (:func:`ensure_features`).

    Args:
        checkpoint: What the run goes on from; None: the model has its weights already.

    Raises:
        PoseGraphError: also where the run would train backbone or decoder.
    """
    _check_frozen(data.config)
    if checkpoint is not None:
        load_weights(model, checkpoint)
    ensure_features(data, model, on_notice, progress)
    if on_notice is not None:
        on_notice(
            f"training from the features in {data.config.data.features}: augmentation is off, clips are plain crops"
        )


def ensure_features(
    data: ClipDataModule, model: PoseModel, on_notice: Notice | None = None, progress: bool = False
) -> dict[str, FeatureCache]:
    """Have the features of all clips of ``data`` in its ``data.features``: those there are checked, others computed.

    Of several processes one computes, and the others wait for it. What an interrupted computation has done is kept.

    Args:
        data: The clips; its configuration names folder, precision and device.
        model: Backbone and decoder with their weights. They are left in evaluation mode, and where they were.
        on_notice: Called with lines for the user.
        progress: Show a live bar.

    Returns:
        Part (``train``, ``val``) -> its features.

    Raises:
        PoseGraphError: backbone or decoder are random, the folder holds the features of something else, or damaged
            ones, or the disk lacks room.
    """
    config, tell = data.config, on_notice or _nobody
    _check_weights(config, model.weights_report)
    assert config.data.features is not None
    folder, weights = Path(config.data.features), digest_of_weights(model)
    keys = {part: feature_key(config, weights, tracks) for part, tracks in data.parts.items()}
    if not all(_is_complete(folder / part, key) for part, key in keys.items()):
        device = own_device() if on_gpu(config.training) else torch.device("cpu")
        with _alone(folder, tell), _encoder(model, device, config.training.precision) as encode:
            _compute(data, folder, keys, encode, tell, progress)
    return {part: FeatureCache.open_complete(folder / part, tracks.num_poses) for part, tracks in data.parts.items()}


def _check_frozen(config: RunConfig) -> None:
    if config.training.backbone_lr_scale != 0:
        raise PoseGraphError(
            f"data.features: training.backbone_lr_scale is {config.training.backbone_lr_scale:g}, so the backbone "
            "would learn and its features change; set it to 0, or data.features to null"
        )
    if config.loss.heatmap != 0:
        raise PoseGraphError(
            f"data.features: loss.heatmap is {config.loss.heatmap:g}, but heatmaps that were computed once cannot "
            "learn; set it to 0, or data.features to null"
        )


def _check_weights(config: RunConfig, report: WeightsReport | None = None) -> None:
    """That there is a trained backbone, and a head that can use its features."""
    if config.model.variant == "vit_alone":
        raise PoseGraphError(
            "data.features: model.variant vit_alone has no head to train from features; choose another variant, or "
            "set data.features to null"
        )
    if config.model.weights is None:
        raise PoseGraphError(
            "data.features: model.weights is empty, and a frozen backbone would stay random; name a run or pretrained "
            "weights (-o model.weights=...)"
        )
    random = [
        name for name in (report.initialised if report else ()) if name.startswith(("backbone.", "heatmap_head."))
    ]
    if random:
        raise PoseGraphError(
            f"data.features: {config.model.weights} lacks {len(random)} tensors of backbone or decoder, first: "
            f"{random[0]}; frozen, they would stay random: give weights that hold them"
        )


def _nobody(_: str) -> None:
    """For who asked for no notices."""


def _open(folder: Path, key: dict[str, Any]) -> FeatureCache | None:
    """The cache there, complete or not. Raises :class:`PoseGraphError` where it is one of something else."""
    cache = FeatureCache.open(folder)
    changed = differences(cache.meta.made_from, key) if cache is not None else []
    if changed:
        raise PoseGraphError(
            f"{folder}: holds the features of {'; '.join(changed)}. Give another folder (data.features), or remove "
            "this one to have them computed again"
        )
    return cache


def _is_complete(folder: Path, key: dict[str, Any]) -> bool:
    cache = _open(folder, key)
    return cache is not None and cache.complete


@contextmanager
def _alone(folder: Path, tell: Notice) -> Iterator[None]:
    """A block that one process at a time runs. The system frees the lock of a process that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell(f"{folder}: another process computes these features; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _encoder(model: PoseModel, device: torch.device, precision: str) -> Iterator[Encode]:
    """Crops ``[B, T, 3, H_in, W_in]`` -> :class:`Encoded`, as training at this precision has it."""
    parts = (model.backbone, model.heatmap_head)
    home = next(model.backbone.parameters()).device
    dtype = _AUTOCAST.get(precision)

    @torch.no_grad()
    def encode(frames: Tensor) -> Encoded:
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            encoded = model.encode(frames.to(device, non_blocking=True))
            # A model that does without heatmaps has them stored all the same: others train from the same folder.
            return encoded if model.reads_heatmaps else Encoded(encoded.features, model.decode(encoded.features))

    for part in parts:
        part.to(device).eval()
    model.backbone.fuse_attention(device.type != "cpu")
    try:
        yield encode
    finally:
        model.backbone.fuse_attention(True)
        for part in parts:
            part.to(home)


def _compute(
    data: ClipDataModule, folder: Path, keys: dict[str, dict[str, Any]], encode: Encode, tell: Notice, progress: bool
) -> None:
    """Compute what is missing of all parts, having looked whether the disk has room for it."""
    model = data.config.model
    sample = encode(torch.zeros(1, model.clip_frames, 3, *model.input_hw))
    caches = {}
    for part, key in keys.items():
        clips = data.parts[part].num_poses
        caches[part] = _open(folder / part, key) or FeatureCache(folder / part, CacheMeta.of(key, clips, *sample))
    _check_room(folder, sum(cache.meta.missing * cache.meta.bytes_per_clip for cache in caches.values()))
    for part, cache in caches.items():
        if not cache.complete:
            tell(f"computing the features of {cache.meta.missing} clips into {cache.folder}")
            _fill(cache, data, data.parts[part], encode, progress)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PoseGraphError(
            f"{folder}: the features take {needed / 1e9:.2f} GB, and the disk has {free / 1e9:.2f} GB free; make room, "
            "or give another folder (data.features)"
        )


def _fill(cache: FeatureCache, data: ClipDataModule, tracks: Tracks, encode: Encode, progress: bool) -> None:
    # In time order, neighbours share decoded frames; the rows stay in the order of the people.
    order = time_order(*annotated_places(tracks))[cache.meta.done :]
    batches = data.plain_loader(tracks, order)
    console = Console(stderr=True)
    for clip in track(batches, "features", len(batches), console=console, transient=True, disable=not progress):
        rows, order = order[: len(clip.frames)], order[len(clip.frames) :]
        cache.write(rows.tolist(), *encode(clip.frames))
