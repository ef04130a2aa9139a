"""Annotated, predicted and detected people: readers and writers around one internal form, :class:`PersonTrack`."""

from posegraph.data.box_files import BOX_FORMATS, read_boxes
from posegraph.data.boxes import Boxes
from posegraph.data.formats import FORMATS, WRITTEN_FORMATS, convert, read_tracks, write_tracks
from posegraph.data.tracks import UNKNOWN, PersonTrack, TrackSet, Video

__all__ = [
    "BOX_FORMATS",
    "FORMATS",
    "UNKNOWN",
    "WRITTEN_FORMATS",
    "Boxes",
    "PersonTrack",
    "TrackSet",
    "Video",
    "convert",
    "read_boxes",
    "read_tracks",
    "write_tracks",
]
