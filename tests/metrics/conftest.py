"""People made by hand, for the tests of all metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posegraph.data import UNKNOWN, PersonTrack, TrackSet, Video
from posegraph.skeleton import PCKReference, Skeleton

NAN = float("nan")
HEAD = (0.0, 0.0, 30.0, 40.0)
"""A head box of which 0.6 x the diagonal is 30 px: half a head size is 15 px."""
PAIR = Skeleton(
    name="pair", joints=("a", "b"), groups={"Both": ("a", "b"), "A": ("a",)}, oks_sigmas={"a": 0.05, "b": 0.1},
    pck_reference=PCKReference(kind="head_box"),
)  # fmt: skip


@dataclass
class Person:
    """One person in one frame; a point that is None is not given."""

    track_id: int
    frame: int
    points: Sequence[Any]
    scores: Sequence[float] | None = None
    visibility: Sequence[int] | None = None
    head: Sequence[float] | None = HEAD
    box: Sequence[float] | None = (0.0, 0.0, 100.0, 50.0)
    score: float = NAN
    extra: dict[str, Any] | None = None


def make_video(
    num_frames: int, polygons: Sequence[Any] = (), name: str = "clip", labeled: Sequence[bool] | None = None
) -> Video:
    """``polygons`` are ignored in every frame."""
    regions = tuple(np.array(polygon, dtype=np.float64) for polygon in polygons)
    return Video(
        name=name,
        source=Path(f"{name}.json"),
        frame_files=tuple(f"{frame:06d}.jpg" for frame in range(num_frames)),
        image_ids=np.arange(num_frames) + 100,
        image_hw=np.zeros((num_frames, 2), dtype=np.int64),
        labeled=np.ones(num_frames, dtype=np.bool_) if labeled is None else np.array(labeled),
        ignore_regions=(regions,) * num_frames,
    )


def make_track(video: Video, people: list[Person], file_rows: list[int]) -> PersonTrack:
    """The rows of one track id."""

    def boxes(field: str) -> np.ndarray:
        return np.array([[NAN] * 4 if getattr(one, field) is None else getattr(one, field) for one in people], float)

    joints = range(len(people[0].points))
    return PersonTrack(
        video=video,
        track_id=people[0].track_id,
        frame=np.array([one.frame for one in people]),
        keypoints_px=np.array([[point or (0.0, 0.0) for point in one.points] for one in people], dtype=np.float64),
        annotated=np.array([[point is not None for point in one.points] for one in people]),
        visibility=np.array([one.visibility or [UNKNOWN for _ in joints] for one in people], dtype=np.int8),
        boxes_xywh=boxes("box"),
        head_boxes_xywh=boxes("head"),
        keypoint_scores=np.array([one.scores or [NAN for _ in joints] for one in people], dtype=np.float64),
        scores=np.array([one.score for one in people], dtype=np.float64),
        extra=tuple(one.extra or {} for one in people),
        file_row=np.array(file_rows),
    )


def make_tracks(people: Sequence[Person], video: Video, skeleton: Skeleton = PAIR) -> TrackSet:
    """One video; the order of ``people`` is that of their file."""
    rows: dict[int, list[tuple[int, Person]]] = {}
    for place, person in enumerate(people):
        rows.setdefault(person.track_id, []).append((place, person))
    tracks = []
    for some in rows.values():
        some = sorted(some, key=lambda row: row[1].frame)
        tracks.append(make_track(video, [person for _, person in some], [place for place, _ in some]))
    return TrackSet(skeleton, (video,), tuple(tracks))


def merge(*sets: TrackSet) -> TrackSet:
    """The videos of several sets in one."""
    videos = tuple(video for one in sets for video in one.videos)
    return TrackSet(sets[0].skeleton, videos, tuple(track for one in sets for track in one))


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """What makes people, videos and track sets (modules of tests do not import one another)."""
    return SimpleNamespace(person=Person, video=make_video, tracks=make_tracks, merge=merge, pair=PAIR, nan=NAN)
