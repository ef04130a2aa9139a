"""When an export counts as the model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from posegraph.engine.exporting.check import Differences, compare
from posegraph.engine.exporting.clips import synthetic_clips
from posegraph.errors import PoseGraphError
from posegraph.models.base import Encoded, PoseModel, PoseOutput
from posegraph.models.inference import InferenceModel


def differences(nodes: float = 0.0, max_px: float = 0.0, mean_px: float = 0.0) -> Differences:
    return Differences(nodes, max_px, mean_px, clips=5, batches=(1, 2, 5))


@pytest.mark.parametrize("bad", [{"nodes": 1.1e-4}, {"max_px": 0.011}, {"nodes": float("nan")}])
def test_a_faithful_export_differs_by_rounding_alone(bad: dict[str, float]) -> None:
    differences(nodes=1e-4, max_px=0.01).check(exact=True)
    with pytest.raises(PoseGraphError, match=r"expected 1e-04 and 0.01 px"):
        differences(**bad).check(exact=True)


def test_reduced_precision_is_held_to_the_mean() -> None:
    differences(nodes=0.1, max_px=5.0, mean_px=1.0).check(exact=False)
    for mean_px in (1.1, float("nan")):
        with pytest.raises(PoseGraphError, match=r"expected 1.0 px on average at most.*fp32"):
            differences(mean_px=mean_px).check(exact=False)


class Shifted:
    """Stands in for an export: the model's stages, with all points moved in one of its two ways of being run."""

    def __init__(self, model: PoseModel, clip: float = 0.0, stream: float = 0.0) -> None:
        self._stages, self._clip, self._stream = InferenceModel(model), clip, stream

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        return self._stages.encode(crops)

    def __call__(self, encoded: Encoded, shift: float | None = None) -> PoseOutput:
        output = self._stages(encoded)
        moved = output.nodes + torch.tensor([self._stream if shift is None else shift, 0.0, 0.0])
        return output._replace(nodes=moved)

    def clip(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        parts = (part.unflatten(0, (-1, frames.size(1))) for part in self.encode(frames.flatten(0, 1)))
        output = self(Encoded(*parts), self._clip)
        return output.nodes, output.values


@pytest.mark.parametrize("moved", [{"clip": 1 / 47}, {"stream": 1 / 47}])
def test_a_point_moved_by_a_pixel_is_one_pixel(model: PoseModel, moved: dict[str, float]) -> None:
    clips = synthetic_clips(model)
    none = compare(model, Shifted(model), clips)  # type: ignore[arg-type]
    assert none.nodes < 1e-4
    assert none.max_px < 0.01
    found = compare(model, Shifted(model, **moved), clips)  # type: ignore[arg-type]
    assert found.nodes == pytest.approx(1 / 47, abs=1e-4)  # the crop is 48 pixels wide
    assert found.max_px == pytest.approx(1.0, abs=0.01)
    assert found.mean_px == pytest.approx(0.5, abs=0.01)
    assert (found.clips, found.batches) == (5, (1, 2, 5))
