"""The key of a feature cache: it changes with what decides the features, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from posegraph import build_model
from posegraph.config import RunConfig
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.engine.feature_key import differences, digest_of_weights, feature_key
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.skeleton import Skeleton

CHAIN = Skeleton(name="chain", joints=("a", "b"), bones=(("a", "b"),))
OTHER_PEOPLE = (
    "other people, boxes, frames or windows (data.train, data.val, data.frames, data.val_frames, model.future_frames)"
)
SMALL = {"input_hw": (64, 48), "embed_dim": 32, "depth": 1, "num_heads": 2, "deconv_channels": (16,)}


def tracks(folder: Path, names: tuple[str, ...], box: tuple[float, ...] = (1.0, 2.0, 30.0, 40.0)) -> TrackSet:
    """One person in the last of the frames."""
    count = len(names)
    video = Video("clip", folder / "clip.json", names, np.arange(count), np.zeros((count, 2), np.int64),
                  np.ones(count, np.bool_), ((),) * count)  # fmt: skip
    none = np.full((1, 4), np.nan)
    person = PersonTrack(video, 1, np.array([count - 1]), np.ones((1, 2, 2)), np.ones((1, 2), np.bool_),
                         np.ones((1, 2), np.int8), np.array([box]), none, none[:, :2], none[:, 0])  # fmt: skip
    return TrackSet(CHAIN, (video,), (person,))


def key(found: TrackSet, *overrides: str) -> dict[str, object]:
    return feature_key(RunConfig.from_preset("ncstr-tiny", overrides), "abc", found)


@pytest.mark.parametrize("names", [("0.png", "1.png"), ("film.mp4#7", "film.mp4#8")])
def test_what_changes_it(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Frames are image files, or lie inside a movie."""
    for name in ("0.png", "1.png", "film.mp4"):
        (tmp_path / name).write_bytes(b"12345")
    first = key(tracks(tmp_path, names))
    assert key(tracks(tmp_path, names), "seed=7", "model.variant=local_only", "model.node_channels=64") == first
    assert differences(first, first) == []
    box = differences(first, key(tracks(tmp_path, names, box=(1.0, 2.0, 30.0, 41.0))))
    assert box == [OTHER_PEOPLE]
    scaled = differences(first, key(tracks(tmp_path, names), "data.box_scale=1.5"))
    assert scaled == ["data.box_scale 1.25 there and 1.5 here"]
    for name in ("1.png", "film.mp4"):
        (tmp_path / name).write_bytes(b"123456")
    assert differences(first, key(tracks(tmp_path, names))) == ["other images (data.images)"]


def test_the_window_counts_where_it_shows_other_images(tmp_path: Path) -> None:
    """One person, in the last of five frames, of two, and in the only one."""
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"12345")
    five, two, one = (tracks(tmp_path, tuple(f"{number}.png" for number in range(count))) for count in (5, 2, 1))
    later = ("model.method=dcpose", "model.future_frames=1")
    assert differences(key(five), key(five, *later))[0] == OTHER_PEOPLE
    assert OTHER_PEOPLE in differences(key(five), key(five, "model.method=dcpose", "model.num_frames=4"))
    assert key(five, "model.method=dsta") == key(five)
    assert key(five, "model.method=dsta", "model.future_frames=1") == key(five, *later)
    assert key(two, *later) != key(two)
    (tmp_path / "1.png").unlink()  # a frame that nobody lists is a neighbour, too
    assert key(one, *later) == key(one)  # the same image three times


def test_keypoints_and_the_data_sets_place_do_not_change_it(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        (folder / "0.png").write_bytes(b"12345")
    one, other = tracks(tmp_path / "one", ("0.png",)), tracks(tmp_path / "other", ("0.png",))
    moved = replace(other, tracks=(replace(other.tracks[0], keypoints_px=np.zeros((1, 2, 2))),))
    assert key(one) == key(moved)


def test_frames_named_by_their_whole_path(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"12345")
    found = tracks(tmp_path / "elsewhere", (str(tmp_path / "0.png"),))
    assert differences(key(tracks(tmp_path, ("0.png",))), key(found, "data.images=/nowhere")) == [
        OTHER_PEOPLE,
        "other images (data.images)",
    ]


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"0\.png: No such file or directory; .* restore the file"):
        key(tracks(tmp_path, ("0.png",)), f"data.images={tmp_path}")


def small(seed: int, variant: str = "full") -> PoseModel:
    torch.manual_seed(seed)
    return build_model("ncstr-tiny", CHAIN, variant, **SMALL)


def test_weights_of_backbone_and_decoder_alone_count() -> None:
    one, other, third = small(0), small(0, "local_only"), small(1)
    assert digest_of_weights(one) == digest_of_weights(other) != digest_of_weights(third)
    with torch.no_grad():
        for parameter in one.graph_parameters():
            parameter.add_(1)
    one.heatmap_head(torch.zeros(1, 32, 4, 3))
    assert int(dict(one.named_buffers())["heatmap_head.deconv.1.num_batches_tracked"]) == 1
    one.heatmap_head.load_state_dict(
        {name: value for name, value in third.heatmap_head.state_dict().items() if "running" in name}, strict=False
    )
    assert digest_of_weights(one) == digest_of_weights(other)  # a count of batches decides nothing
    with torch.no_grad():
        dict(one.named_buffers())["heatmap_head.deconv.1.running_mean"][0] += 1e-7
    assert digest_of_weights(one) != digest_of_weights(other)
