"""Annotated video clips of articulated people, generated: no camera, no licence, any amount."""

from posegraph.data.synthetic.recipes import SYNTH_OCCLUSION, Recipe
from posegraph.data.synthetic.render import Sequence, render_sequence
from posegraph.data.synthetic.writer import Summary, generate, generate_benchmark

__all__ = ["SYNTH_OCCLUSION", "Recipe", "Sequence", "Summary", "generate", "generate_benchmark", "render_sequence"]
