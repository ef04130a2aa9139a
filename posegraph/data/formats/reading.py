"""Reading annotations and predictions, whatever their layout."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posegraph.data.formats.assembly import assemble
from posegraph.data.formats.joints import matching_rows, with_joints_of
from posegraph.data.formats.recognise import FORMATS, annotation_files, parse_file
from posegraph.data.formats.tables import ParsedFile
from posegraph.data.json_checks import Found
from posegraph.data.tracks import PersonTrack, SourceFile, TrackSet, Video
from posegraph.errors import PoseGraphError, did_you_mean
from posegraph.skeleton import Skeleton


def read_tracks(
    path: str | Path,
    skeleton: Skeleton | str | Path | None = None,
    keep_empty: bool = False,
    format: str | None = None,
) -> TrackSet:
    """Read an annotation or prediction file, or a folder of them.

    A file is one video named after it; one whose images name several videos (``vid_id``, ``video_id``, or the movies
    that they are frames of) holds several. Frames are ordered by the number in the file name, else by a field of the
    image, else as listed. A person without a track id is a track of its own. A missing box is the extent of the
    annotated joints x 1.3 (poseval's rule), NaN where that has no area.

    - ``posetrack18``, ``posetrack21``, ``coco``: a joint is annotated where v > 0 and its position is finite; in an
      annotation with joint scores (a prediction) also where v = 0 but the position is not (0, 0), as poseval reads it.
      Visibility is known only in files that use v = 2 (2 seen, 1 occluded). PoseTrack21's ears are not annotated.
    - ``posetrack17``: a joint is annotated where it is listed; ``is_visible`` is its visibility.
    - ``jhmdb``: ``joint_positions.mat``, or a folder of them; positions are moved from MATLAB's (1, 1) to (0, 0).
    - ``sleap``: ``.slp`` and analysis ``.h5``; ``deeplabcut``: ``.csv`` and ``.h5``. Both need the extra ``sleap``.

    Args:
        path: File or folder.
        skeleton: The rows wanted; the file's keypoints are matched to them by name. None: the file's own, which is the
            shipped skeleton with its joints in the same order, else one made of its names and bones.
        keep_empty: Keep people without an annotated joint, and people with a box that has no area (their box
            becomes NaN). poseval's cleanup counts both, so the metrics need True. Otherwise both are left out
            and counted in ``TrackSet.skipped``, and every box has an area.
        format: One of ``FORMATS``; None: recognised from the content.

    Raises:
        PoseGraphError: a path that does not exist, a fault in a file, or no skeleton that fits.
    """
    if format is not None and format not in FORMATS:
        raise PoseGraphError(
            f"format {format!r} is none of annotations; these are: {', '.join(FORMATS)}{did_you_mean(format, FORMATS)}"
        )
    files = annotation_files(Path(path))
    given = None if skeleton is None else Skeleton.load(skeleton)
    chosen = given
    read: list[tuple[Video, list[PersonTrack]]] = []
    sources: list[SourceFile] = []
    skipped: Counter[str] = Counter()
    with _collector_paused():
        for file in files:
            parsed = parse_file(file, format, given, skipped)
            if given is None:
                chosen = _same_joints(parsed, chosen, files[0])
            assert chosen is not None
            _some_joints(parsed, chosen)
            people = with_joints_of(parsed.people, parsed.source.joints, chosen)
            read += assemble(parsed, people, keep_empty, skipped)
            sources.append(parsed.source)
    assert chosen is not None  # annotation_files gives at least one file
    _names_are_unique([video for video, _ in read])
    read.sort(key=lambda pair: pair[0].name)
    videos = tuple(video for video, _ in read)
    return TrackSet(chosen, videos, tuple(track for _, tracks in read for track in tracks), skipped, tuple(sources))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Parsed JSON is millions of small containers; Python's collector would walk them again and again, for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _same_joints(parsed: ParsedFile, chosen: Skeleton | None, first: Path) -> Skeleton:
    if chosen is None:
        return parsed.own_skeleton()
    if parsed.source.joints != chosen.joints:
        raise PoseGraphError(
            f"{parsed.source.path}: categories.keypoints: its joints are not those of {first.name} ({chosen.name}); "
            "expected one list of joints in all files; pass a skeleton and they are matched by name"
        )
    return chosen


def _some_joints(parsed: ParsedFile, skeleton: Skeleton) -> None:
    if (matching_rows(parsed.source.joints, skeleton) < 0).all():
        parsed.fault("categories.keypoints", Found(", ".join(parsed.source.joints)),
                     f"joints of skeleton {skeleton.name!r}: {', '.join(skeleton.joints)}",
                     "pass a skeleton that names the file's joints")  # fmt: skip


def _names_are_unique(videos: list[Video]) -> None:
    seen: dict[str, Video] = {}
    for video in videos:
        if video.name in seen:
            raise PoseGraphError(
                f"{video.source}: video {video.name!r} is in {seen[video.name].source} too; "
                "expected every video once; take one of the files out of the folder"
            )
        seen[video.name] = video
