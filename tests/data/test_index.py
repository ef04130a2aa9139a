"""An index gives what the annotation files give, bit for bit; it is small to hand over, and knows when it is wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from posegraph.config import RunConfig
from posegraph.data import read_tracks
from posegraph.data.clips import PersonFrame, annotated_people, annotated_places
from posegraph.data.datamodule import ClipDataModule
from posegraph.data.index import AnnotationIndex
from posegraph.data.index_build import build_index
from posegraph.data.index_format import META, read_meta
from posegraph.data.synthetic import generate
from posegraph.data.tracks import within_frames
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

SKELETON = Skeleton.load("posetrack17")
TINY = ["model.input_hw=[64,48]", "training.batch_size=4"]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos of five frames. Some people lack a box or all joints, one image is not labelled."""
    out = tmp_path_factory.mktemp("synthetic")
    generate(out, sequences=4, frames=5, people=2, size=(160, 120), val_fraction=0.25, workers=1)
    first = min((out / "annotations/train").glob("*.json"))
    content = json.loads(first.read_text())
    del content["annotations"][0]["bbox"]
    content["annotations"][1]["keypoints"] = [0] * 51
    content["images"][4]["is_labeled"] = False
    first.write_text(json.dumps(content))
    return out


@pytest.fixture(scope="module")
def train_index(synthetic: Path) -> Path:
    build_index(synthetic / "annotations/train", synthetic / "train.index", SKELETON)
    return synthetic / "train.index"


@pytest.fixture
def own(synthetic: Path, tmp_path: Path) -> Path:
    """A copy of the data set with an index in ``index``, to be changed."""
    shutil.copytree(synthetic, tmp_path / "own")
    build_index(tmp_path / "own/annotations/train", tmp_path / "own/index", SKELETON)
    return tmp_path / "own"


def facts(person: PersonFrame) -> dict[str, object]:
    """All that a clip is made from."""
    track, video = person.track, person.video
    assert track is not None
    return {
        "video": (video.name, video.source, video.frame_files, video.image_ids.tolist(), video.image_hw.tolist()),
        "labeled": video.labeled.tolist(),
        "frame": (person.frame, int(track.frame[person.row])),
        "track_id": track.track_id,
        "score": person.score,
        "arrays": [
            (array.dtype, array.shape, array.tobytes())
            for array in (
                person.box_xywh,
                track.boxes_xywh[person.row],
                track.keypoints_px[person.row],
                track.annotated[person.row],
                track.visibility[person.row],
            )
        ],
    }


def module(train: Path, *overrides: str) -> ClipDataModule:
    config = RunConfig.from_preset("ncstr-tiny", [*TINY, f"data.train={train}", *overrides])
    return ClipDataModule(config, Skeleton.load(config.skeleton))


def same_batches(one: ClipDataModule, other: ClipDataModule) -> int:
    count = 0
    for loader in ("train_dataloader", "val_dataloader"):
        for left, right in zip(getattr(one, loader)(), getattr(other, loader)(), strict=True):
            assert left.keys() == right.keys()
            assert all(torch.equal(torch.as_tensor(left[key]), torch.as_tensor(right[key])) for key in left.keys())  # noqa: SIM118
            count += 1
    return count


@pytest.mark.parametrize("frames", [None, (1, 2), (3, 99)])
def test_people_are_those_of_the_files(synthetic: Path, train_index: Path, frames: tuple[int, int] | None) -> None:
    tracks = within_frames(read_tracks(synthetic / "annotations/train", SKELETON), frames)
    index = AnnotationIndex.open(train_index, SKELETON, frames)
    expected, found = annotated_people(tracks), annotated_people(index)
    assert index.num_poses == tracks.num_poses == len(found) == len(expected) > 5
    assert [facts(person) for person in found] == [facts(person) for person in expected]
    for one, other in zip(annotated_places(index), annotated_places(tracks), strict=True):
        assert one.tolist() == other.tolist()
    assert index.ever_annotated.tolist() == tracks.ever_annotated.tolist()
    assert index.skipped == tracks.skipped == {"no annotated joint": 1}
    assert facts(found[-1]) == facts(expected[-1])
    with pytest.raises(IndexError):
        found[len(found)]


@pytest.mark.parametrize("overrides", [[], ["data.group_frames=2", "data.mixed_groups=2"], ["data.frames=1-3"]])
def test_batches_are_those_of_the_files(synthetic: Path, train_index: Path, overrides: list[str]) -> None:
    val = synthetic / "annotations/val"
    build_index(val, synthetic / "val.index", SKELETON)
    by_file = module(synthetic / "annotations/train", f"data.val={val}", *overrides)
    by_index = module(train_index, f"data.val={synthetic}/val.index", *overrides)
    assert torch.equal(by_file.ever_annotated, by_index.ever_annotated)
    assert by_file.skipped == by_index.skipped
    by_index.check_images()
    assert same_batches(by_file, by_index) >= 5


def test_loader_processes_open_it_for_themselves(train_index: Path) -> None:
    assert same_batches(module(train_index), module(train_index, "data.workers=2")) >= 5


def test_it_is_handed_over_by_its_path(train_index: Path) -> None:
    dataset = module(train_index, "data.frames=0-3").train_dataloader().dataset
    _ = dataset[0]  # decoded frames and opened videos stay here
    sent = pickle.dumps(dataset)
    assert len(sent) < 20_000
    received = pickle.loads(sent)
    assert len(received) == len(dataset)
    assert torch.equal(received[2, 3].frames, dataset[2, 3].frames)


def test_columns_are_mapped_not_read(train_index: Path) -> None:
    keypoints = AnnotationIndex.open(train_index, SKELETON).person(0).keypoints_px
    assert not keypoints.flags.owndata
    assert not keypoints.flags.writeable
    assert f"{train_index}/keypoints_px.npy" in Path("/proc/self/maps").read_text()


def one_person(path: Path, image: str, video: str | None = None) -> dict[str, object]:
    keypoints = [8.5, 9.25, 1] + [0] * 48
    entry = {"id": 1, "file_name": image} | ({"vid_id": video} if video else {})
    return {"images": [entry], "annotations": [{"image_id": 1, "bbox": [1, 2, 3.1, 4], "keypoints": keypoints}]}


def test_videos_are_in_the_order_of_their_names(synthetic: Path, tmp_path: Path) -> None:
    """Of the file names a-b.json comes first, of the videos' names "a"; and a file may hold two videos."""
    picture = next(synthetic.glob("images/train/*/*.jpg"))
    content = json.loads(min((synthetic / "annotations/train").glob("*.json")).read_text())
    (tmp_path / "json").mkdir()
    for name in ("a", "a-b"):
        (tmp_path / f"json/{name}.json").write_text(
            json.dumps(one_person(tmp_path, f"é {name}/1.jpg") | {"categories": content["categories"]})
        )
        shutil.copytree(picture.parent, tmp_path / f"é {name}")
        (tmp_path / f"é {name}/1.jpg").write_bytes(picture.read_bytes())
    index = build_index(tmp_path / "json", tmp_path / "index", SKELETON)
    assert (index.videos, index.frames, index.people) == (2, 2, 2)
    opened = AnnotationIndex.open(tmp_path / "index", SKELETON)
    assert [opened.person(number).video.name for number in (0, 1)] == ["a", "a-b"]
    assert [opened.person(number).video.frame_files for number in (0, 1)] == [("é a/1.jpg",), ("é a-b/1.jpg",)]
    assert opened.person(1).keypoints_px[0, 0].tolist() == [8.5, 9.25]
    assert opened.person(1).boxes_xywh.tolist() == [[1, 2, 3.1, 4]]
    read = annotated_people(read_tracks(tmp_path / "json", SKELETON))
    assert [facts(person) for person in annotated_people(opened)] == [facts(person) for person in read]


def test_a_file_that_changed_is_told(own: Path) -> None:
    source = min((own / "annotations/train").glob("*.json"))
    os.utime(source, (1, 1))
    AnnotationIndex.open(own / "index", SKELETON)  # another time, the same content
    text = source.read_text()
    source.write_text(text.replace("synthetic", "synthetik", 1))
    with pytest.raises(PoseGraphError) as error:
        module(own / "index")
    assert str(error.value) == (
        f"{own / 'index'}: {source} has changed since the index was made; "
        f"build it again (posegraph data index ... {own / 'index'})"
    )
    source.write_text(text)
    (source.parent / "new.json").write_text("{}")
    with pytest.raises(
        PoseGraphError, match=r"1 annotation files of .*train are not in it, first: new\.json; build it"
    ):
        module(own / "index")


def test_the_files_need_not_stay(own: Path) -> None:
    shutil.rmtree(own / "annotations")
    data = module(own / "index", f"data.images={own}")
    data.check_images()
    assert len(list(data.train_dataloader())) > 1


def cut_off(index: Path) -> None:
    path = index / "keypoints_px.npy"
    path.write_bytes(path.read_bytes()[:-8])


def other_numbers(index: Path) -> None:
    np.save(index / "frame.npy", np.load(index / "frame.npy").astype(np.int64))


def other_length(index: Path) -> None:
    np.save(index / "labeled.npy", np.load(index / "labeled.npy")[:-1])


def objects(index: Path) -> None:
    np.save(index / "annotated.npy", np.array([{}, None]), allow_pickle=True)


def meta(index: Path, **changes: object) -> None:
    content = json.loads((index / META).read_text())
    (index / META).write_text(json.dumps(content | changes))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (cut_off, r"keypoints_px\.npy: cannot be opened \(.*\); it may be cut off; build it again"),
    "no header": (lambda index: (index / "video.npy").write_bytes(b"x"), r"video\.npy: cannot be opened"),
    "empty": (lambda index: (index / "video.npy").write_bytes(b""), r"video\.npy: cannot be opened"),
    "type": (other_numbers, r"frame\.npy: found int64 \[\d+\], expected int32 \[\d+\]; build it again"),
    "length": (other_length, r"labeled\.npy: found bool \[14\], expected bool \[15\]; build it again"),
    "objects": (objects, r"annotated\.npy: cannot be opened"),
    "missing": (lambda index: (index / "source.npy").unlink(), r"source\.npy: no such file; expected a column of the"),
    "version": (lambda index: meta(index, version=2), r"json: format version 2; expected 1; build it again"),
    "key": (lambda index: meta(index, joint=["a"]), r"json: unknown key 'joint'; .*did you mean 'joints'"),
    "no JSON": (lambda index: (index / META).write_text("{"), r"not valid JSON, line 1"),
    "no object": (lambda index: (index / META).write_text("[]"), r"format version None; expected 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_foreign_files_are_refused(own: Path, damage: str) -> None:
    change, message = DAMAGES[damage]
    change(own / "index")
    with pytest.raises(PoseGraphError, match=message):
        module(own / "index")


def test_an_index_of_other_joints_is_refused(train_index: Path) -> None:
    with pytest.raises(
        PoseGraphError, match=r"made for skeleton 'posetrack17' \(17 joints\), but the run's is 'jhmdb15"
    ):
        module(train_index, "skeleton=jhmdb15")


def test_no_frames_no_people(train_index: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"train\.index holds no usable person \(1 x no annotated joint\)"):
        module(train_index, "data.frames=90-99")


def test_an_image_that_is_gone_is_named(own: Path) -> None:
    person = annotated_people(AnnotationIndex.open(own / "index", SKELETON))[4]
    gone = own / person.video.frame_files[person.frame]
    gone.unlink()
    with pytest.raises(PoseGraphError, match=f"{gone}: no such image; the annotations list it"):
        module(own / "index").train_dataloader().dataset[4]
    before, files = (own / "index" / META).read_bytes(), set(own.iterdir())
    with pytest.raises(PoseGraphError, match=f"{gone}: no such image"):
        build_index(own / "annotations/train", own / "index", SKELETON)
    assert (own / "index" / META).read_bytes() == before
    assert set(own.iterdir()) == files


def test_images_of_the_runs_own_clips_are_looked_for(own: Path) -> None:
    """A frame that nobody is in, and that only clips with two frames after the key frame reach."""
    source = min((own / "annotations/train").glob("*.json"))
    content = json.loads(source.read_text())
    images = [image["id"] for image in content["images"]]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in images[:2]]
    source.write_text(json.dumps(content))
    gone = own / content["images"][3]["file_name"]
    gone.unlink()
    build_index(own / "annotations/train", own / "index", SKELETON)
    assert read_meta(own / "index").future_frames == 0
    module(own / "index").check_images()
    centred = ("model.method=dcpose", "model.num_frames=5", "model.future_frames=2")
    with pytest.raises(PoseGraphError, match=f"{gone}: no such image"):
        module(own / "index", *centred).check_images()
    with pytest.raises(PoseGraphError, match=f"{gone}: no such image"):
        build_index(own / "annotations/train", own / "index", SKELETON, clip_frames=5, future_frames=2)
    with pytest.raises(PoseGraphError, match="future_frames 3 leaves no key frame in num_frames 3; give at most 2"):
        build_index(own / "annotations/train", own / "index", SKELETON, future_frames=3)


@pytest.mark.parametrize(
    ("checked", "wanted", "enough"),
    [
        ((3, 0), (3, 0), True),
        ((3, 0), (1, 0), True),
        ((3, 0), (5, 0), False),
        ((3, 0), (3, 1), False),
        ((5, 2), (3, 0), True),
        ((5, 2), (5, 2), True),
        ((5, 2), (4, 0), False),
    ],
)
def test_which_clips_an_index_was_checked_for(
    train_index: Path, checked: tuple[int, int], wanted: tuple[int, int], enough: bool
) -> None:
    clips = dict(zip(("clip_frames", "future_frames"), checked, strict=True))
    assert read_meta(train_index).model_copy(update=clips).looked_for(*wanted) is enough


def test_building_replaces_an_index_and_nothing_else(own: Path) -> None:
    source = min((own / "annotations/train").glob("*.json"))
    source.unlink()
    before = len(list(own.iterdir()))
    files = []
    found = build_index(own / "annotations/train", own / "index", SKELETON, on_file=lambda *done: files.append(done))
    assert files == [(1, 2), (2, 2)]
    assert AnnotationIndex.open(own / "index", SKELETON).num_poses == found.people > 0
    assert len(list(own.iterdir())) == before
    (own / "other").mkdir()
    (own / "other/notes.txt").write_text("mine")
    with pytest.raises(PoseGraphError, match=r"other: is there and is no index; give a new folder"):
        build_index(own / "annotations/train", own / "other", SKELETON)
    assert (own / "other/notes.txt").read_text() == "mine"


def test_nobody_to_index(own: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PoseGraphError, match=r"no \.json file in this folder"):
        build_index(empty, tmp_path / "out", SKELETON)
    content = json.loads(min((own / "annotations/train").glob("*.json")).read_text())
    (empty / "v.json").write_text(json.dumps(content | {"annotations": []}))
    with pytest.raises(PoseGraphError, match=r"holds no usable person \(none was found\)"):
        build_index(empty, tmp_path / "out", SKELETON, images=own)
    assert not (tmp_path / "out").exists()


def test_only_training_reads_it(train_index: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"train\.index: is an index, which only training reads; give the annot"):
        read_tracks(train_index)
