"""What the Trainer is given: order, shares of the ranks, the same batches from any number of workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data.datamodule import ClipDataModule, EpochSampler
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


def test_shares_of_the_ranks_are_disjoint_and_cover() -> None:
    samplers = [EpochSampler(12, seed=3, rank=rank, world_size=3) for rank in range(3)]
    for epoch in range(2):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        shares = [list(sampler) for sampler in samplers]
        assert [len(share) for share in shares] == [len(sampler) for sampler in samplers] == [4, 4, 4]
        assert {epochs for share in shares for epochs, _ in share} == {epoch}
        assert sorted(number for share in shares for _, number in share) == list(range(12))


def test_what_does_not_divide_is_left_out_and_another_in_every_epoch() -> None:
    samplers = [EpochSampler(11, seed=0, rank=rank, world_size=2) for rank in range(2)]
    left_out = set()
    for epoch in range(30):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        numbers = [number for sampler in samplers for _, number in sampler]
        assert len(numbers) == len(set(numbers)) == 10
        left_out |= set(range(11)) - set(numbers)
    assert len(left_out) > 5


def test_order_depends_on_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[tuple[int, int]]:
        sampler = EpochSampler(20, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2)
    numbers = [[number for _, number in order(seed, epoch)] for seed, epoch in ((1, 2), (1, 3), (2, 2))]
    assert numbers[0] != numbers[1]
    assert numbers[0] != numbers[2]


def test_workers_give_identical_batches(synthetic: Path) -> None:
    alone = list(module(synthetic).train_dataloader())
    helped = list(module(synthetic, "data.workers=2").train_dataloader())
    assert len(alone) == len(helped) >= 1
    for one, other in zip(alone, helped, strict=True):
        assert one.keys() == other.keys()
        for key in one.keys():  # noqa: SIM118  # a batch is no dict: iterating it gives pairs
            assert torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])), key


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
