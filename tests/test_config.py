"""The description of a run: how it is merged, what it refuses, and that what it writes it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from posegraph.config import RunConfig, commented_yaml, parse_frames, preset_names
from posegraph.errors import PoseGraphError

PRESETS = ["ncstr-b", "ncstr-h", "ncstr-l", "ncstr-s", "ncstr-tiny", "vitpose-b", "vitpose-h", "vitpose-l", "vitpose-s"]


def said(*overrides: str, content: object = None) -> str:
    """The one line of the error."""
    with pytest.raises(PoseGraphError) as error:
        RunConfig.from_dict({} if content is None else content, overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_presets_are_those_of_the_paper_and_a_tiny_one() -> None:
    assert preset_names() == PRESETS
    sizes = {
        name: (m.embed_dim, m.depth, m.num_heads, m.grid_hw, m.heatmap_hw)
        for name in PRESETS[:4]
        for m in [RunConfig.from_preset(name).model]
    }
    assert sizes == {
        "ncstr-s": (384, 12, 12, (16, 12), (64, 48)),
        "ncstr-b": (768, 12, 12, (16, 12), (64, 48)),
        "ncstr-l": (1024, 24, 16, (16, 12), (64, 48)),
        "ncstr-h": (1280, 32, 16, (16, 12), (64, 48)),
    }


def test_defaults_of_the_method() -> None:
    run = RunConfig.from_preset("ncstr-b")
    model, loss = run.model, run.loss
    assert (model.node_channels, model.visible_threshold, model.prior_epsilon) == (256, 0.2, 1e-6)
    assert (model.radius_min, model.radius_growth, model.radius_max, model.past_radius) == (3, 1, 12, (4, 8))
    assert (loss.huber_beta, loss.geometry, loss.visibility, loss.heatmap) == (0.02, 20, 1, 0)
    assert run.data.box_scale == 1.25
    assert run.evaluation.box_score == 0.2


def test_merge_order_is_defaults_preset_file_overrides(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "seed: 3\nmodel: {preset: ncstr-tiny, depth: 2, embed_dim: 64, num_heads: 4}\ntraining: {lr: 0.5}\n"
    )
    run = RunConfig.from_file(path, ["model.embed_dim=32", "data.train=somewhere"])
    assert run.model.node_channels == 96  # the preset's, not the default's 256
    assert (run.model.depth, run.training.lr, run.seed) == (2, 0.5, 3)  # the file's, not the preset's
    assert (run.model.embed_dim, run.data.train) == (32, "somewhere")  # the overrides'
    assert run.training.warmup_steps == 100  # the preset's, beside the file's lr
    assert run.training.batch_size == 32


def test_an_override_may_choose_the_preset() -> None:
    run = RunConfig.from_dict({"model": {"preset": "ncstr-b"}}, ["model.preset=ncstr-s"])
    assert (run.model.preset, run.model.embed_dim) == ("ncstr-s", 384)


def test_overrides_are_yaml_values_and_the_last_wins() -> None:
    run = RunConfig.from_preset(
        "ncstr-tiny",
        ["model.input_hw=[64, 48]", "training.lr=1e-3", "training.lr=2.0e-3", "data.val=null", "data.images=a=b",
         "model.heatmap_prior=false", "training.devices=2"],
    )  # fmt: skip
    assert run.model.input_hw == (64, 48)
    assert run.training.lr == 0.002
    assert run.data.val is None
    assert run.data.images == "a=b"
    assert run.model.heatmap_prior is False
    assert run.training.devices == 2
    assert RunConfig.from_preset("ncstr-tiny", ["training.lr=1e-3"]).training.lr == 0.001  # YAML reads it as a string


def test_unknown_keys_name_the_nearest() -> None:
    assert "unknown key 'modl'; keys are: seed, skeleton, model, data" in said(content={"modl": {}})
    assert said(content={"modl": {}}).endswith("did you mean 'model'?")
    nested = said(content={"training": {"batchsize": 3}})
    assert "unknown key 'training.batchsize'; keys are: epochs, max_steps" in nested
    assert nested.endswith("did you mean 'batch_size'?")
    assert said("loss.huber_bta=1").endswith("did you mean 'huber_beta'?")
    assert "unknown key 'augment.flp'" in said("augment.flp=0")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["training.epochs"], "override 'training.epochs' is not of the form key=value; write for instance -o"),
        (["=3"], "override '=3' is not of the form key=value"),
        (["model.input_hw=[1,"], "is no YAML value; quote it or check brackets"),
        (["training.epochs=many"], "training.epochs: Input should be a valid integer"),
        (["training.epochs=many"], "got 'many'"),
        (["training.epochs=0"], "training.epochs: Input should be greater than 0, got 0"),
        (["training=3"], "training: "),
        (["seed.x=3"], "seed: "),
        (["model.preset=ncstr-x"], "no preset 'ncstr-x'; presets are: ncstr-b, ncstr-h, ncstr-l, ncstr-s, ncstr-tiny"),
        (["data.frames=9-3"], "frames '9-3' is no range; write A-B with A <= B, for instance 0-19"),
        (["data.val_frames=5"], "data.val_frames: frames '5' is no range; write A-B"),
        (["data.val_frames=5-"], "frames '5-' is no range"),
        (["seed=-1"], "seed: Input should be greater than or equal to 0, got -1"),
        (["training.lr=.inf"], "training.lr: Input should be a finite number, got inf"),
        (["augment.scale_range=[1.3, 0.7]"], "scale_range [1.3, 0.7] is upside down"),
        (["model.radius_min=20"], "radius_min 20 is above radius_max 12"),
        (["model.num_frames=6"], "model.num_frames: Input should be less than or equal to 5, got 6"),
    ],
)
def test_faulty_overrides(overrides: list[str], expected: str) -> None:
    assert expected in said(*overrides)


@pytest.mark.parametrize("first", ["training=3", "training=text", "training=[1]"])
def test_an_override_into_a_value_that_holds_nothing(first: str) -> None:
    expected = "override 'training.lr=1': an earlier override gives 'training' a value; drop one of them"
    assert said(first, "training.lr=1") == expected


def test_faulty_files(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    for text, expected in (
        ("- 1\n", "expected a mapping; `posegraph config ncstr-b` writes one"),
        ("", "expected a mapping"),
        ("a: [", "not valid YAML"),
        ("trainin: {}", "did you mean 'training'?"),
        ("model: 3", "model: "),
        ("model:", "model: "),
    ):
        path.write_text(text)
        with pytest.raises(PoseGraphError) as error:
            RunConfig.from_file(path)
        assert str(error.value).startswith(str(path))
        assert expected in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(PoseGraphError, match=r"none\.yaml: no such file"):
        RunConfig.from_file(tmp_path / "none.yaml")


def test_frames() -> None:
    assert parse_frames(None) is None
    assert parse_frames("0-19") == (0, 19)
    assert parse_frames("7-7") == (7, 7)
    for text in ("", "-", "3", "3-", "-3", "a-b", "5-4", "1-2-3", "1.0-2"):
        with pytest.raises(ValueError, match="is no range"):
            parse_frames(text)


@pytest.mark.parametrize("model_values", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_written_reads_back_the_same(preset: str, model_values: bool, tmp_path: Path) -> None:
    run = RunConfig.from_preset(preset, ["seed=7", "data.frames=0-19", "data.train=a b", "training.milestones=[0.5]"])
    path = tmp_path / "run.yaml"
    path.write_text(commented_yaml(run, model_values))
    assert RunConfig.from_file(path) == run


def test_with_model_values_a_record_keeps_overrides_of_the_model(tmp_path: Path) -> None:
    run = RunConfig.from_preset("ncstr-tiny", ["model.depth=2", "model.past_radius=[1.5, 3]"])
    path = tmp_path / "run.yaml"
    path.write_text(commented_yaml(run, model_values=True))
    assert RunConfig.from_file(path) == run


@pytest.mark.parametrize("preset", PRESETS)
def test_every_key_carries_its_meaning(preset: str) -> None:
    lines = commented_yaml(RunConfig.from_preset(preset)).splitlines()
    keys = [line for line in lines if ":" in line and not line.endswith(":")]
    assert all("  # " in line.lstrip(" #") for line in keys)
    content = RunConfig.from_preset(preset).to_dict()
    leaves = sum(len(value) if isinstance(value, dict) else 1 for value in content.values())
    assert len(keys) == leaves


def test_a_commented_line_becomes_an_override_when_uncommented(tmp_path: Path) -> None:
    text = commented_yaml(RunConfig.from_preset("ncstr-tiny"))
    assert text.count("\n  # depth: ") == 1
    path = tmp_path / "run.yaml"
    path.write_text(re.sub(r"  # depth: \d+", "  depth: 7", text))
    assert RunConfig.from_file(path) == RunConfig.from_preset("ncstr-tiny", ["model.depth=7"])


def test_a_streams_size_range_holds_a_new_crop() -> None:
    line = said("stream.size_range=[1.1, 1.3]")
    assert "stream" in line
    assert "size_range [1.1, 1.3] leaves out 1, the size of a new crop; give low <= 1 <= high" in line


def test_plain_values_and_back() -> None:
    run = RunConfig.from_preset("ncstr-tiny", ["seed=7", "model.variant=local_only"])
    plain = run.to_dict()
    assert yaml.safe_load(yaml.safe_dump(plain)) == plain
    assert RunConfig.from_dict(plain) == run


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        RunConfig().seed = 3
