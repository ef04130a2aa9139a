"""What a model costs: arithmetic counted, seconds and memory measured."""

from posegraph.engine.bench.flops import Work, WorkCounter
from posegraph.engine.bench.measurement import Bench, BenchSettings, bench, open_model
from posegraph.engine.bench.model_work import ModelWork, model_work
from posegraph.engine.bench.run import BenchReport, run

__all__ = [
    "Bench",
    "BenchReport",
    "BenchSettings",
    "ModelWork",
    "Work",
    "WorkCounter",
    "bench",
    "model_work",
    "open_model",
    "run",
]
