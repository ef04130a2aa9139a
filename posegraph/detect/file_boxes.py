"""People from a file of boxes, matched with the frames of a source."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np

from posegraph.data.box_files import read_boxes
from posegraph.data.boxes import Boxes, name_tail
from posegraph.data.formats.reading import read_tracks
from posegraph.data.people import NO_TRACK, People
from posegraph.data.sources.frame import Frame, FrameSource
from posegraph.data.tracks import TrackSet, movie_frame

_NUMBER = re.compile(r"(\d+)\.[^.]*$")
_POSE_SUFFIXES = (".slp", ".h5", ".mat")


def read_box_file(path: str | Path) -> Boxes:
    """Detections in a layout of :func:`read_boxes`, or the boxes of an annotation or prediction file.

    Raises:
        PoseGraphError: the path cannot be read, or has none of these layouts.
    """
    path = Path(path)
    if path.is_dir():
        poses = not any(True for _ in path.rglob("*.txt"))
    else:
        poses = path.suffix.lower() in _POSE_SUFFIXES or _start(path).startswith((b"{", b"scorer,"))
    return boxes_of_tracks(read_tracks(path), path) if poses else read_boxes(path)


def boxes_of_tracks(tracks: TrackSet, source: Path) -> Boxes:
    """The boxes of annotated or predicted people, known by their image's name; a score of 1 where there is none."""
    kept = list(tracks)
    empty = [np.zeros(0)]
    scores = np.concatenate([track.scores for track in kept] or empty)
    return Boxes(
        source=source,
        places=tuple(name_tail(track.video.frame_files[frame]) for track in kept for frame in track.frame),
        boxes_xywh=np.concatenate([track.boxes_xywh for track in kept] or empty).reshape(-1, 4),
        scores=np.where(np.isnan(scores), 1.0, scores),
        track_ids=np.concatenate(
            [np.full(len(track), track.track_id if track.track_id_given else NO_TRACK) for track in kept] or empty
        ).astype(np.int64),
        skipped=tracks.skipped,
    )


class FileBoxes:
    """The boxes that a file has for each frame of a source.

    - An image's name is compared by folder and file name, where the source is called like the folder; else by file name
      alone, where the file names images of one folder. A frame of a movie is called ``movie.mp4#12``.
    - An image id is the frame's number: counted from 0, or from 1 in a file that has an image of as many as there are
      frames, but none of 0. Where ids go beyond that, it is the number in the image's file name (``000012.jpg``).
    - MOTChallenge text is matched by its video's name; text of one video goes with any source.

    Args:
        boxes: What was read.
        source: Its name and number of frames are looked at.
        shared: The boxes are for several sources: what tells videos apart must fit.

    Attributes:
        used: Boxes given so far.
    """

    def __init__(self, boxes: Boxes, source: FrameSource, shared: bool = False) -> None:
        self.boxes, self.name, self.used = boxes, source.name, 0
        self._rows: dict[Hashable, list[int]] = {}
        for row, place in enumerate(boxes.places):
            self._rows.setdefault(place, []).append(row)
        self._by_file_name = _by_file_name(self._rows, shared)
        videos = {place[0] for place in self._rows if isinstance(place, tuple)}
        self._video = next(iter(videos)) if len(videos) == 1 and not shared else source.name
        ids = [place for place in self._rows if isinstance(place, int)]
        self._numbered = source.num_frames is None or not ids or max(ids) <= source.num_frames
        self._first_number = int(bool(ids) and max(ids) == source.num_frames and 0 not in ids)
        self._asked = ""

    def __call__(self, frame: Frame) -> People:
        """The people of one frame, in file order; nobody where the file has nobody."""
        self._asked = self._asked or frame.name
        rows = sorted({row for key in self._keys(frame) for row in self._rows.get(key, ())})
        self.used += len(rows)
        boxes = self.boxes
        return People(boxes.boxes_xywh[rows].reshape(-1, 4), boxes.scores[rows], boxes.track_ids[rows])

    @property
    def first_free_id(self) -> int:
        """The first track id that the file does not use."""
        return int(self.boxes.track_ids.max(initial=NO_TRACK)) + 1

    def notice(self) -> str | None:
        """A line for the user, where no box was in any frame that was asked for."""
        if self.used or not self._asked:
            return None
        if not self.boxes.places:
            return f"{self.boxes.source}: no box of a person in it"
        return (
            f"{self.boxes.source}: none of its {len(self.boxes)} boxes is in a frame of {self.name}: they are in "
            f"{_told(self.boxes.places[0])} and others, the frames are called {self._asked!r} and so on"
        )

    def _keys(self, frame: Frame) -> list[Hashable]:
        file_name = frame.name.rsplit("/", 1)[-1]
        number = self._file_number(file_name)
        return [
            name_tail(frame.name),
            f"{self.name}/{file_name}",
            self._by_file_name.get(file_name),
            (self._video, frame.number),
            frame.number + self._first_number if self._numbered or number is None else number,
        ]

    def _file_number(self, file_name: str) -> int | None:
        found = None if movie_frame(file_name) is not None else _NUMBER.search(file_name)
        return None if found is None else int(found[1])


def _by_file_name(places: Iterable[Hashable], shared: bool) -> dict[str, str]:
    """File name -> place, where the folder is not needed: of one folder's images, and of movies, which have names."""
    images = [place for place in places if isinstance(place, str)]
    one_folder = not shared and len({place.rpartition("/")[0] for place in images}) == 1
    found: dict[str, list[str]] = {}
    for place in images:
        found.setdefault(place.rpartition("/")[2], []).append(place)
    return {
        name: its[0] for name, its in found.items() if one_folder or (len(its) == 1 and movie_frame(name) is not None)
    }


def _told(place: Hashable) -> str:
    if isinstance(place, tuple):
        return f"frame {place[1] + 1} of video {place[0]!r}"
    return f"image {place!r}" if isinstance(place, str) else f"image id {place}"


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096).lstrip()
    except OSError:
        return b""  # reading it says what is wrong
