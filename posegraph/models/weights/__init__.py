"""Starting from weights that exist: other people's ViTPose, ViT backbones, and posegraph's own."""

from posegraph.models.weights.loading import load_weights
from posegraph.models.weights.reading import Weights, read_weights
from posegraph.models.weights.report import WeightsReport
from posegraph.models.weights.sources import Source, open_source

__all__ = ["Source", "Weights", "WeightsReport", "load_weights", "open_source", "read_weights"]
