"""Writing an annotation index video by video, so that its size does not matter.

# N people (one person in one frame), F frames, V videos
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegraph.data.index_format import FRAME_COLUMNS, META, VERSION, IndexMeta, Layout, Source, person_columns
from posegraph.data.tracks import PersonTrack, Video
from posegraph.errors import PoseGraphError
from posegraph.files import write_json
from posegraph.skeleton import Skeleton

_NAMES: Layout = {"frame_names": ("uint8", ())}


class IndexWriter:
    """Takes videos in any order, and at the end puts them in that of their names, as reading the files would.

    A context manager. Columns go to ``*.raw`` files, a video after the other, which :meth:`finish` turns into ``.npy``.

    Args:
        folder: An empty folder.
        skeleton: Of the tracks' rows.
    """

    def __init__(self, folder: Path, skeleton: Skeleton) -> None:
        self.folder, self.skeleton = folder, skeleton
        self._layout = person_columns(skeleton.num_joints) | FRAME_COLUMNS | _NAMES
        self._sizes: dict[str, list[int]] = {name: [] for name in self._layout}  # rows of each video
        self._sources: dict[str, Path] = {}  # of each video
        self._name_lengths: list[NDArray[np.int64]] = []
        self._seen = np.zeros(skeleton.num_joints, dtype=bool)
        self._raw: dict[str, IO[bytes]] = {}
        self._files = ExitStack()

    def __enter__(self) -> IndexWriter:
        for name in self._layout:
            self._raw[name] = self._files.enter_context(self._raw_path(name).open("wb"))
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, video: Video, tracks: Sequence[PersonTrack]) -> None:
        """A video with its people in order. Raises :class:`PoseGraphError` where its name was there before."""
        if video.name in self._sources:
            raise PoseGraphError(
                f"{video.source}: video {video.name!r} is in {self._sources[video.name]} too; "
                "expected every video once; take one of the files out of the folder"
            )
        self._sources[video.name] = video.source
        names = [name.encode("utf-8") for name in video.frame_files]
        self._name_lengths.append(np.array([len(name) for name in names], dtype=np.int64))
        self._append("frame_names", [np.frombuffer(b"".join(names), dtype=np.uint8)])
        for name in FRAME_COLUMNS:
            self._append(name, [getattr(video, name)])
        for name in person_columns(self.skeleton.num_joints):
            self._append(name, [_values(track, name) for track in tracks])
        for track in tracks:
            self._seen |= track.annotated.any(axis=0)

    def _append(self, name: str, parts: Sequence[ArrayLike]) -> None:
        dtype = self._layout[name][0]
        arrays = [np.ascontiguousarray(part, dtype=dtype) for part in parts]
        for array in arrays:
            self._raw[name].write(array.data)
        self._sizes[name].append(sum(map(len, arrays)))

    def finish(
        self,
        made_from: Path,
        sources: Sequence[Source],
        skipped: Counter[str],
        clip_frames: int,
        future_frames: int = 0,
    ) -> IndexMeta:
        """Write the columns and what is known of them, and return that.

        Args:
            made_from: The annotation file, or the folder of them.
            sources: Every file that a video came from.
            skipped: What was left out, reason -> count.
            clip_frames, future_frames: Images of clips this long, so many of them after the key frame, are on disk.
        """
        self._files.close()
        names, own = list(self._sources), list(self._sources.values())
        order = sorted(range(len(names)), key=names.__getitem__)
        for name in self._layout:
            self._put_in_order(name, order)
        people, frames = (np.array(self._sizes[name], dtype=np.int64)[order] for name in ("frame", "image_ids"))
        lengths = np.concatenate([self._name_lengths[video] for video in order])
        encoded = [names[video].encode("utf-8") for video in order]
        number = {source.path: row for row, source in enumerate(sources)}
        self._save("video", np.repeat(np.arange(len(order), dtype=np.int32), people))
        self._save("source", np.array([number[str(own[video])] for video in order], dtype=np.int32))
        self._save("first_frame", _starts(frames))
        self._save("frame_name_start", _starts(lengths))
        self._save("video_names", np.frombuffer(b"".join(encoded), dtype=np.uint8))
        self._save("video_name_start", _starts([len(name) for name in encoded]))
        meta = IndexMeta(
            version=VERSION,
            made_from=str(made_from),
            skeleton=self.skeleton.name,
            joints=self.skeleton.joints,
            people=int(people.sum()),
            frames=int(frames.sum()),
            videos=len(order),
            frame_name_bytes=int(lengths.sum()),
            video_name_bytes=sum(map(len, encoded)),
            ever_annotated=tuple(self._seen.tolist()),
            skipped=dict(skipped),
            clip_frames=clip_frames,
            future_frames=future_frames,
            sources=tuple(sources),
        )
        write_json(self.folder / META, meta.model_dump(mode="json"))
        return meta

    def _raw_path(self, name: str) -> Path:
        return self.folder / f"{name}.raw"

    def _put_in_order(self, name: str, order: Sequence[int]) -> None:
        (dtype, row), start = self._layout[name], _starts(self._sizes[name])
        shape = (int(start[-1]), *row)
        raw = np.memmap(self._raw_path(name), dtype, mode="r", shape=shape)
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        # Written, not mapped: a full disk is then an error, where a mapped page would end the process.
        with (self.folder / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for video in order:
                file.write(raw[start[video] : start[video + 1]].data)
        self._raw_path(name).unlink()

    def _save(self, name: str, values: NDArray[np.generic]) -> None:
        np.save(self.folder / f"{name}.npy", values)


def _values(track: PersonTrack, name: str) -> ArrayLike:
    if name == "track_id":
        return np.full(len(track), track.track_id)
    values: ArrayLike = getattr(track, name)
    return values


def _starts(lengths: ArrayLike) -> NDArray[np.int64]:
    """0 and the running sums: each part begins where the one before it ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
