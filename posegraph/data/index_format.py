"""The files of an annotation index: one ``.npy`` file a column, and a JSON file that says what they hold.

# N people (one person in one frame), F frames, V videos, J joints
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posegraph.config.section import Positive, Section
from posegraph.errors import PoseGraphError
from posegraph.files import read_json, sha256
from posegraph.skeleton import Skeleton
from posegraph.validation import validated

META = "posegraph-index.json"
VERSION = 1

Columns = dict[str, NDArray[Any]]
Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Column -> its type, and the shape of one row."""

FRAME_COLUMNS: Layout = {"image_ids": ("int64", ()), "image_hw": ("int32", (2,)), "labeled": ("bool", ())}


def person_columns(num_joints: int) -> Layout:
    """What is kept of a person; floats as the annotation has them."""
    return {
        "frame": ("int32", ()),
        "track_id": ("int64", ()),
        "keypoints_px": ("float64", (num_joints, 2)),
        "annotated": ("bool", (num_joints,)),
        "visibility": ("int8", (num_joints,)),
        "boxes_xywh": ("float64", (4,)),
    }


class Source(Section):
    """An annotation file as it was when it was read."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Source:
        """The file as it is now."""
        state = path.stat()
        return cls(path=str(path), size=state.st_size, mtime_ns=state.st_mtime_ns, sha256=sha256(path))

    def is_changed(self) -> bool:
        """Its content is another. The file is read only where size or time are; one that is gone is not changed."""
        try:
            state = os.stat(self.path)  # there may be tens of thousands: a Path would take longer than the disk
        except OSError:
            return False
        if state.st_size == self.size and state.st_mtime_ns == self.mtime_ns:
            return False
        return state.st_size != self.size or sha256(Path(self.path)) != self.sha256


class IndexMeta(Section):
    """What ``posegraph-index.json`` says.

    Fields:
        version: Of this format.
        made_from: The annotation file, or the folder of them.
        skeleton, joints: Name, and the order of the keypoint rows.
        people, frames, videos: ``N``, ``F``, ``V``.
        frame_name_bytes, video_name_bytes: Of all names together, UTF-8.
        ever_annotated: ``[J]``: somebody has the joint.
        skipped: What was left out while reading, reason -> count.
        clip_frames, future_frames: Images of clips this long, so many of them after the key frame, were on disk.
        sources: The annotation files.
    """

    version: int
    made_from: str
    skeleton: str
    joints: tuple[str, ...]
    people: Positive
    frames: Positive
    videos: Positive
    frame_name_bytes: Positive
    video_name_bytes: Positive
    ever_annotated: tuple[bool, ...]
    skipped: dict[str, int]
    clip_frames: Positive
    future_frames: Annotated[int, Field(ge=0)] = 0
    sources: tuple[Source, ...]

    def looked_for(self, clip_frames: int, future_frames: int) -> bool:
        """Whether the images of such clips were among those looked for."""
        past, checked_past = clip_frames - 1 - future_frames, self.clip_frames - 1 - self.future_frames
        return past <= checked_past and future_frames <= self.future_frames

    @property
    def columns(self) -> Layout:
        """Every column with its type and its whole shape."""
        rows = {name: (dtype, (self.people, *row)) for name, (dtype, row) in person_columns(len(self.joints)).items()}
        rows |= {name: (dtype, (self.frames, *row)) for name, (dtype, row) in FRAME_COLUMNS.items()}
        return rows | {
            "video": ("int32", (self.people,)),
            "source": ("int32", (self.videos,)),
            "first_frame": ("int64", (self.videos + 1,)),
            "frame_names": ("uint8", (self.frame_name_bytes,)),
            "frame_name_start": ("int64", (self.frames + 1,)),
            "video_names": ("uint8", (self.video_name_bytes,)),
            "video_name_start": ("int64", (self.videos + 1,)),
        }


def is_index(path: str | Path) -> bool:
    """Whether the folder is an annotation index."""
    return (Path(path) / META).is_file()


def read_meta(folder: Path) -> IndexMeta:
    """Raises :class:`PoseGraphError` for a file that is damaged, or of another version."""
    path = folder / META
    content = read_json(path)
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise PoseGraphError(f"{path}: format version {version!r}; expected {VERSION}; {rebuild(folder)}")
    return validated(IndexMeta, content, str(path))


def open_columns(folder: Path, meta: IndexMeta) -> Columns:
    """Every column as a read-only memory map. Raises :class:`PoseGraphError` for one that is missing or damaged."""
    columns = {}
    for name, (dtype, shape) in meta.columns.items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise PoseGraphError(f"{path}: no such file; expected a column of the index; {rebuild(folder)}") from None
        except (OSError, ValueError, EOFError) as error:
            raise PoseGraphError(f"{path}: cannot be opened ({error}); it may be cut off; {rebuild(folder)}") from None
        if array.dtype != dtype or array.shape != shape:
            raise PoseGraphError(
                f"{path}: found {array.dtype} {list(array.shape)}, expected {dtype} {list(shape)}; {rebuild(folder)}"
            )
        # Rows of a plain array are made faster than those of a numpy.memmap; both read the same pages.
        columns[name] = array.view(np.ndarray)
    return columns


def check_fits(folder: Path, meta: IndexMeta, skeleton: Skeleton) -> None:
    """Raise :class:`PoseGraphError` for an index with other joints, or whose annotation files have changed since."""
    if meta.joints != skeleton.joints:
        raise PoseGraphError(
            f"{folder}: made for skeleton {meta.skeleton!r} ({len(meta.joints)} joints), but the run's is "
            f"{skeleton.name!r} ({skeleton.num_joints}); expected the same joints in the same order; "
            f"build it with --skeleton, or set skeleton={meta.skeleton}"
        )
    for source in meta.sources:
        if source.is_changed():
            raise PoseGraphError(f"{folder}: {source.path} has changed since the index was made; {rebuild(folder)}")
    if os.path.isdir(meta.made_from):
        known = {os.path.basename(source.path) for source in meta.sources}
        new = sorted(name for name in os.listdir(meta.made_from) if name.endswith(".json") and name not in known)
        if new:
            raise PoseGraphError(
                f"{folder}: {len(new)} annotation files of {meta.made_from} are not in it, first: {new[0]}; "
                f"{rebuild(folder)}"
            )


def rebuild(folder: Path) -> str:
    """The cure of every fault of an index."""
    return f"build it again (posegraph data index ... {folder})"
