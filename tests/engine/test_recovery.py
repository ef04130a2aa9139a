"""Damaged, foreign and missing checkpoints are named; the good one is offered, and the command that goes on from it."""

from __future__ import annotations

import random
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import posegraph
from posegraph.config import RunConfig
from posegraph.engine.module import PoseTraining
from posegraph.engine.run_folder import open_saved
from posegraph.engine.training import train
from posegraph.errors import PoseGraphError
from posegraph_cli import main as cli

SETTINGS = [
    "training.max_steps=-1", "training.epochs=2", "training.accumulate=2", "training.checkpoint_every=1",
    "training.ema=0.9",
]  # fmt: skip
"""Three steps an epoch."""


@pytest.fixture(scope="module")
def config(configure: Callable[..., RunConfig], synthetic: Path) -> RunConfig:
    return configure(*SETTINGS, f"data.val={synthetic}/annotations/val")


@pytest.fixture(scope="module")
def whole(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    train(config, out, progress=False)
    return out


@pytest.fixture(scope="module")
def stopped(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, stopped with checkpoints of its steps 4 and 3."""
    out = tmp_path_factory.mktemp("stopped") / "run"

    def stop(self: PoseTraining, *_: object) -> None:
        if self.trainer.global_step == 5:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PoseTraining, "on_train_batch_end", stop)
        with pytest.raises(SystemExit):
            train(config, out, progress=False)
    return out


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    return Path(shutil.copytree(stopped, tmp_path / "a run"))


def last(run: Path) -> Path:
    return run / "checkpoints/last.ckpt"


def previous(run: Path) -> Path:
    return run / "checkpoints/previous.ckpt"


def refused(config: RunConfig, run: Path, checkpoint: Path | None = None) -> str:
    with pytest.raises(PoseGraphError) as error:
        train(config, run, resume=True, progress=False, checkpoint=checkpoint)
    return str(error.value)


def call(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["posegraph", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def in_a_tensor(path: Path) -> int:
    """The number of a bit of the positions' table."""
    table = torch.load(path, weights_only=True)["state_dict"]["model.backbone.vit.pos_embed"]
    return 8 * path.read_bytes().index(table.numpy().tobytes()) + 1000


def test_the_run_was_stopped_where_the_tests_want_it(stopped: Path) -> None:
    places = [open_saved(path(stopped)).place for path in (last, previous)]
    assert [(place.step, place.epoch, place.batch) for place in places] == [(4, 1, 2), (3, 1, 0)]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is cut off or no PyTorch file (0 bytes)"),
    "two bytes": (lambda path: path.write_bytes(b"PK"), "is cut off or no PyTorch file (2 bytes)"),
    "half": (lambda path: cut(path, 0.5), "is cut off or no PyTorch file"),
    "nearly all": (lambda path: cut(path, 0.9999), "is cut off or no PyTorch file"),
    "a flipped bit": (lambda path: flip(path, in_a_tensor(path)), "is not what its checksum says"),
    "text": (lambda path: path.write_text("hello"), "is cut off or no PyTorch file (5 bytes)"),
    "another tool's": (lambda path: torch.save({"state_dict": {"a": torch.ones(2)}}, path),
                       "a PyTorch file, but no checkpoint that `posegraph train` wrote"),
    "an export": (lambda path: torch.save({key: value for key, value in torch.load(path, weights_only=True).items()
                                           if key in ("posegraph", "state_dict")}, path),
                  "holds a model, but not the state of a run to go on with"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_a_damaged_checkpoint_is_named_and_the_previous_one_offered(config: RunConfig, run: Path, kind: str) -> None:
    spoil, reason = DAMAGE[kind]
    spoil(last(run))
    said = refused(config, run)
    assert said.startswith(f"{last(run)}: ")
    assert reason in said
    command = f"posegraph train '{run}/config.yaml' --out '{run}' --resume --from '{previous(run)}'"
    assert said.endswith(f"; {previous(run)} is whole (step 3), go on from it: {command}")
    if kind != "an export":
        with pytest.raises(PoseGraphError, match=r"last\.ckpt: .*; .*previous\.ckpt is whole \(step 3\)$"):
            posegraph.load(run)


def test_the_one_before_goes_on(
    config: RunConfig, run: Path, whole: Path, differences: Callable[..., list[str]]
) -> None:
    cut(last(run), 0.5)
    train(config, run, resume=True, progress=False, checkpoint=previous(run))
    assert differences(run, whole) == []
    assert open_saved(previous(run)).place.step == 5, "it gave its place to the next checkpoint, not to the damaged one"


def test_what_is_offered_can_be_read(config: RunConfig, run: Path) -> None:
    for path in (last(run), previous(run)):
        cut(path, 0.5)
    said = refused(config, run)
    assert f"; {run}/checkpoints/best.ckpt is whole (step 3), go on from it" in said
    cut(run / "checkpoints/best.ckpt", 0.5)
    assert f"; no other checkpoint in {run} fits; check {run}/config.yaml, or train anew" in refused(config, run)
    with pytest.raises(PoseGraphError, match=r"give an undamaged file$"):
        posegraph.load(run)


def test_a_flipped_bit_is_found_or_means_nothing(run: Path) -> None:
    """Outside of the data that a checksum covers there is only what nobody reads: padding and dates."""
    whole, seed = last(run).read_bytes(), random.randrange(2**32)
    print(f"seed {seed}")
    rng, content = random.Random(seed), torch.load(last(run), weights_only=True)["state_dict"]
    for _ in range(60):
        last(run).write_bytes(whole)
        flip(last(run), rng.randrange(8 * len(whole)))
        try:
            open_saved(last(run))
        except PoseGraphError:
            continue
        read = torch.load(last(run), weights_only=True)["state_dict"]
        assert all(torch.equal(read[name], value) for name, value in content.items())


def test_a_checkpoint_of_another_run(
    config: RunConfig, configure: Callable[..., RunConfig], run: Path, tmp_path: Path
) -> None:
    for number, (override, reason) in enumerate(
        [("model.depth=2", "model.depth is 2 there and 1 here"), ("training.ema=null", "training.ema is None there")]
    ):
        train(configure("training.max_steps=1", override), tmp_path / str(number), progress=False)
        shutil.copy(last(tmp_path / str(number)), last(run))
        said = refused(config, run)
        assert f"{last(run)}: is of another run: {reason}" in said
        assert f"{previous(run)} is whole (step 3)" in said
    assert "its skeleton is 'posetrack17' (17 joints), not 'coco17' (17 joints)" in refused(
        config.model_copy(update={"skeleton": "coco17"}), run
    )


def test_the_wrong_configuration_is_refused(configure: Callable[..., RunConfig], run: Path) -> None:
    said = refused(configure(*SETTINGS, "model.node_channels=64"), run)
    assert (
        f"{last(run)}: is of another run: model.node_channels is 32 there and 64 here; no other checkpoint in" in said
    )
    said = refused(configure(*SETTINGS, "training.epochs=1"), run)
    assert f"{last(run)}: was saved at batch 2 of epoch 2, past training.epochs 1; {previous(run)} is whole" in said


def test_a_missing_last_checkpoint(
    config: RunConfig, run: Path, whole: Path, differences: Callable[..., list[str]]
) -> None:
    last(run).unlink()
    lines: list[str] = []
    train(config, run, resume=True, progress=False, on_notice=lines.append)
    assert lines == [f"{run}: no last.ckpt; going on from previous.ckpt, step 3"]
    assert differences(run, whole) == []


def test_a_run_without_a_checkpoint_starts_from_its_beginning(
    config: RunConfig, run: Path, whole: Path, differences: Callable[..., list[str]]
) -> None:
    shutil.rmtree(run / "checkpoints")
    lines: list[str] = []
    train(config, run, resume=True, progress=False, on_notice=lines.append)
    assert lines == [f"{run}: no checkpoint yet; the run starts from its beginning"]
    assert differences(run, whole) == []


def test_no_run_and_no_checkpoint(config: RunConfig, run: Path, tmp_path: Path) -> None:
    assert refused(config, tmp_path / "none") == (
        f"{tmp_path}/none: no run to resume (no config.yaml); train without --resume, or check --out"
    )
    assert not (tmp_path / "none").exists()
    assert f"{tmp_path}/none.ckpt: no such file; check the path; {last(run)} is whole (step 4)" in refused(
        config, run, tmp_path / "none.ckpt"
    )
    with pytest.raises(PoseGraphError, match="only a resumed run goes on from a checkpoint; give --resume too"):
        train(config, tmp_path / "new", progress=False, checkpoint=last(run))


def test_other_settings_are_told(config: RunConfig, run: Path) -> None:
    changed = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 3, "log_every": 2})})
    lines: list[str] = []
    assert train(changed, run, resume=True, progress=False, on_notice=lines.append).steps == 9
    assert lines == [
        "training.epochs was 2 when the checkpoint was saved, and is now 3",
        "training.log_every was 1 when the checkpoint was saved, and is now 2",
    ]
    assert RunConfig.from_file(run / "config.yaml").training == changed.training


def test_a_full_disk(
    config: RunConfig, run: Path, whole: Path, differences: Callable[..., list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    """The system refuses the second half of the next checkpoint."""
    before = last(run).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        assert call("train", f"{run}/config.yaml", "--out", str(run), "--resume") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (
        f"error: {last(run)}: cannot be written (File too large); the checkpoint before it is whole: "
        "make room on the disk, then go on with --resume\n"
    ) in capfd.readouterr().err
    assert last(run).read_bytes() == before
    assert {path.name for path in last(run).parent.iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
    train(config, run, resume=True, progress=False)
    assert differences(run, whole) == []
