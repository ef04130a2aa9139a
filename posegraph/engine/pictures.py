"""Pictures of an evaluation: truth and prediction over the frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegraph.data import read_tracks
from posegraph.data.tracks import PersonTrack, TrackSet, Video, movie_frame
from posegraph.data.video import FrameReader, Image
from posegraph.errors import PoseGraphError
from posegraph.geometry import fit_aspect, image_to_crop, scale_box, transform
from posegraph.skeleton import Skeleton
from posegraph.visualize import Figure, VideoWriter, draw_pose, filmstrip, person_color, tiles, write_png


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
        path = Path(out) / video / f"{_picture_name(source.frame_files[frame])}.png"
        write_png(path, filmstrip([pair], row_titles=[""], column_titles=["annotated", "predicted"]))
        written.append(path)
    return written


def _picture_name(frame_file: str) -> str:
    inside = movie_frame(frame_file)
    return Path(frame_file).stem if inside is None else f"{inside[1]:06d}"


def contact_sheet(tracks: TrackSet, images: str | Path | None = None, count: int = 12, columns: int = 4) -> Image:
    """Annotated frames spread evenly over a data set, with everybody's pose, as one picture ``[H, W, 3]``.

    Args:
        tracks: The data set.
        images: Folder that image names start from; None: looked up from the annotation file's folder upwards.
        count: Frames to show at most.
        columns: Frames side by side.

    Raises:
        PoseGraphError: no frame has a person in it, or a chosen frame's image is missing.
    """
    places = sorted(by_frame(tracks))
    if not places:
        raise PoseGraphError("no frame of this data set has a person in it; `posegraph data check` says what it holds")
    chosen = [places[row] for row in np.unique(np.linspace(0, len(places) - 1, count).round().astype(int))]
    people, reader = by_frame(tracks), FrameReader(images, cache_frames=0)
    videos = {video.name: video for video in tracks.videos}
    cells, titles = [], []
    for name, frame in chosen:
        video = videos[name]
        image = reader.read(reader.root(video) / video.frame_files[frame])
        cells.append(draw_people(image, people[name, frame], tracks.skeleton))
        titles.append(f"{name} {frame}")
    return tiles(cells, titles, columns)


def close_up(
    tracks: TrackSet, track: PersonTrack, row: int, shown: int, size_hw: tuple[int, int] = (480, 360)
) -> Image:
    """The frame of ``track``'s row ``shown``, cut out around where the person is at ``row``, with the person's pose.

    Args:
        tracks: Whose pose of that person is drawn: the annotation's, or a prediction's with the same track id.
        track, row: The person, and the frame whose box sets the cut-out (the same for all frames of a strip).
        shown: Row of the track whose frame is shown.
        size_hw: Of the picture.
    """
    frame = int(track.frame[shown])
    reader = FrameReader(cache_frames=0)
    image = reader.read(reader.root(track.video) / track.video.frame_files[frame])
    matrix = image_to_crop(scale_box(fit_aspect(track.boxes_xywh[row], size_hw), 1.05), size_hw)
    view = cv2.warpAffine(image, matrix, (size_hw[1], size_hw[0]), flags=cv2.INTER_CUBIC, borderValue=(235, 235, 235))
    for other, place in by_frame(tracks).get((track.video.name, frame), []):
        if other.track_id == track.track_id:
            points = transform(drawn_keypoints(other, place, tracks.skeleton), matrix)
            seen = other.visibility[place] != 0
            return draw_pose(view.astype(np.uint8), points, tracks.skeleton, seen=seen)
    return view.astype(np.uint8)


def write_comparison(path: str | Path, video: Video, sources: Mapping[str, TrackSet], fps: float) -> None:
    """An mp4 of a whole video with the poses of several sources side by side, each under its name."""
    reader = FrameReader(cache_frames=0)
    people = {name: by_frame(tracks) for name, tracks in sources.items()}
    with VideoWriter(path, fps) as out:
        for frame, name in enumerate(video.frame_files):
            image = reader.read(reader.root(video) / name)
            row = [
                draw_people(image, people[source].get((video.name, frame), []), tracks.skeleton)
                for source, tracks in sources.items()
            ]
            out.write(filmstrip([row], row_titles=[""], column_titles=list(sources)))


def by_frame(tracks: TrackSet) -> dict[tuple[str, int], list[tuple[PersonTrack, int]]]:
    """(video name, frame) -> the people in it, each a track and its row."""
    people: dict[tuple[str, int], list[tuple[PersonTrack, int]]] = {}
    for track in tracks:
        for row, frame in enumerate(track.frame.tolist()):
            people.setdefault((track.video.name, frame), []).append((track, row))
    return people


def draw_people(image: Image, people: list[tuple[PersonTrack, int]], skeleton: Skeleton) -> Image:
    """A copy of the frame with everybody's pose; unannotated and never-scored joints are left out."""
    canvas = image.copy()
    for number, (track, row) in enumerate(people):
        confidence = track.keypoint_scores[row]
        figure = Figure.of(
            drawn_keypoints(track, row, skeleton),
            skeleton,
            len(canvas),
            confidence=None if np.isnan(confidence).all() else confidence,
            seen=track.visibility[row] != 0,
            color=person_color(number) if len(people) > 1 else None,
        )
        if figure is not None:
            figure.paint(canvas)
    return canvas


def drawn_keypoints(track: PersonTrack, row: int, skeleton: Skeleton) -> NDArray[np.float64]:
    """``[J, 2]`` image pixels; NaN, so not drawn, for joints without a position and joints that nobody scores."""
    scored = np.isin(np.arange(skeleton.num_joints), list(skeleton.scored_rows.values()))
    shown = track.annotated[row] & scored
    return np.where(shown[:, None], track.keypoints_px[row], np.nan)
