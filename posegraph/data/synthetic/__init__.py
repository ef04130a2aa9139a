"""Annotated video clips of articulated people, generated: no camera, no licence, any amount."""

from posegraph.data.synthetic.render import Sequence, render_sequence
from posegraph.data.synthetic.writer import Summary, generate

__all__ = ["Sequence", "Summary", "generate", "render_sequence"]
