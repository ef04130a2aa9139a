"""Features of a frozen backbone on disk: computed once, read as memory maps.

A folder holds ``features.npy`` and ``heatmaps.npy``, a row for each clip, and ``meta.json``: what they were made from,
and how many rows are done. bfloat16, which NumPy does not know, is stored as the uint16 of the same bits.

# N clips, T frames, J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from posegraph.config.section import Positive, Section
from posegraph.data.augment import plain_crop
from posegraph.data.clips import ClipMaker, PersonFrame
from posegraph.data.sampling import Key
from posegraph.errors import PoseGraphError
from posegraph.files import read_json, write_json
from posegraph.graph import ClipData
from posegraph.validation import validated

Map = np.memmap[Any, np.dtype[Any]]
META = "meta.json"
_STORED_AS = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}


class RowLayout(Section):
    """One clip's row of an array."""

    shape: tuple[Positive, ...]
    dtype: Literal["float32", "float16", "bfloat16"]

    @classmethod
    def of(cls, batch: Tensor) -> RowLayout:
        """The rows of a batch ``[B, ...]``."""
        return cls.model_validate({"shape": tuple(batch.shape[1:]), "dtype": str(batch.dtype).removeprefix("torch.")})

    @property
    def num_bytes(self) -> int:
        """Of a row."""
        return math.prod(self.shape) * np.dtype(_STORED_AS[self.dtype]).itemsize


class CacheMeta(Section):
    """What ``meta.json`` says.

    Fields:
        made_from: Everything that decides the content; two caches with the same are the same.
        clips, done: Rows in all, and those that are written (in the order in which they were computed).
        features, heatmaps: ``[T, C, h, w]`` and ``[T, J, H, W]`` of a row.
    """

    made_from: dict[str, Any]
    clips: Positive
    done: Annotated[int, Field(ge=0)]
    features: RowLayout
    heatmaps: RowLayout

    @classmethod
    def of(cls, made_from: dict[str, Any], clips: int, features: Tensor, heatmaps: Tensor) -> CacheMeta:
        """Nothing done yet; rows are as those of the batches ``features`` and ``heatmaps``."""
        features_row, heatmaps_row = RowLayout.of(features), RowLayout.of(heatmaps)
        return cls(made_from=made_from, clips=clips, done=0, features=features_row, heatmaps=heatmaps_row)

    @property
    def missing(self) -> int:
        """Rows that are not written yet."""
        return self.clips - self.done

    @property
    def bytes_per_clip(self) -> int:
        """On disk."""
        return self.features.num_bytes + self.heatmaps.num_bytes

    @property
    def num_bytes(self) -> int:
        """On disk, all rows."""
        return self.clips * self.bytes_per_clip


class FeatureCache:
    """The features of one list of clips. Pickled without the maps: every process opens its own by their path."""

    def __init__(self, folder: Path, meta: CacheMeta) -> None:
        self.folder, self.meta = folder, meta
        self._maps: dict[str, Map] = {}

    @classmethod
    def open(cls, folder: Path) -> FeatureCache | None:
        """What the folder holds, complete or not; None where there is nothing."""
        path = folder / META
        if not path.exists():
            return None
        return cls(folder, validated(CacheMeta, read_json(path), str(path)))

    @classmethod
    def open_complete(cls, folder: Path, clips: int) -> FeatureCache:
        """What can be trained from. Raises :class:`PoseGraphError` where the features of ``clips`` are not whole."""
        cache = cls.open(folder)
        if cache is None or not cache.complete or cache.meta.clips != clips:
            found = "no features" if cache is None else f"features of {cache.meta.done} clips"
            raise PoseGraphError(f"{folder}: {found}; expected those of {clips}; `posegraph features` computes them")
        for name in ("features", "heatmaps"):
            cache._map(name)
        return cache

    @property
    def complete(self) -> bool:
        """Every row is written."""
        return not self.meta.missing

    def write(self, rows: Sequence[int], features: Tensor, heatmaps: Tensor) -> None:
        """Set rows from ``[B, T, C, h, w]`` and ``[B, T, J, H, W]``, and count them as done once the disk has them.

        Raises :class:`PoseGraphError` where they cannot be written, or differ in type from those before them.
        """
        if not self.meta.done:
            self._make_files()
        self._write_rows("features", rows, features)
        self._write_rows("heatmaps", rows, heatmaps)
        self.meta = self.meta.model_copy(update={"done": self.meta.done + len(rows)})
        write_json(self.folder / META, self.meta.model_dump(mode="json"))

    def read(self, row: int) -> tuple[Tensor, Tensor]:
        """Features ``[1, T, C, h, w]`` and heatmaps ``[1, T, J, H, W]`` of a clip."""
        return self._row("features", row), self._row("heatmaps", row)

    def _make_files(self) -> None:
        """Arrays without content."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, layout in (("features", self.meta.features), ("heatmaps", self.meta.heatmaps)):
            shape, dtype = (self.meta.clips, *layout.shape), _STORED_AS[layout.dtype]
            np.lib.format.open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)

    def _write_rows(self, name: str, rows: Sequence[int], values: Tensor) -> None:
        path, layout = self.folder / f"{name}.npy", getattr(self.meta, name)
        if RowLayout.of(values) != layout:
            raise PoseGraphError(
                f"{path}: was begun with {layout.dtype} {layout.shape}, but {values.dtype} {tuple(values.shape[1:])} "
                f"came next; go on with the same kind of device, or remove {self.folder}"
            )
        begin = self._map(name).offset
        bits = values.cpu().contiguous().view(torch.uint8)
        try:
            # Plain writes: where the disk is full they fail with an error, and a map with a signal that kills.
            with path.open("r+b") as file:
                for row, value in zip(rows, bits, strict=True):
                    file.seek(begin + row * layout.num_bytes)
                    file.write(value.numpy().data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise PoseGraphError(
                f"{path}: cannot be written ({error.strerror}); what is done is kept: make room and start again"
            ) from error

    def _row(self, name: str, row: int) -> Tensor:
        layout: RowLayout = getattr(self.meta, name)
        # A copy: writing to a tensor on the map itself would kill the process.
        values = torch.from_numpy(np.array(self._map(name)[row : row + 1]))
        return values.view(torch.bfloat16) if layout.dtype == "bfloat16" else values

    def _map(self, name: str) -> Map:
        if name not in self._maps:
            self._maps[name] = self._opened(name)
        return self._maps[name]

    def _opened(self, name: str) -> Map:
        path, layout = self.folder / f"{name}.npy", getattr(self.meta, name)
        expected = f"{self.meta.clips} x {layout.shape}"
        try:
            array: Map = np.lib.format.open_memmap(path, mode="r")
        except (OSError, ValueError) as error:
            found = getattr(error, "strerror", None) or str(error)
            raise _damaged(path, found, expected) from None
        if array.shape != (self.meta.clips, *layout.shape) or array.dtype != _STORED_AS[layout.dtype]:
            raise _damaged(path, f"an array {array.shape} {array.dtype}", expected)
        return array

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}


def _damaged(path: Path, found: str, expected: str) -> PoseGraphError:
    return PoseGraphError(
        f"{path}: {found}; expected {expected} as {path.parent / META} says; remove {path.parent} to have it "
        "computed again"
    )


class CachedClips(Dataset[ClipData]):
    """People -> clips with features in place of images: plain crops, whatever the augmentation.

    Takes the keys of :class:`posegraph.data.clips.ClipDataset`.
    """

    def __init__(
        self, people: Sequence[PersonFrame], cache: FeatureCache, maker: ClipMaker, box_scale: float = 1.25
    ) -> None:
        self.people, self.cache, self.maker, self.box_scale = people, cache, maker, box_scale

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, key: int | tuple[int, int] | Key) -> ClipData:
        _, number, counted = Key(*key) if isinstance(key, tuple) else Key(0, key)
        person = self.people[number]
        crop = plain_crop(person.box_xywh, self.maker.input_hw, self.box_scale)
        clip = self.maker.without_images(crop, person)
        clip.features, clip.heatmaps = self.cache.read(number)
        clip.counted = torch.tensor([counted])
        return clip
