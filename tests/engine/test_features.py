"""Training the head from features that were computed once: as without, and never from the wrong ones."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

import posegraph
from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.video import FrameReader
from posegraph.engine.features import compute_features
from posegraph.engine.training import train
from posegraph.errors import PoseGraphError
from posegraph.models.base import Encoded, PoseModel
from posegraph.models.build import started_model
from posegraph.skeleton import Skeleton

Frozen = Callable[..., RunConfig]
STILL = [f"augment.{name}=0" for name in ("half_body", "scale", "rotation_probability", "flip", "shift")]


@pytest.fixture
def frozen(configure, trained: Path, synthetic: Path) -> Frozen:
    """A run of two epochs that trains the head alone, and validates."""
    fixed = ["training.backbone_lr_scale=0", "loss.heatmap=0", f"model.weights={trained}"]
    length = ["training.max_steps=-1", "training.epochs=2", f"data.val={synthetic}/annotations/val"]

    def frozen(*overrides: str) -> RunConfig:
        return configure(*fixed, *length, *overrides)

    return frozen


def logged(run: Path, name: str) -> list[float]:
    rows = [row for path in sorted(run.glob("logs/**/metrics.csv")) for row in csv.DictReader(path.open())]
    return [float(row[name]) for row in rows if row.get(name)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def never(*_: object, **__: object) -> None:
    raise AssertionError("not to be called")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_losses_are_those_without_cache(frozen: Frozen, tmp_path: Path, precision: str) -> None:
    common = (f"training.precision={precision}",)
    train(frozen(*STILL, *common), tmp_path / "images", progress=False)
    notices: list[str] = []
    cached = frozen(*common, f"data.features={tmp_path}/features", "data.workers=1")  # augmentation on: it is ignored
    train(cached, tmp_path / "cached", progress=False, on_notice=notices.append)
    for name, count in (("train/loss", 12), ("train/geometry", 12), ("val/loss", 2), ("val/within", 2)):
        values = logged(tmp_path / "images", name)
        assert len(values) == count
        assert logged(tmp_path / "cached", name) == pytest.approx(values, abs=1e-5)
    one, other = weights(tmp_path / "images"), weights(tmp_path / "cached")
    assert one.keys() == other.keys()
    image = [name for name in one if name.startswith(("model.backbone", "model.heatmap_head"))]
    assert image
    assert all(torch.equal(one[name], other[name]) for name in image)  # the backbone is in the checkpoint
    assert f"computing the features of 24 clips into {tmp_path}/features/train" in notices
    assert f"computing the features of 12 clips into {tmp_path}/features/val" in notices
    assert any("augmentation is off, clips are plain crops" in line for line in notices)


def test_the_cache_holds_what_the_backbone_says_in_its_precision(frozen: Frozen, tmp_path: Path) -> None:
    for precision, heatmaps in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        folder = tmp_path / precision
        config = frozen(f"training.precision={precision}", f"data.features={folder}")
        cache = compute_features(config)["train"]
        data, skeleton = ClipDataModule(config, Skeleton.load(config.skeleton)), Skeleton.load(config.skeleton)
        model = started_model(config.model, skeleton).eval()
        model.backbone.fuse_attention(False)  # as training on a CPU has it
        dataset = data.dataset(data.train_tracks, train=False)
        for number in (0, 17, 23):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
                expected = model.encode(dataset[number].frames)
            found = cache.read(number)
            assert found[1].dtype == heatmaps
            for value, right in zip(found, expected, strict=True):
                assert value.dtype == right.dtype
                torch.testing.assert_close(value, right)


def test_no_image_is_read_and_the_run_predicts_on_images(
    frozen: Frozen, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = frozen(f"data.features={tmp_path}/features")
    compute_features(config)
    with monkeypatch.context() as patch:
        patch.setattr(FrameReader, "read", never)
        patch.setattr(PoseModel, "encode", never)
        train(config, tmp_path / "run", progress=False)
    model = posegraph.load(tmp_path / "run")
    data = ClipDataModule(config, model.skeleton)
    cached = next(iter(data.val_dataloader()))
    people = data.dataset(data.val_tracks, train=False)
    assert "frames" not in cached
    with torch.no_grad():
        for row, key in enumerate(next(iter(data.val_dataloader().batch_sampler))):
            clip = people[key]
            torch.testing.assert_close(model(clip)[0], model(cached)[row], rtol=1e-4, atol=1e-5)
            assert torch.equal(clip.keypoints_norm[0], cached.keypoints_norm[row])


def test_variants_and_seeds_share_a_cache(frozen: Frozen, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    train(frozen(f"data.features={folder}", "training.max_steps=1"), tmp_path / "first", progress=False)
    before = times(folder)
    for variant, seed in (("local_only", 1), ("spatial_only", 2), ("no_center_predict", 3)):
        notices: list[str] = []
        overrides = (f"model.variant={variant}", f"seed={seed}", "training.lr=1e-4", "training.max_steps=1")
        config = frozen(f"data.features={folder}", *overrides)
        train(config, tmp_path / variant, progress=False, on_notice=notices.append)
        assert not any("computing" in line for line in notices)
    assert times(folder) == before


def test_validation_can_be_added(frozen: Frozen, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    assert set(compute_features(frozen(f"data.features={folder}", "data.val=null"))) == {"train"}
    before = times(folder / "train")
    both = compute_features(frozen(f"data.features={folder}"))
    assert {part: cache.meta.clips for part, cache in both.items()} == {"train": 24, "val": 12}
    assert times(folder / "train") == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.backbone_lr_scale=0.1", "backbone_lr_scale is 0.1, so the backbone would learn.*set it to 0"),
        ("loss.heatmap=1", "loss.heatmap is 1, but heatmaps .* cannot learn; set it to 0"),
        ("model.weights=null", "model.weights is empty, and a frozen backbone would stay random; name a run"),
    ],
)
def test_a_run_that_cannot_train_from_features_is_refused(
    frozen: Frozen, tmp_path: Path, override: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PoseModel, "encode", never)
    with pytest.raises(PoseGraphError, match=message):
        train(frozen(f"data.features={tmp_path}/features", override), tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_vit_alone_is_refused(configure, trained: Path, tmp_path: Path) -> None:
    overrides = ("model.variant=vit_alone", f"model.weights={trained}", f"data.features={tmp_path}/features")
    with pytest.raises(PoseGraphError, match="vit_alone has no head to train from features; choose another variant"):
        compute_features(configure(*overrides))
    assert list(tmp_path.iterdir()) == []


def test_weights_without_a_decoder_are_refused(frozen: Frozen, trained: Path, tmp_path: Path) -> None:
    content = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)
    kept = {name: value for name, value in content["state_dict"].items() if "heatmap_head" not in name}
    torch.save(content | {"state_dict": kept}, tmp_path / "part.ckpt")
    config = frozen(f"data.features={tmp_path}/features", f"model.weights={tmp_path}/part.ckpt")
    with pytest.raises(PoseGraphError, match=r"part.ckpt lacks \d+ tensors of backbone or decoder, first: heatmap_hea"):
        train(config, tmp_path / "run", progress=False)


@pytest.fixture(scope="module")
def features(configure, trained: Path, synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole features of :func:`frozen`; nobody writes into it."""
    out = tmp_path_factory.mktemp("features")
    compute_features(configure(f"model.weights={trained}", f"data.features={out}"))
    return out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.box_scale=1.5", "holds the features of data.box_scale 1.25 there and 1.5 here. Give another folder"),
        ("training.precision=bf16-mixed", "training.precision 32-true there and bf16-mixed here"),
        ("data.frames=0-3", r"other people, boxes, frames or windows \(data.train"),
    ],
)
def test_features_of_something_else_are_refused(
    frozen: Frozen, features: Path, tmp_path: Path, override: str, message: str
) -> None:
    before = times(features)
    with pytest.raises(PoseGraphError, match=f"train: .*{message}"):
        train(frozen(f"data.features={features}", override), tmp_path / "run", progress=False)
    assert times(features) == before
    assert not (tmp_path / "run").exists()


def test_other_weights_and_other_images_are_refused(
    frozen: Frozen, features: Path, trained: Path, synthetic: Path, tmp_path: Path
) -> None:
    content = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)
    content["state_dict"]["model.backbone.vit.norm.bias"] += 1e-7
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(PoseGraphError, match=r"features of other weights of backbone or decoder \(model.weights\)\. "):
        compute_features(frozen(f"data.features={features}", f"model.weights={tmp_path}/other.ckpt"))
    moved = tmp_path / "moved"
    shutil.copytree(synthetic, moved)
    here = (f"data.features={features}", f"data.train={moved}/annotations/train", "data.val=null")
    assert compute_features(frozen(*here))["train"].complete  # where the data set lies makes no difference
    some = sorted(moved.glob("images/**/*.jpg"))[0]
    with some.open("ab") as image:
        image.write(b"\0")
    with pytest.raises(PoseGraphError, match=r"features of other images \(data.images\)\. "):
        compute_features(frozen(*here))


def test_a_disk_without_room_is_refused_before_anything_is_computed(
    frozen: Frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # T 3, C 32, 8 x 6 cells; J 17, 16 x 12 cells; 24 + 12 clips
    needed = 36 * 3 * (32 * 8 * 6 + 17 * 16 * 12) * 4
    config = frozen(f"data.features={tmp_path}/features")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    with pytest.raises(PoseGraphError, match=r"the features take 0\.00 GB, and the disk has 0\.00 GB free; make room"):
        compute_features(config)
    assert not list(tmp_path.glob("features/**/*.npy"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    assert compute_features(config)["val"].complete


def test_an_interrupted_computation_is_gone_on_with(
    frozen: Frozen, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = frozen(f"data.features={tmp_path}/features", "evaluation.batch_size=5", "data.val=null")
    encode, sizes = PoseModel.encode, []

    def interrupted(self: PoseModel, frames: torch.Tensor) -> Encoded:
        if len(sizes) == 4:
            raise KeyboardInterrupt
        sizes.append(len(frames))
        return encode(self, frames)

    with monkeypatch.context() as patch:
        patch.setattr(PoseModel, "encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compute_features(config)
    assert sizes == [1, 5, 5, 5]  # one to see the sizes
    assert json.loads((tmp_path / "features/train/meta.json").read_text())["done"] == 15
    notices: list[str] = []
    cache = compute_features(config, notices.append)["train"]
    assert notices == [f"computing the features of 9 clips into {tmp_path}/features/train"]
    whole = compute_features(frozen(f"data.features={features}", "data.val=null"))["train"]
    for number in range(24):
        for value, right in zip(cache.read(number), whole.read(number), strict=True):
            torch.testing.assert_close(value, right)


def test_a_second_process_waits_for_the_first(frozen: Frozen, features: Path, tmp_path: Path) -> None:
    folder, notices = tmp_path / "features", []
    folder.mkdir()
    waiting = threading.Event()
    config = frozen(f"data.features={folder}", "data.val=null")

    def tell(line: str) -> None:
        notices.append(line)
        waiting.set()

    with FileLock(folder / ".lock"):
        second = threading.Thread(target=compute_features, args=(config, tell))
        second.start()
        assert waiting.wait(timeout=60)
        shutil.copytree(features / "train", folder / "train")
    second.join(timeout=60)
    assert not second.is_alive()
    assert notices == [f"{folder}: another process computes these features; waiting for it"]
    assert times(folder / "train").values()


def test_a_resumed_run_goes_on_from_the_cache(frozen: Frozen, trained: Path, tmp_path: Path) -> None:
    """Without the weights that it began with: the checkpoint has them."""
    shutil.copytree(trained, tmp_path / "start")
    common = (f"data.features={tmp_path}/features", f"model.weights={tmp_path}/start")
    train(frozen(*common), tmp_path / "whole", progress=False)
    train(frozen(*common, "training.epochs=1"), tmp_path / "half", progress=False)
    shutil.rmtree(tmp_path / "start")
    before = times(tmp_path / "features")
    train(frozen(*common), tmp_path / "half", resume=True, progress=False)
    assert times(tmp_path / "features") == before
    assert logged(tmp_path / "half", "train/loss")[6:] == logged(tmp_path / "whole", "train/loss")[6:]
    one, other = weights(tmp_path / "half"), weights(tmp_path / "whole")
    assert all(torch.equal(one[name], other[name]) for name in other)
