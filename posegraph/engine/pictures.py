"""Pictures of an evaluation: truth and prediction over the frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegraph.data import read_tracks
from posegraph.data.tracks import PersonTrack, TrackSet
from posegraph.data.video import FrameReader, Image
from posegraph.skeleton import Skeleton
from posegraph.visualize import draw_pose, filmstrip, person_color, write_png


def write_overlays(predictions: TrackSet, data: str | Path, images: str | Path | None, out: str | Path) -> list[Path]:
    """One PNG for each predicted frame, ``OUT/<video>/<frame>.png``: the annotation left, the prediction right."""
    truth = read_tracks(data, predictions.skeleton)
    reader = FrameReader(images)
    annotated, predicted = by_frame(truth), by_frame(predictions)
    written = []
    for video, frame in sorted(predicted, key=lambda place: (place[0], place[1])):
        source = next(item for item in predictions.videos if item.name == video)
        image = reader.read(reader.root(source) / source.frame_files[frame])
        pair = [
            draw_people(image, annotated.get((video, frame), []), truth.skeleton),
            draw_people(image, predicted[video, frame], truth.skeleton),
        ]
        path = Path(out) / video / f"{Path(source.frame_files[frame]).stem}.png"
        write_png(path, filmstrip([pair], row_titles=[""], column_titles=["annotated", "predicted"]))
        written.append(path)
    return written


def by_frame(tracks: TrackSet) -> dict[tuple[str, int], list[tuple[PersonTrack, int]]]:
    """(video name, frame) -> the people in it, each a track and its row."""
    people: dict[tuple[str, int], list[tuple[PersonTrack, int]]] = {}
    for track in tracks:
        for row, frame in enumerate(track.frame.tolist()):
            people.setdefault((track.video.name, frame), []).append((track, row))
    return people


def draw_people(image: Image, people: list[tuple[PersonTrack, int]], skeleton: Skeleton) -> Image:
    """A copy of the frame with everybody's pose; unannotated and never-scored joints are left out."""
    for number, (track, row) in enumerate(people):
        confidence = track.keypoint_scores[row]
        image = draw_pose(
            image,
            drawn_keypoints(track, row, skeleton),
            skeleton,
            confidence=None if np.isnan(confidence).all() else confidence,
            seen=track.visibility[row] != 0,
            color=person_color(number) if len(people) > 1 else None,
        )
    return image


def drawn_keypoints(track: PersonTrack, row: int, skeleton: Skeleton) -> NDArray[np.float64]:
    """``[J, 2]`` image pixels; NaN, so not drawn, for joints without a position and joints that nobody scores."""
    scored = np.isin(np.arange(skeleton.num_joints), list(skeleton.scored_rows.values()))
    shown = track.annotated[row] & scored
    return np.where(shown[:, None], track.keypoints_px[row], np.nan)
