"""Reading DeepLabCut's tables (``.csv``, ``.h5``), labelled frames and predictions, of one animal or several.

sleap-io reads the labelled ``.csv`` only, and of it only frames whose image is on disk; so the tables are read here.

Letters: I rows of the table, A animals, K body parts.
"""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph.data.formats.category_skeleton import mirrored_pairs, named_skeleton
from posegraph.data.formats.coco_images import MOVIES
from posegraph.data.formats.optional import library
from posegraph.data.formats.sequences import file_stem, frame_number, in_time_order
from posegraph.data.formats.tables import ImageTable, ParsedFile, PeopleTable, all_finite, extent_boxes
from posegraph.data.json_checks import Fault, Found
from posegraph.data.tracks import NO_FIELDS, UNKNOWN, Fields, SourceFile, movie_frame
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton
from posegraph.validation import read_yaml

_HEADERS = ("scorer", "individuals", "bodyparts", "coords")
_COORDINATES = ("x", "y", "likelihood")
_HDF5 = b"\x89HDF"


def parse(path: Path, skipped: Counter[str]) -> ParsedFile:
    """Read one table.

    A row is a frame: an image, or, in predictions, a number of the movie that the file is named after. An animal is in
    a frame where one of its body parts has a position. ``likelihood`` is the joint's score.

    Raises:
        PoseGraphError: pandas is not installed, or the file is no such table.
    """
    fault = Fault(path)
    table = _read(path)
    if table.columns.nlevels not in (3, 4) or not len(table.columns):
        fault("header", Found(f"{table.columns.nlevels} rows"), f"{', '.join(_HEADERS)} (individuals may lack)",
              "give DeepLabCut's own file")  # fmt: skip
    columns = [
        (str(column[1]) if len(column) == 4 else "", str(column[-2]), str(column[-1])) for column in table.columns
    ]
    animals = tuple(dict.fromkeys(animal for animal, _, _ in columns))
    joints = tuple(dict.fromkeys(part for _, part, _ in columns))
    values = _values(table, columns, (animals, joints), fault)  # [I, A, K, 3]
    files = _files(path, table)
    extra = [NO_FIELDS] * len(files)
    return ParsedFile(
        source=SourceFile(path=path, layout="deeplabcut", joints=joints),
        images=ImageTable(
            files=files,
            ids=_ids(files),
            image_hw=np.zeros((len(files), 2), dtype=np.int64),
            labeled=np.ones(len(files), dtype=np.bool_),
            ignore_regions=[()] * len(files),
            extra=extra,
            verbatim=extra,
        ),
        people=_people(values),
        sequences=_sequences(files, extra),
        own_skeleton=lambda: _skeleton(path, joints),
        person_field=lambda row: f"row {row}",
        fault=fault,
    )


def _read(path: Path) -> Any:
    """The table as pandas reads it: columns have 3 or 4 levels."""
    pandas = library("pandas", path)
    try:
        start = path.read_bytes()[:4]
    except OSError as error:
        raise PoseGraphError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    try:
        if start == _HDF5:
            library("tables", path)  # which pandas reads HDF5 with
            return pandas.read_hdf(path)
        header, index = _header(path)
        return pandas.read_csv(path, header=list(range(header)), index_col=list(range(index)))
    except PoseGraphError:
        raise
    except Exception as error:  # pandas and PyTables raise what the damage happens to hit
        raise PoseGraphError(
            f"{path}: not readable as a table of DeepLabCut ({error or type(error).__name__}); export it again"
        ) from None


def _header(path: Path) -> tuple[int, int]:
    """Number of header rows (up to the one of x and y), and of columns that name the frame."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(islice(csv.reader(file), len(_HEADERS))):
            if row and row[0] == _HEADERS[-1] and "x" in row:
                return number + 1, row.index("x")
    raise PoseGraphError(
        f"{path}: found no header row 'coords'; expected {', '.join(_HEADERS)}; give DeepLabCut's own file"
    )


def _values(
    table: Any, columns: list[tuple[str, str, str]], names: tuple[tuple[str, ...], tuple[str, ...]], fault: Fault
) -> NDArray[np.float64]:
    """``[I, A, K, 3]`` x, y, likelihood; NaN where the table has none."""
    animals, joints = names
    values = np.full((len(table), len(animals), len(joints), 3), np.nan)
    for place, (animal, joint, coordinate) in enumerate(columns):
        if coordinate not in _COORDINATES:
            fault("coords", Found(repr(coordinate)), f"one of {', '.join(_COORDINATES)}", "give DeepLabCut's own file")
        try:
            numbers = table.iloc[:, place].to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            fault(f"{animal} {joint} {coordinate}".strip(), Found(str(error)), "numbers", "export the file again")
        values[:, animals.index(animal), joints.index(joint), _COORDINATES.index(coordinate)] = numbers
    return values


def _files(path: Path, table: Any) -> list[str]:
    """Image names, or the frames of the movie that the file is named after: ``MOVIE`` + ``SCORER`` + ``.h5``."""
    if table.index.nlevels > 1:
        return ["/".join(map(str, row)) for row in table.index]
    if not any(isinstance(row, str) for row in table.index):
        scorer = str(table.columns[0][0])
        stem = path.stem.partition(scorer)[0] or path.stem
        beside = (path.with_name(stem + suffix) for suffix in MOVIES)
        movie = next((file.name for file in beside if file.is_file()), f"{stem}{MOVIES[0]}")
        return [f"{movie}#{int(row)}" for row in table.index]
    return [str(row).replace("\\", "/") for row in table.index]


def _ids(files: list[str]) -> NDArray[np.int64]:
    """The numbers in the names where they tell the frames apart, else the places in the file."""
    numbers = [number for number in map(frame_number, files) if number is not None]
    whole = len(set(numbers)) == len(files)
    return np.array(numbers if whole else range(len(files)), dtype=np.int64)


def _sequences(files: list[str], extra: list[Fields]) -> dict[str, list[int]]:
    """Video name -> rows in time order: the movie, or the folders of the images."""
    rows: dict[str, list[int]] = {}
    for row, file in enumerate(files):
        movie = movie_frame(file)
        name = PurePosixPath(file).parent.name if movie is None else file_stem(movie[0])
        rows.setdefault(name or "images", []).append(row)
    return {name: in_time_order(group, files, extra) for name, group in rows.items()}


def _people(values: NDArray[np.float64]) -> PeopleTable:
    """``values [I, A, K, 3]``."""
    finite = all_finite(values[..., :2])
    image, animal = np.nonzero(finite.any(axis=2))
    values, annotated = values[image, animal], finite[image, animal]
    M, K = annotated.shape
    keypoints_px = np.where(annotated[..., None], values[..., :2], 0.0)
    return PeopleTable(
        image=image.astype(np.int64),
        track_id=animal.astype(np.int64),
        has_track=np.ones(M, dtype=np.bool_),
        keypoints_px=keypoints_px,
        annotated=annotated,
        visibility=np.full((M, K), UNKNOWN, dtype=np.int8),
        keypoint_scores=values[..., 2],
        scores=np.full(M, np.nan),
        boxes_xywh=extent_boxes(keypoints_px, annotated),
        head_boxes_xywh=np.full((M, 4), np.nan),
        file_row=np.arange(M, dtype=np.int64),
        extra=[NO_FIELDS] * M,
        verbatim=[NO_FIELDS] * M,
    )


def _skeleton(path: Path, joints: tuple[str, ...]) -> Skeleton:
    """Body parts of the table, and bones of the project's ``config.yaml``, which lies up to three folders above."""
    name, bones = path.stem, []
    for folder in list(path.resolve().parents)[:4]:
        config = (
            read_yaml(folder / "config.yaml", "a DeepLabCut project") if (folder / "config.yaml").is_file() else None
        )
        if isinstance(config, dict) and {"Task", "scorer"} <= config.keys():
            name = str(config["Task"])
            pairs = config.get("skeleton")
            for pair in pairs if isinstance(pairs, list) else ():
                if isinstance(pair, list) and len(pair) == 2 and set(pair) <= set(joints) and pair[0] != pair[1]:
                    bones.append((pair[0], pair[1]))
            break
    return named_skeleton(name, joints, bones, mirrored_pairs(joints), path)
