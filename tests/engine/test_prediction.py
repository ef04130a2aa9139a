"""Poses as tracks, under which ids; clips on their way to a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from posegraph import build_model
from posegraph.data.clips import PersonFrame
from posegraph.data.tracks import TrackSet, Video
from posegraph.data.video import FrameReader
from posegraph.engine import prediction
from posegraph.engine.prediction import Poses, predict_people, predicted_tracks
from posegraph.skeleton import Skeleton

SKELETON = Skeleton(name="pair", joints=("a", "b"))
BOX = np.array([1.0, 2, 3, 4])


def video(name: str) -> Video:
    return Video(
        name=name,
        source=Path(f"{name}.json"),
        frame_files=("0.jpg", "1.jpg", "2.jpg"),
        image_ids=np.arange(3),
        image_hw=np.zeros((3, 2), dtype=np.int64),
        labeled=np.ones(3, dtype=np.bool_),
        ignore_regions=((), (), ()),
    )


def tracks_of(*people: tuple[Video, int, int | None]) -> TrackSet:
    """``(video, frame, id that the detection carries)``; everybody's joints are at the own row."""
    points = np.broadcast_to(np.arange(len(people), dtype=np.float64)[:, None, None], (len(people), 2, 2))
    frames = [PersonFrame(where, frame, BOX, detected_id=known) for where, frame, known in people]
    videos = tuple(dict.fromkeys(where for where, _, _ in people))
    return predicted_tracks(frames, Poses(points, np.ones((len(people), 2))), videos, SKELETON)


def rows_by_id(tracks: TrackSet) -> dict[tuple[str, int], list[tuple[int, float]]]:
    """(video, id) -> (frame, row) of its poses."""
    return {
        (track.video.name, track.track_id): list(
            zip(track.frame.tolist(), track.keypoints_px[:, 0, 0].tolist(), strict=True)
        )
        for track in tracks
    }


def test_detections_without_ids_are_numbered_in_each_frame() -> None:
    clip = video("clip")
    found = rows_by_id(tracks_of((clip, 0, None), (clip, 0, None), (clip, 2, None)))
    assert found == {("clip", 0): [(0, 0), (2, 2)], ("clip", 1): [(0, 1)]}


def test_detections_keep_the_ids_they_carry() -> None:
    clip, other = video("clip"), video("other")
    found = rows_by_id(tracks_of((clip, 1, 7), (clip, 0, 7), (clip, 1, 3), (other, 0, 7)))
    assert found == {("clip", 7): [(0, 1), (1, 0)], ("clip", 3): [(1, 2)], ("other", 7): [(0, 3)]}


def test_the_others_get_numbers_that_are_nobodys_id() -> None:
    clip, other = video("clip"), video("other")
    found = rows_by_id(tracks_of((clip, 0, None), (clip, 0, 5), (clip, 1, None), (other, 0, None)))
    assert found == {("clip", 6): [(0, 0), (1, 2)], ("clip", 5): [(0, 1)], ("other", 0): [(0, 3)]}


def test_an_id_twice_in_a_frame_is_two_people() -> None:
    clip = video("clip")
    found = rows_by_id(tracks_of((clip, 0, 5), (clip, 0, 5), (clip, 1, 5)))
    assert found == {("clip", 5): [(0, 0), (1, 2)], ("clip", 6): [(0, 1)]}


@pytest.mark.parametrize(("device", "pinned"), [("cuda", True), ("cpu", False)])
def test_clips_for_a_gpu_are_pinned_and_not_waited_for(
    device: str, pinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, object] = {}
    moved: list[tuple[str, bool]] = []

    class Clip:
        """Moves nowhere: there is no GPU."""

        def to(self, device: torch.device, non_blocking: bool) -> Clip:
            moved.append((device.type, non_blocking))
            raise StopAsyncIteration

    def loader(dataset: object, **given: object) -> list[Clip]:
        options.update(given)
        return [Clip()]

    model = build_model("ncstr-tiny", input_hw=(32, 32), embed_dim=16, depth=1, num_heads=2, node_channels=16)
    monkeypatch.setattr(prediction, "device_of", lambda model: torch.device(device))
    monkeypatch.setattr(prediction, "DataLoader", loader)
    with pytest.raises(StopAsyncIteration):
        predict_people(model, [PersonFrame(video("clip"), 0, BOX)], FrameReader())
    assert options["pin_memory"] is pinned
    assert moved == [(device, True)]
    assert model.training  # as it came
