"""Annotation files of all layouts, read into the one internal form and written again."""

from posegraph.data.formats.convert import convert
from posegraph.data.formats.reading import read_tracks
from posegraph.data.formats.recognise import FORMATS, annotation_files
from posegraph.data.formats.writing import WRITTEN_FORMATS, Written, write_tracks

__all__ = ["FORMATS", "WRITTEN_FORMATS", "Written", "annotation_files", "convert", "read_tracks", "write_tracks"]
