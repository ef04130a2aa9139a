"""Pictures: poses over frames, film strips that compare methods, PNG and mp4 files."""

from posegraph.visualize.colors import person_color
from posegraph.visualize.filmstrip import filmstrip, tiles
from posegraph.visualize.frame import draw_frame, letterbox
from posegraph.visualize.output import VideoWriter, write_png
from posegraph.visualize.pose import Figure, draw_pose

__all__ = [
    "Figure",
    "VideoWriter",
    "draw_frame",
    "draw_pose",
    "filmstrip",
    "letterbox",
    "person_color",
    "tiles",
    "write_png",
]
