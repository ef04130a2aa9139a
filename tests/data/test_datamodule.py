"""What the Trainer is given: order, shares of the ranks, the same batches from any number of workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data import video
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.synthetic import generate
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

TINY = ["model.input_hw=[64,48]", "training.batch_size=4"]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=2, frames=4, people=2, size=(160, 120), val_fraction=0.5, workers=1)
    return out


def module(folder: Path, *overrides: str) -> ClipDataModule:
    paths = [f"data.train={folder}/annotations/train", f"data.val={folder}/annotations/val"]
    config = RunConfig.from_preset("ncstr-tiny", [*TINY, *paths, *overrides])
    return ClipDataModule(config, Skeleton.load(config.skeleton))


def test_workers_give_identical_batches(synthetic: Path) -> None:
    alone = list(module(synthetic).train_dataloader())
    helped = list(module(synthetic, "data.workers=2").train_dataloader())
    assert len(alone) == len(helped) >= 1
    for one, other in zip(alone, helped, strict=True):
        assert one.keys() == other.keys()
        for key in one.keys():  # noqa: SIM118  # a batch is no dict: iterating it gives pairs
            assert torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])), key


@pytest.mark.parametrize("workers", [0, 2])
def test_the_epoch_may_be_said_after_the_iterator_is_made(synthetic: Path, workers: int) -> None:
    loader, other = (module(synthetic, f"data.workers={workers}").train_dataloader() for _ in range(2))
    begun = iter(loader)
    loader.batch_sampler.set_epoch(3)
    loader.batch_sampler.start_at(1)
    other.batch_sampler.set_epoch(3)
    expected = list(other)[1:]
    found = list(begun)
    assert len(found) == len(expected) >= 1
    assert all(torch.equal(one.frames, two.frames) for one, two in zip(found, expected, strict=True))


GROUPED = ("data.group_frames=2", "data.mixed_groups=1", "data.cache_frames=0", "training.batch_size=2")


@pytest.mark.parametrize("workers", [0, 2])
def test_grouped_clips_are_the_plain_ones(synthetic: Path, workers: int) -> None:
    plain = module(synthetic).train_dataloader().dataset
    loader = module(synthetic, *GROUPED, f"data.workers={workers}").train_dataloader()
    loader.batch_sampler.set_epoch(2)
    keys = list(loader.batch_sampler)
    batches = list(loader)
    assert len(batches) == len(keys) == len(plain) // 2 > 1
    for batch, numbers in zip(batches, keys, strict=True):
        for frames, key in zip(batch.frames, numbers, strict=True):
            assert torch.equal(frames, plain[key].frames[0])
        assert batch.counted.all()


def test_grouped_loading_decodes_a_frame_once(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One video of four frames with two people: in groups of two frames 2 and 4 of them, for 8 clips of 3 frames."""
    decoded = []
    read_image = video.read_image
    monkeypatch.setattr(video, "read_image", lambda path: decoded.append(path) or read_image(path))
    data = module(synthetic, *GROUPED)
    assert data.train_tracks.num_poses == 8
    list(data.train_dataloader())
    assert len(decoded) <= 6


def test_validation_is_in_time_order_and_counts_every_clip(synthetic: Path) -> None:
    data = module(synthetic, "evaluation.batch_size=3")
    loader = data.val_dataloader()
    numbers = [key.number for batch in loader.batch_sampler for key in batch]
    frames = [loader.dataset.people[number].frame for number in numbers]
    assert sorted(numbers) == list(range(data.val_tracks.num_poses))
    assert frames == sorted(frames)
    assert torch.cat([batch.counted for batch in loader]).tolist() == [True] * len(numbers)


def test_training_is_augmented_and_validation_is_not(synthetic: Path) -> None:
    data = module(synthetic)
    train = data.dataset(data.train_tracks, train=True)
    assert not torch.equal(train[0, 0].frames, train[1, 0].frames)
    first, second = (next(iter(data.val_dataloader())) for _ in range(2))
    assert torch.equal(first.frames, second.frames)


def test_frames_restrict_people_and_not_their_past(synthetic: Path) -> None:
    data = module(synthetic, "data.frames=2-3")
    assert {int(frame) for track in data.train_tracks for frame in track.frame} == {2, 3}
    assert all(track.video.num_frames == 4 for track in data.train_tracks)
    assert {int(frame) for track in data.val_tracks for frame in track.frame} == {0, 1, 2, 3}


def test_joints_that_are_ever_annotated(synthetic: Path) -> None:
    skeleton = Skeleton.load("posetrack17")
    ears = {skeleton.index["left_ear"], skeleton.index["right_ear"]}
    assert {j for j, ever in enumerate(module(synthetic).ever_annotated.tolist()) if not ever} == ears


def test_no_validation_data_no_validation(synthetic: Path) -> None:
    assert module(synthetic, "data.val=null").val_dataloader() == []


def test_fewer_clips_than_a_batch_still_make_one(synthetic: Path) -> None:
    data = module(synthetic, "training.batch_size=500")
    batches = list(data.train_dataloader())
    assert len(batches) == 1
    assert batches[0].frames.size(0) == data.train_tracks.num_poses


def test_errors(synthetic: Path, tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"data\.train is empty; name a PoseTrack18-layout JSON"):
        module(synthetic, "data.train=null")
    with pytest.raises(PoseGraphError, match=r"holds no usable person \(none was found\)"):
        module(synthetic, "data.frames=90-99")
    source = next((synthetic / "annotations/train").glob("*.json"))
    content = json.loads(source.read_text())
    for person in content["annotations"]:
        person["keypoints"] = [0] * 51
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(PoseGraphError, match=r"holds no usable person \(\d+ x no annotated joint\)"):
        module(synthetic, f"data.train={tmp_path}/v.json")


def test_missing_images_are_found_before_training(synthetic: Path, tmp_path: Path) -> None:
    source = next((synthetic / "annotations/train").glob("*.json"))
    content = json.loads(source.read_text())
    for image in content["images"][1:]:
        (tmp_path / image["file_name"]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / image["file_name"]).write_bytes((synthetic / image["file_name"]).read_bytes())
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(PoseGraphError, match=r"000000\.jpg: no such image"):
        module(synthetic, f"data.train={tmp_path}/v.json").check_images()
    module(synthetic).check_images()
