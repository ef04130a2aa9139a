"""Annotated, predicted and detected people: readers and writers around one internal form, :class:`PersonTrack`."""

from posegraph.data.boxes import Boxes, read_boxes
from posegraph.data.posetrack import read_tracks
from posegraph.data.posetrack_writer import write_posetrack18
from posegraph.data.tracks import UNKNOWN, PersonTrack, TrackSet, Video

__all__ = [
    "UNKNOWN",
    "Boxes",
    "PersonTrack",
    "TrackSet",
    "Video",
    "read_boxes",
    "read_tracks",
    "write_posetrack18",
]
