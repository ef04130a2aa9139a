"""Reading PoseTrack18, PoseTrack21 and COCO-style keypoint files, ground truth and predictions alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from posegraph.data.posetrack_assembly import FileReader
from posegraph.data.posetrack_schema import AnnotationFile, parse_file
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton, shipped_names


def read_tracks(path: str | Path, skeleton: Skeleton | str | Path | None = None, keep_empty: bool = False) -> TrackSet:
    """Read one JSON file, or every ``*.json`` of a folder.

    A file is one video named after it; a file whose images have several ``vid_id`` holds several, named after
    their image folders. Frames are ordered by the number in the file name, else by ``frame_id``, else as listed.

    A joint is annotated where v > 0 and its position is finite; in an annotation with joint scores (a prediction)
    also where v = 0 but the position is not (0, 0), as poseval reads it. Visibility is known only in files that
    use v = 2 (2 seen, 1 occluded). A missing ``bbox`` is the extent of the annotated joints x 1.3 (poseval's
    rule), NaN where that has no area. A person without ``track_id`` is a track of its own.

    Args:
        path: File or folder.
        skeleton: The rows wanted; the file's keypoints are matched to them by name. None: the shipped skeleton
            whose joints are the file's, in the same order.
        keep_empty: Keep people without an annotated joint, and people with a box that has no area (their box
            becomes NaN). poseval's cleanup counts both, so the metrics need True. Otherwise both are left out
            and counted in ``TrackSet.skipped``, and every box has an area.

    Raises:
        PoseGraphError: a path that does not exist, a fault in a file, or no skeleton that fits.
    """
    files = _json_files(Path(path))
    given = None if skeleton is None else Skeleton.load(skeleton)
    chosen = given
    videos: list[Video] = []
    tracks: list[PersonTrack] = []
    skipped: Counter[str] = Counter()
    for file in files:
        content = parse_file(file)
        chosen = chosen or _shipped_skeleton(content)
        if given is None and content.keypoint_names != chosen.joints:
            raise PoseGraphError(
                f"{file}: categories.keypoints: its joints are not those of {files[0].name} ({chosen.name}); "
                "expected one list of joints in all files; pass a skeleton and they are matched by name"
            )
        reader = FileReader(content, chosen, keep_empty, skipped)
        for video, people in reader.videos():
            videos.append(video)
            tracks += people
    assert chosen is not None  # _json_files gives at least one file
    _names_are_unique(videos)
    place = {video: row for row, video in enumerate(sorted(videos, key=lambda video: video.name))}
    tracks.sort(key=lambda track: place[track.video])
    return TrackSet(chosen, tuple(place), tuple(tracks), skipped)


def _json_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.json"))
    if not files:
        raise PoseGraphError(f"{path}: no .json file in this folder; give the folder that holds the annotations")
    return files


def _names_are_unique(videos: list[Video]) -> None:
    seen: dict[str, Video] = {}
    for video in videos:
        if video.name in seen:
            raise PoseGraphError(
                f"{video.source}: video {video.name!r} is in {seen[video.name].source} too; "
                "expected every video once; take one of the files out of the folder"
            )
        seen[video.name] = video


def _shipped_skeleton(content: AnnotationFile) -> Skeleton:
    names = content.keypoint_names
    shipped = [Skeleton.load(name) for name in shipped_names()]
    for skeleton in shipped:
        if skeleton.joints == names:
            return skeleton
    found = "no joint names" if names is None else ", ".join(names)
    raise PoseGraphError(
        f"{content.path}: categories.keypoints: found {found}; expected the joints of a shipped skeleton "
        f"({', '.join(skeleton.name for skeleton in shipped)}); pass a skeleton (a .yaml file) that names the joints"
    )
