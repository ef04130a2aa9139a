"""Reading SLEAP's files (``.slp``, analysis ``.h5``) through sleap-io.

Letters: I frames that have labels, in all videos, M instances, K nodes of the skeleton.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from posegraph.data.formats.category_skeleton import mirrored_pairs, named_skeleton
from posegraph.data.formats.optional import library
from posegraph.data.formats.sequences import file_stem
from posegraph.data.formats.tables import ImageTable, ParsedFile, PeopleTable, all_finite, extent_boxes
from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import NO_FIELDS, UNKNOWN, SourceFile
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

REPLACED = "predicted instance that a user's instance replaces"
INVISIBLE = "point marked as not visible (taken as not annotated, as SLEAP does)"


def is_sleap(path: Path) -> bool:
    """Whether an HDF5 file is one of SLEAP's."""
    return _kind(path) is not None


def _kind(path: Path) -> str | None:
    """sleap-io's name of the file's format."""
    h5py = library("h5py", path)
    try:
        with h5py.File(path, "r") as file:
            if {"metadata", "instances"} <= set(file):
                return "slp"
            return "analysis_h5" if "track_occupancy" in file else None
    except FileNotFoundError:
        raise PoseGraphError(f"{path}: no such file; check the path") from None
    except Exception as error:  # h5py raises what the damage happens to hit
        raise PoseGraphError(
            f"{path}: not readable as HDF5 ({error or type(error).__name__}); copy the file again (it may be cut off)"
        ) from None


def parse(path: Path, skipped: Counter[str]) -> ParsedFile:
    """Read one file: the labelled frames of its videos, and in them the user's instances and the predicted ones that
    these do not replace. What is left out is counted in ``skipped``.

    Raises:
        PoseGraphError: sleap-io is not installed, or the file cannot be read or has several skeletons.
    """
    labels = _labels(path)
    fault = Fault(path)
    if len(labels.skeletons) != 1:
        names = ", ".join(str(skeleton.name) for skeleton in labels.skeletons) or "none"
        fault("skeletons", Found(f"{len(labels.skeletons)} ({names})"), "one", "export the labels of one skeleton")
    nodes = labels.skeletons[0]
    frames = sorted(labels.labeled_frames, key=lambda frame: (labels.videos.index(frame.video), frame.frame_idx))
    chosen = [(row, instance) for row, frame in enumerate(frames) for instance in _instances(frame, skipped)]
    joints = tuple(nodes.node_names)
    return ParsedFile(
        source=SourceFile(path=path, layout="sleap", joints=joints),
        images=_images(frames),
        people=_people(chosen, len(joints), labels.tracks, skipped),
        sequences=_sequences(labels.videos, frames),
        own_skeleton=lambda: _skeleton(nodes, joints, path),
        person_field=lambda row: f"instances[{row}]",
        fault=fault,
    )


def _labels(path: Path) -> Any:
    sleap_io = library("sleap_io", path)
    kind = _kind(path)
    if kind is None:
        raise PoseGraphError(f"{path}: HDF5, but not of SLEAP; expected a .slp file or an analysis .h5; check the path")
    try:
        return sleap_io.load_file(str(path), format=kind, open_videos=False)
    except Exception as error:  # h5py and sleap-io raise what the damage happens to hit
        raise PoseGraphError(
            f"{path}: not readable as a SLEAP file ({error or type(error).__name__}); save it again in SLEAP"
        ) from None


def _instances(frame: Any, skipped: Counter[str]) -> list[Any]:
    unused = list(frame.unused_predictions)
    replaced = len(frame.predicted_instances) - len(unused)
    if replaced:
        skipped[REPLACED] += replaced
    return [*frame.user_instances, *unused]


def _images(frames: list[Any]) -> ImageTable:
    shapes = [getattr(frame.video, "shape", None) for frame in frames]
    return ImageTable(
        files=[_frame_file(frame) for frame in frames],
        ids=np.array([frame.frame_idx for frame in frames], dtype=np.int64),
        image_hw=np.array([shape[1:3] if shape else (0, 0) for shape in shapes], dtype=np.int64).reshape(-1, 2),
        labeled=np.ones(len(frames), dtype=np.bool_),
        ignore_regions=[()] * len(frames),
        extra=[NO_FIELDS] * len(frames),
        verbatim=[NO_FIELDS] * len(frames),
    )


def _source(video: Any) -> Any:
    """The movie that the frames of a package were taken from."""
    return video.source_video or video


def _frame_file(frame: Any) -> str:
    name = _source(frame.video).filename
    if isinstance(name, list):
        return str(name[frame.frame_idx]).replace("\\", "/")
    return f"{str(name).replace(chr(92), '/')}#{frame.frame_idx}"


def _people(chosen: list[tuple[int, Any]], num_nodes: int, tracks: list[Any], skipped: Counter[str]) -> PeopleTable:
    M, K = len(chosen), num_nodes
    keypoints_px, visible = np.zeros((M, K, 2)), np.zeros((M, K), dtype=np.bool_)
    joint_scores, scores = np.full((M, K), np.nan), np.full(M, np.nan)
    for row, (_, instance) in enumerate(chosen):
        points = instance.points
        keypoints_px[row], visible[row] = points["xy"], points["visible"]
        if "score" in points.dtype.names:
            joint_scores[row] = points["score"]
            scores[row] = instance.score
    finite = all_finite(keypoints_px)
    if (finite & ~visible).any():
        skipped[INVISIBLE] += int((finite & ~visible).sum())
    annotated = finite & visible
    keypoints_px = np.where(annotated[..., None], keypoints_px, 0.0)
    number = {id(track): place for place, track in enumerate(tracks)}
    track_id = np.array([number.get(id(instance.track), -1) for _, instance in chosen], dtype=np.int64)
    return PeopleTable(
        image=np.array([row for row, _ in chosen], dtype=np.int64),
        track_id=np.maximum(track_id, 0),
        has_track=track_id >= 0,
        keypoints_px=keypoints_px,
        annotated=annotated,
        visibility=np.full((M, K), UNKNOWN, dtype=np.int8),
        keypoint_scores=np.where(annotated, joint_scores, np.nan),
        scores=scores,
        boxes_xywh=extent_boxes(keypoints_px, annotated),
        head_boxes_xywh=np.full((M, 4), np.nan),
        file_row=np.arange(M, dtype=np.int64),
        extra=[NO_FIELDS] * M,
        verbatim=[NO_FIELDS] * M,
    )


def _sequences(videos: list[Any], frames: list[Any]) -> dict[str, list[int]]:
    """Video name -> its frames. A movie is named after its file, an image sequence after its folder."""
    names = [_name(video) for video in videos]
    if len(set(names)) < len(names):
        names = [f"{name}_{place}" for place, name in enumerate(names)]
    rows: dict[str, list[int]] = {name: [] for name in names}
    for row, frame in enumerate(frames):
        rows[names[videos.index(frame.video)]].append(row)
    return rows


def _name(video: Any) -> str:
    filename = _source(video).filename
    if isinstance(filename, list):
        return PurePosixPath(str(filename[0]).replace("\\", "/")).parent.name or "images"
    return file_stem(str(filename).replace("\\", "/"))


def _skeleton(nodes: Any, joints: tuple[str, ...], path: Path) -> Skeleton:
    bones = {frozenset(edge): tuple(edge) for edge in nodes.edge_names if edge[0] != edge[1]}
    pairs = sorted(tuple(pair) for pair in nodes.symmetry_names) or mirrored_pairs(joints)
    return named_skeleton(str(nodes.name or path.stem), joints, list(bones.values()), pairs, path)
