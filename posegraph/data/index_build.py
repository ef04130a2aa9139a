"""From annotation files to an index of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from posegraph.data.formats import read_tracks
from posegraph.data.formats.recognise import annotation_files
from posegraph.data.index_format import IndexMeta, Source, is_index
from posegraph.data.index_writer import IndexWriter
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader
from posegraph.errors import PoseGraphError
from posegraph.files import full_disk_told, replacing_folder
from posegraph.skeleton import Skeleton


def build_index(
    path: str | Path,
    out: str | Path,
    skeleton: Skeleton | str | Path,
    images: str | Path | None = None,
    clip_frames: int = 3,
    future_frames: int = 0,
    on_file: Callable[[int, int], None] | None = None,
) -> IndexMeta:
    """Write the people of annotation files as memory-mapped columns; one file is held in memory at a time.

    Args:
        path: An annotation file, or a folder of them, as :func:`read_tracks` takes it.
        out: Folder of the index. An index that is there is replaced, as a whole and at the end.
        skeleton: The rows wanted: that of the runs to come.
        images: Folder that image names start from; None: looked up from each annotation file's folder upwards.
        clip_frames, future_frames: The images of clips this long, so many of them after the key frame, are checked to
            be on disk.
        on_file: Called with (files done, files in all).

    Raises:
        PoseGraphError: more frames after the key frame than clips have, a fault in a file, an image that is missing,
            nobody in the files, or ``out`` is something else.
    """
    if future_frames >= clip_frames:
        raise PoseGraphError(
            f"future_frames {future_frames} leaves no key frame in num_frames {clip_frames}; give at most "
            f"{clip_frames - 1}"
        )
    made_from, target, skeleton = Path(path).absolute(), Path(out), Skeleton.load(skeleton)
    if target.exists() and not is_index(target) and not (target.is_dir() and not any(target.iterdir())):
        raise PoseGraphError(f"{target}: is there and is no index; give a new folder")
    files = annotation_files(made_from)
    sources: list[Source] = []
    skipped: Counter[str] = Counter()
    people = 0
    room = full_disk_told(target, "make room on the disk, or choose another folder")
    with room, replacing_folder(target) as temporary, IndexWriter(temporary, skeleton) as writer:
        for done, file in enumerate(files, start=1):
            tracks = read_tracks(file, skeleton)
            _check_images(tracks, FrameReader(images), clip_frames, future_frames)
            of_video: dict[Video, list[PersonTrack]] = {video: [] for video in tracks.videos}
            for track in tracks:
                of_video[track.video].append(track)
            for video, own in of_video.items():
                writer.add(video, own)
            sources.append(Source.of(file))
            skipped += tracks.skipped
            people += tracks.num_poses
            if on_file is not None:
                on_file(done, len(files))
        if not people:
            left_out = "; ".join(f"{count} x {reason}" for reason, count in skipped.items()) or "none was found"
            raise PoseGraphError(f"{path}: holds no usable person ({left_out}); check the files")
        return writer.finish(made_from, sources, skipped, clip_frames, future_frames)


def _check_images(tracks: TrackSet, reader: FrameReader, clip_frames: int, future_frames: int) -> None:
    for track in tracks:
        for frame in track.frame.tolist():
            reader.check(track.video, frame, clip_frames, future_frames)
