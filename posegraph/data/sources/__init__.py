"""Sources of frames: movies, folders of images, cameras, streams, pipes."""

from posegraph.data.sources.frame import Frame, FrameSource
from posegraph.data.sources.many import FoundSources, NamedSource, find_sources, shard
from posegraph.data.sources.opening import open_frames

__all__ = ["FoundSources", "Frame", "FrameSource", "NamedSource", "find_sources", "open_frames", "shard"]
