"""Reading JHMDB: one ``joint_positions.mat`` a clip, beside a folder of frames ``00001.png``, ``00002.png``, ...

The published tree is ``joint_positions/CLASS/CLIP/joint_positions.mat`` and ``Rename_Images/CLASS/CLIP/00001.png``
(``Frames`` in some copies). Of the file only ``pos_img [2, 15, N]`` is read: x and y of every joint in every frame, in
MATLAB's pixels, whose first is (1, 1). Joints that are hidden or outside the image have positions too; the file does
not say which.

Letters: N frames, J joints, which are the rows of jhmdb15.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.tables import ImageTable, ParsedFile, PeopleTable, all_finite, extent_boxes
from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import NO_FIELDS, UNKNOWN, SourceFile
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

FILE_NAME = "joint_positions.mat"
FRAME_FOLDERS = ("Rename_Images", "Frames")

BAD_POINT = "joint at NaN or infinity (taken as not annotated)"


def parse(path: Path, skipped: Counter[str]) -> ParsedFile:
    """Read one ``joint_positions.mat``; positions that are no use are counted in ``skipped``.

    Raises:
        PoseGraphError: the file cannot be read, or has no such positions.
    """
    positions = _positions(path)  # [N, J, 2]
    N, J, _ = positions.shape
    annotated = all_finite(positions)
    if not annotated.all():
        skipped[BAD_POINT] += int((~annotated).sum())
    keypoints_px = np.where(annotated[..., None], positions - 1, 0.0)
    frames = np.arange(N, dtype=np.int64)
    folder = _frame_folder(path)
    images = ImageTable(
        files=[f"{folder}/{number:05d}.png" for number in range(1, N + 1)],
        ids=frames + 1,
        image_hw=np.zeros((N, 2), dtype=np.int64),
        labeled=np.ones(N, dtype=np.bool_),
        ignore_regions=[()] * N,
        extra=[NO_FIELDS] * N,
        verbatim=[NO_FIELDS] * N,
    )
    people = PeopleTable(
        image=frames,
        track_id=np.zeros(N, dtype=np.int64),
        has_track=np.ones(N, dtype=np.bool_),
        keypoints_px=keypoints_px,
        annotated=annotated,
        visibility=np.full((N, J), UNKNOWN, dtype=np.int8),
        keypoint_scores=np.full((N, J), np.nan),
        scores=np.full(N, np.nan),
        boxes_xywh=extent_boxes(keypoints_px, annotated),
        head_boxes_xywh=np.full((N, 4), np.nan),
        file_row=frames,
        extra=[NO_FIELDS] * N,
        verbatim=[NO_FIELDS] * N,
    )
    return ParsedFile(
        source=SourceFile(path=path, layout="jhmdb", joints=skeleton().joints),
        images=images,
        people=people,
        sequences={path.resolve().parent.name: list(range(N))},
        own_skeleton=skeleton,
        person_field=lambda row: f"pos_img[:, :, {row}]",
        fault=Fault(path),
    )


@cache
def skeleton() -> Skeleton:
    """Its rows are those of the file."""
    return Skeleton.load("jhmdb15")


def _positions(path: Path) -> NDArray[np.float64]:
    """``[N, J, 2]`` in MATLAB's pixels."""
    from scipy.io import loadmat

    cure = "give the joint_positions.mat of JHMDB, undamaged"
    if not path.is_file():
        raise PoseGraphError(f"{path}: no such file; check the path")
    try:
        content = loadmat(path, variable_names=["pos_img"])
    except NotImplementedError:  # what scipy raises for version 7.3
        raise PoseGraphError(f"{path}: a MATLAB 7.3 file, expected version 5; save it in MATLAB with '-v7'") from None
    except Exception as error:  # scipy's parser raises what the damage happens to hit
        raise PoseGraphError(
            f"{path}: not readable as a MATLAB file ({error or type(error).__name__}); {cure}"
        ) from None
    fault = Fault(path)
    if "pos_img" not in content:
        fault("pos_img", Found("no such variable"), "[2, joints, frames]", cure)
    found = content["pos_img"]
    J = skeleton().num_joints
    if (
        not isinstance(found, np.ndarray)
        or found.dtype.kind not in "fiu"
        or found.shape[:2] != (2, J)
        or found.ndim > 3
    ):
        what = f"{found.dtype} of shape {list(found.shape)}" if isinstance(found, np.ndarray) else "no plain array"
        fault("pos_img", Found(what), f"numbers of shape [2, {J}, frames]", cure)
    # MATLAB drops the last axis of a clip of one frame.
    return np.asarray(found.reshape(2, J, found.size // (2 * J)).transpose(2, 1, 0), dtype=np.float64)


def _frame_folder(path: Path) -> str:
    """``Rename_Images/CLASS/CLIP``, which image names start with; the folder that is there, else the published one."""
    clip = path.resolve().parent
    place = f"{clip.parent.name}/{clip.name}"
    for above in clip.parents:
        for name in FRAME_FOLDERS:
            if (above / name / place).is_dir():
                return f"{name}/{place}"
    return f"{FRAME_FOLDERS[0]}/{place}"
