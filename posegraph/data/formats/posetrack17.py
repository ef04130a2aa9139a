"""Reading the PoseTrack17 layout: ``annolist``, a list of frames that hold people (``annorect``) that hold points.

Nearly every value sits in a list of one, which MATLAB's exporter made; a bare value is read as well.

Letters: I frames.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.columns import column, is_missing, unwrapped
from posegraph.data.formats.entries import SharedFields, differences, plain_numbers, unread
from posegraph.data.formats.posetrack17_people import read_people
from posegraph.data.formats.sequences import frame_number, in_time_order
from posegraph.data.formats.tables import ImageTable, ParsedFile
from posegraph.data.json_checks import Fault, Found, number
from posegraph.data.tracks import ABSENT, SourceFile
from posegraph.skeleton import Skeleton

FRAME_FIELDS = frozenset({"image", "is_labeled", "ignore_regions", "annorect"})
_SEQUENCE_KINDS = {"mpii": 1, "bonn": 2, "mpiinew": 3}


def parse(path: Path, content: Any, skipped: Counter[str]) -> ParsedFile:
    """Check and convert the content of one file. What is left out is counted in ``skipped``.

    Raises:
        PoseGraphError: the content holds anything that the layout does not allow.
    """
    fault = Fault(path)
    frames = _frames(content, fault)
    images = _images(frames, fault)
    rects = [_rects(frame, f"annolist[{row}].annorect", fault) for row, frame in enumerate(frames)]
    counts = np.fromiter(map(len, rects), dtype=np.int64, count=len(rects))
    image = np.repeat(np.arange(len(frames)), counts)
    starts = np.cumsum(counts) - counts

    def person_field(row: int) -> str:
        frame = int(image[row])
        return f"annolist[{frame}].annorect[{row - starts[frame]}]"

    in_frames = list(chain.from_iterable(rects))
    people = read_people(in_frames, image, skeleton().num_joints, person_field, fault, skipped)
    order = in_time_order(list(range(len(frames))), images.files, images.extra)
    return ParsedFile(
        source=SourceFile(
            path=path,
            layout="posetrack17",
            joints=skeleton().joints,
            extra={key: value for key, value in content.items() if key != "annolist"},
        ),
        images=images,
        people=people,
        sequences={path.stem: order},
        own_skeleton=skeleton,
        person_field=person_field,
        fault=fault,
    )


@cache
def skeleton() -> Skeleton:
    """Its rows are the ids of the points."""
    return Skeleton.load("posetrack15")


def _frames(content: Any, fault: Fault) -> list[dict[str, Any]]:
    cure = "give a PoseTrack17 annotation file"
    if not isinstance(content, dict) or "annolist" not in content:
        fault("annolist", Found("no such key"), "a list of frames", cure)
    frames = content["annolist"]
    if not isinstance(frames, list):
        fault("annolist", frames, "a list of frames", cure)
    for row, frame in enumerate(frames):
        if not isinstance(frame, dict):
            fault(f"annolist[{row}]", frame, "an object", "remove the entry or export the file again")
    return frames


def _rects(frame: dict[str, Any], field: str, fault: Fault) -> list[dict[str, Any]]:
    rects = frame.get("annorect", ABSENT)
    if is_missing(rects):
        return []
    if not isinstance(rects, list):
        fault(field, rects, "a list of people", "write one object for each person")
    for place, rect in enumerate(rects):
        if not isinstance(rect, dict):
            fault(f"{field}[{place}]", rect, "an object", "remove the entry or export the file again")
    return rects


def _images(frames: list[dict[str, Any]], fault: Fault) -> ImageTable:
    files = [_file(frame, f"annolist[{row}].image", fault) for row, frame in enumerate(frames)]
    labeled = [_labeled(frame, f"annolist[{row}].is_labeled", fault) for row, frame in enumerate(frames)]
    regions = [_ignore_regions(frame, f"annolist[{row}].ignore_regions", fault) for row, frame in enumerate(frames)]
    shared = SharedFields()
    verbatim = []
    for row, frame in enumerate(frames):
        unlike = differences(frame, frame_fields(files[row], labeled[row], regions[row]), FRAME_FIELDS - {"annorect"})
        if not isinstance(frame.get("annorect"), list):
            unlike["annorect"] = frame.get("annorect", ABSENT)
        if frame.get("is_labeled") in ([True], [False]):  # [true] equals [1], but is not the same in a file
            unlike["is_labeled"] = frame["is_labeled"]
        verbatim.append(shared(unlike))
    return ImageTable(
        files=files,
        ids=_image_ids(files),
        image_hw=np.zeros((len(frames), 2), dtype=np.int64),
        labeled=np.array(labeled, dtype=np.bool_),
        ignore_regions=regions,
        extra=unread(frames, FRAME_FIELDS),
        verbatim=verbatim,
    )


def frame_fields(file: str, labeled: bool, regions: tuple[NDArray[np.float64], ...]) -> dict[str, Any]:
    """An entry of ``annolist`` as it is written, without its people."""
    fields: dict[str, Any] = {"image": [{"name": file}], "is_labeled": [int(labeled)]}
    if regions:
        corners = [plain_numbers(region.ravel().tolist()) for region in regions]
        fields["ignore_regions"] = [
            {"point": [{"x": [x], "y": [y]} for x, y in zip(region[::2], region[1::2], strict=True)]}
            for region in corners
        ]
    return fields


def _file(frame: dict[str, Any], field: str, fault: Fault) -> str:
    images = frame.get("image", ABSENT)
    image = images[0] if isinstance(images, list) and len(images) == 1 else images
    name = image.get("name", ABSENT) if isinstance(image, dict) else ABSENT
    if not isinstance(name, str) or not name:
        found = Found("nothing") if images is ABSENT else images
        fault(f"{field}[0].name", found if name is ABSENT else name, "the name of an image file", "write it as a text")
    return name


def _labeled(frame: dict[str, Any], field: str, fault: Fault) -> bool:
    value = _bare(frame.get("is_labeled", ABSENT), field, fault)
    if is_missing(value):
        return True
    return bool(value if isinstance(value, bool) else number(value, field, fault, "write 1 or 0"))


def _bare(value: Any, field: str, fault: Fault) -> Any:
    (bare,), _ = unwrapped([value], lambda _: field, fault)
    return bare


def _ignore_regions(frame: dict[str, Any], field: str, fault: Fault) -> tuple[NDArray[np.float64], ...]:
    regions = frame.get("ignore_regions", ABSENT)
    if is_missing(regions):
        return ()
    if not isinstance(regions, list):
        fault(field, regions, "a list of polygons", "write one object with a list 'point' for each")
    return tuple(_polygon(region, f"{field}[{row}]", fault) for row, region in enumerate(regions))


def _polygon(region: Any, field: str, fault: Fault) -> NDArray[np.float64]:
    points = region.get("point", ABSENT) if isinstance(region, dict) else ABSENT
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        fault(
            f"{field}.point", region if points is ABSENT else points, "a list of points", "write x and y of each corner"
        )
    corners = np.zeros((len(points), 2))
    for axis, key in enumerate(("x", "y")):
        for row, value in enumerate(column(points, key)):
            where = f"{field}.point[{row}].{key}"
            bare = _bare(value, where, fault)
            if is_missing(bare):
                fault(where, Found("nothing"), "a number", "give every corner both an x and a y")
            corners[row, axis] = number(bare, where, fault, "write one number")
    if not np.isfinite(corners).all():
        fault(f"{field}.point", Found("NaN or infinity"), "finite numbers", "remove the polygon or the corner")
    return corners


def _image_ids(files: list[str]) -> NDArray[np.int64]:
    """Ids, which the layout lacks.

    PoseTrack18's (TSSSSSSFFFF: kind and number of the sequence, number of the frame) where the names allow it, as
    poseval converts; else the number in the name, else the place in the file.
    """
    for candidates in ([_posetrack18_id(file) for file in files], [frame_number(file) for file in files]):
        known = [image_id for image_id in candidates if image_id is not None]
        if len(set(known)) == len(files):
            return np.array(known, dtype=np.int64)
    return np.arange(len(files), dtype=np.int64)


def _posetrack18_id(file: str) -> int | None:
    number, _, rest = file.rpartition("/")[0].rpartition("/")[2].partition("_")
    kind = _SEQUENCE_KINDS.get(rest.partition("_")[0])
    frame = frame_number(file)
    if kind is None or not number.isdecimal() or len(number) > 12 or frame is None or frame >= 10**4:
        return None
    return kind * 10**10 + int(number) * 10**4 + frame
