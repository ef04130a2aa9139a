"""What is timed is the model's work; what cannot be run is one clear line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from posegraph.engine.bench import BenchSettings, bench, measurement, open_model
from posegraph.engine.bench.measurement import device_named, running, step_of
from posegraph.engine.bench.model_work import total
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel


def test_a_frame_of_people_is_as_many_batches_as_it_takes() -> None:
    assert BenchSettings(batch=4, people=10).sizes == [4, 4, 2]
    assert BenchSettings(batch=4, people=8).sizes == [4, 4]
    assert BenchSettings(batch=4).sizes == [4]
    assert BenchSettings(batch=4, people=3).sizes == [3]
    assert (BenchSettings(batch=4).poses, BenchSettings(batch=4, people=10).poses) == (4, 10)


@pytest.mark.parametrize("variant", ["full", "vit_alone"])
def test_both_modes_compute_the_same_poses(small: Callable[..., PoseModel], variant: str) -> None:
    model, found = small(variant), {}
    for mode in ("clip", "stream"):
        settings = BenchSettings(mode=mode, device="cpu", batch=2, people=3)  # type: ignore[arg-type]  # a literal
        with running(settings):
            found[mode] = torch.cat(step_of(model, settings)())
    assert found["clip"].shape == (3, 17, 3)
    torch.testing.assert_close(found["clip"], found["stream"], atol=1e-4, rtol=1e-4)


def test_a_training_step_changes_the_weights(small: Callable[..., PoseModel]) -> None:
    model = small()
    before = {name: value.clone() for name, value in model.named_parameters()}
    settings = BenchSettings(mode="train", device="cpu", batch=2)
    with running(settings):
        step_of(model, settings)()
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert any(name.startswith("backbone.") for name in changed)
    assert any(name.startswith("local.spatial.") for name in changed)


def test_a_type_is_autocasts(small: Callable[..., PoseModel]) -> None:
    model = small()
    seen: list[torch.dtype] = []
    model.backbone.vit.blocks[0].mlp.fc1.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    for dtype in ("float32", "bfloat16"):
        settings = BenchSettings(device="cpu", dtype=dtype)
        with running(settings):
            step_of(model, settings)()
    assert seen == [torch.float32, torch.bfloat16]


def test_a_bench_counts_and_times(small: Callable[..., PoseModel]) -> None:
    found = bench("small", small(), BenchSettings(device="cpu", batch=2, warmup=1, steps=3))
    assert len(found.latency.seconds) == 3
    assert 0 < found.latency.percentile(50) <= found.latency.percentile(99)
    assert found.weight_bytes > 4 * sum(found.work.parameters.values())  # buffers, too
    assert total(found.work.clip).macs > total(found.work.stream).macs > 0
    assert (found.model, found.num_frames, found.num_joints, found.training) == ("small", 3, 17, None)
    assert found.settings.device == "cpu"


def test_training_is_counted_forward_and_backward(small: Callable[..., PoseModel]) -> None:
    found = bench("small", small(), BenchSettings(mode="train", device="cpu", warmup=1, steps=1))
    assert found.training is not None
    assert found.training.macs > 2 * total(found.work.clip).macs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "train", "people": 3}, "--people: a training step is one batch; say its size by --batch"),
        ({"mode": "train", "dtype": "float16"}, "--dtype float16: its losses would have to be scaled in training"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, said: str) -> None:
    with pytest.raises(PoseGraphError, match=said):
        BenchSettings(**options)


@pytest.mark.parametrize("name", ["nonsense", "cuda:77"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(PoseGraphError, match=f"--device {name}: torch cannot use it; see `posegraph env`"):
        device_named(name)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")])
def test_too_large_a_batch_is_one_clear_line(small: Callable[..., PoseModel], monkeypatch, error: Exception) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(measurement, "time_steps", full)
    with pytest.raises(PoseGraphError, match="--batch 64: more than the memory of cpu holds; give a smaller one"):
        bench("small", small(), BenchSettings(device="cpu", batch=64, people=1))


@pytest.mark.parametrize("mode", ["clip", "stream", "train"])
def test_compile_compiles_what_is_timed(small: Callable[..., PoseModel], monkeypatch, mode: str) -> None:
    compiled: list[tuple[torch.nn.Module, str]] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda stage, mode: compiled.append((stage, mode)))
    monkeypatch.setattr(torch.backends.mha, "set_fastpath_enabled", lambda on: None)
    settings = BenchSettings(mode=mode, device="cpu", compiled="reduce-overhead")  # type: ignore[arg-type]  # literals
    with running(settings):
        step_of(small(), settings)
    assert {"ViTBackbone"} < {type(stage).__name__ for stage, _ in compiled}
    assert {mode for _, mode in compiled} == {"reduce-overhead"}


def test_a_compiler_that_fails_is_one_clear_line() -> None:
    settings = BenchSettings(device="cpu", compiled="default")
    with pytest.raises(PoseGraphError, match=r"--compile: torch\.compile failed .*leave --compile away"):  # noqa: SIM117
        with running(settings):
            raise TorchDynamoException("no C++ compiler\nin sight")


def test_a_preset_has_its_own_settings_and_any_skeleton() -> None:
    model = open_model("ncstr-tiny", "coco17")
    assert model.skeleton.name == "coco17"
    assert model.run_config.loss.heatmap == 100.0
    assert not model.training


def test_a_name_of_nothing_names_the_presets() -> None:
    with pytest.raises(PoseGraphError, match=r"ncstr-bb: no preset, file or folder .*; did you mean 'ncstr-b'\?"):
        open_model("ncstr-bb")
