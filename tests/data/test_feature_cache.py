"""Features on disk: bit for bit what was written, and nothing half done taken for whole."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from posegraph.config import ModelConfig
from posegraph.data.clips import ClipMaker, PersonFrame
from posegraph.data.feature_cache import CachedClips, CacheMeta, FeatureCache
from posegraph.data.sampling import Key
from posegraph.data.tracks import Video
from posegraph.errors import PoseGraphError
from posegraph.skeleton import Skeleton

T, J = 3, 4
CHAIN = Skeleton(name="chain", joints=("a", "b", "c", "d"), bones=(("a", "b"), ("b", "c"), ("c", "d")))
CONFIG = ModelConfig(preset="ncstr-tiny", input_hw=(32, 32), patch_size=16)


def encoded(count: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(count, T, 5, 2, 2).to(dtype), torch.randn(count, T, J, 8, 8).to(dtype)


def written(folder: Path, clips: int = 4, dtype: torch.dtype = torch.float32, done: int | None = None) -> FeatureCache:
    """The first ``done`` rows of ``encoded(clips)``; None: all."""
    features, heatmaps = encoded(clips, dtype)
    cache = FeatureCache(folder, CacheMeta.of({"weights": "abc"}, clips, features, heatmaps))
    rows = list(range(clips if done is None else done))
    cache.write(rows, features[rows], heatmaps[rows])
    return cache


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rows_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    features, heatmaps = encoded(5, dtype)
    cache = FeatureCache(tmp_path / "new", CacheMeta.of({}, 5, features, heatmaps))
    for rows in ([3, 0], [4], [1, 2]):
        assert not cache.complete
        cache.write(rows, features[rows], heatmaps[rows])
    again = FeatureCache.open_complete(tmp_path / "new", clips=5)
    for row in range(5):
        one, other = again.read(row)
        assert one.dtype == other.dtype == dtype
        assert torch.equal(one, features[row : row + 1])
        assert torch.equal(other, heatmaps[row : row + 1])


def test_other_programs_can_read_them(tmp_path: Path) -> None:
    written(tmp_path)
    features, heatmaps = encoded(4)
    np.testing.assert_array_equal(np.load(tmp_path / "features.npy", mmap_mode="r"), features.numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "heatmaps.npy"), heatmaps.numpy())


def test_a_clip_of_the_base_model_takes_two_megabytes_and_a_half() -> None:
    features, heatmaps = torch.empty(1, 3, 768, 16, 12), torch.empty(1, 3, 17, 64, 48)
    meta = CacheMeta.of({}, 10, features, heatmaps)
    assert meta.bytes_per_clip == 3 * (768 * 16 * 12 + 17 * 64 * 48) * 4 == 2_396_160
    assert CacheMeta.of({}, 10, features.bfloat16(), heatmaps.bfloat16()).bytes_per_clip == 1_198_080
    assert meta.num_bytes == 23_961_600


def test_what_is_half_done_is_not_whole_and_can_be_gone_on_with(tmp_path: Path) -> None:
    assert FeatureCache.open(tmp_path) is None
    written(tmp_path, done=3)
    cache = FeatureCache.open(tmp_path)
    assert cache is not None
    assert (cache.complete, cache.meta.missing) == (False, 1)
    with pytest.raises(PoseGraphError, match="features of 3 clips; expected those of 4; `posegraph features`"):
        FeatureCache.open_complete(tmp_path, clips=4)
    features, heatmaps = encoded(4)
    cache.write([3], features[3:], heatmaps[3:])
    whole = FeatureCache.open_complete(tmp_path, clips=4)
    assert all(torch.equal(whole.read(row)[0], features[row : row + 1]) for row in range(4))


def test_nothing_there_and_another_number_of_clips(tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match="none: no features; expected those of 4"):
        FeatureCache.open_complete(tmp_path / "none", clips=4)
    written(tmp_path)
    with pytest.raises(PoseGraphError, match="features of 4 clips; expected those of 7"):
        FeatureCache.open_complete(tmp_path, clips=7)


def test_rows_can_be_changed_in_memory_and_the_disk_stays(tmp_path: Path) -> None:
    cache = written(tmp_path)
    cache.read(1)[0].zero_()
    assert torch.equal(cache.read(1)[0], encoded(4)[0][1:2])


def test_a_full_disk_is_named_and_the_rows_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = written(tmp_path, done=2)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    features, heatmaps = encoded(4)
    with pytest.raises(PoseGraphError, match=r"features.npy: cannot be written \(No space left on device\); what is"):
        cache.write([2], features[2:3], heatmaps[2:3])
    monkeypatch.undo()
    there = FeatureCache.open(tmp_path)
    assert there is not None
    assert there.meta.done == 2


def test_another_type_than_it_was_begun_with_is_refused(tmp_path: Path) -> None:
    cache = written(tmp_path, done=2)
    features, heatmaps = encoded(4, torch.bfloat16)
    with pytest.raises(PoseGraphError, match=r"begun with float32 \(3, 5, 2, 2\), but torch.bfloat16 .* came next"):
        cache.write([2], features[2:3], heatmaps[2:3])


def test_damage_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    whole = (tmp_path / "features.npy").read_bytes()
    for damage in (whole[:-1], whole[:40], b""):
        (tmp_path / "features.npy").write_bytes(damage)
        with pytest.raises(PoseGraphError, match=r"features.npy: .+; expected 4 x \(3, 5, 2, 2\) as .*meta.json says"):
            FeatureCache.open_complete(tmp_path, clips=4)
    np.save(tmp_path / "features.npy", np.zeros((4, 3, 5, 2, 2)))
    with pytest.raises(PoseGraphError, match=r"features.npy: an array \(4, 3, 5, 2, 2\) float64; expected"):
        FeatureCache.open_complete(tmp_path, clips=4)
    (tmp_path / "features.npy").unlink()
    with pytest.raises(PoseGraphError, match=r"No such file.*; remove .* to have it computed again"):
        FeatureCache.open_complete(tmp_path, clips=4)
    (tmp_path / "meta.json").write_text('{"clips": 4}')
    with pytest.raises(PoseGraphError, match=r"meta.json: made_from: Field required"):
        FeatureCache.open(tmp_path)


@pytest.fixture
def clips(tmp_path: Path) -> CachedClips:
    cache = written(tmp_path)
    unseen = Video("clip", tmp_path / "clip.json", ("0.png",), np.zeros(1, np.int64), np.zeros((1, 2), np.int64),
                   np.ones(1, np.bool_), ((),))  # fmt: skip
    people = [PersonFrame(unseen, 0, np.array([0.0, 0.0, 10.0 + number, 20.0])) for number in range(4)]
    return CachedClips(people, cache, ClipMaker(CHAIN, CONFIG))


def test_clips_have_features_in_place_of_frames_and_take_every_kind_of_key(clips: CachedClips) -> None:
    features, heatmaps = encoded(4)
    for key in (2, (5, 2), Key(5, 2), Key(5, 2, counted=False)):
        clip = clips[key]
        assert torch.equal(clip.features, features[2:3])
        assert torch.equal(clip.heatmaps, heatmaps[2:3])
        assert "frames" not in clip
        assert clip.num_nodes == T * J
        assert clip.counted.tolist() == [not isinstance(key, Key) or key.counted]
    assert len(clips) == 4


def test_a_loader_process_is_sent_no_features(clips: CachedClips) -> None:
    before = len(pickle.dumps(clips.cache))
    clips[0]
    sent = pickle.dumps(clips.cache)
    assert len(sent) == before < 2000
    assert torch.equal(pickle.loads(sent).read(3)[1], encoded(4)[1][3:4])
