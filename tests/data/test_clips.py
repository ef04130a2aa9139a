"""The one preprocessing: pixels, padding, targets and the way back, on drawn dots."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from posegraph.config import AugmentConfig, ModelConfig
from posegraph.data.augment import CropDraw, plain_crop
from posegraph.data.boxes import Boxes
from posegraph.data.clips import (
    ClipDataset,
    ClipMaker,
    PersonFrame,
    annotated_people,
    detected_people,
)
from posegraph.data.crops import MEAN_RGB, STD_RGB
from posegraph.data.sampling import Key
from posegraph.data.tracks import PersonTrack, TrackSet, Video
from posegraph.data.video import FrameReader
from posegraph.geometry import denormalise, transform
from posegraph.skeleton import Skeleton

STICK = Skeleton(
    name="stick",
    joints=("head", "l_hand", "r_hand", "foot"),
    bones=(("head", "l_hand"), ("head", "r_hand"), ("head", "foot")),
    flip_pairs=(("l_hand", "r_hand"),),
)
CONFIG = ModelConfig(preset="ncstr-tiny", input_hw=(128, 96), patch_size=16)
HW = CONFIG.input_hw
POINTS = np.array([[80.0, 40.0], [100.0, 60.0], [62.0, 66.0], [84.0, 100.0]])
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])  # BGR
BOX = np.array([55.0, 35.0, 50.0, 70.0])


def dotted(height: int = 130, width: int = 160) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for (x, y), colour in zip(POINTS, COLOURS, strict=True):
        cv2.circle(image, (int(x), int(y)), 3, colour.tolist(), -1)
    return image


def video(folder: Path, count: int = 3) -> Video:
    return Video(
        name="clip",
        source=folder / "clip.json",
        frame_files=tuple(f"{n:06d}.png" for n in range(count)),
        image_ids=np.arange(count) + 100,
        image_hw=np.zeros((count, 2), np.int64),
        labeled=np.array([True, False, True][:count]),
        ignore_regions=((),) * count,
    )


def person(
    points: np.ndarray = POINTS, annotated=(True, True, True, True), visibility=(1, 0, -1, 1), folder: Path = Path()
) -> PersonFrame:
    none = np.full((1, 4), np.nan)
    track = PersonTrack(
        video=video(folder),
        track_id=7,
        frame=np.array([2]),
        keypoints_px=points[None],
        annotated=np.array([annotated]),
        visibility=np.array([visibility], dtype=np.int8),
        boxes_xywh=BOX[None],
        head_boxes_xywh=none,
        keypoint_scores=none,
        scores=np.array([np.nan]),
    )
    return PersonFrame(track.video, 2, BOX, track=track, row=0)


def make(crop: CropDraw, one: PersonFrame | None = None, image: np.ndarray | None = None):
    images = [dotted() if image is None else image] * 3
    return ClipMaker(STICK, CONFIG)(images, crop, one)


def pixels(frames: torch.Tensor) -> np.ndarray:
    """Undo the normalisation: ``[T, H, W, 3]`` RGB in 0..255."""
    return (frames[0].permute(0, 2, 3, 1).numpy() * STD_RGB + MEAN_RGB) * 255


def dots(frames: torch.Tensor) -> np.ndarray:
    """Where the four colours are in the key frame: ``[4, 2]`` crop pixels."""
    found = []
    image = pixels(frames)[-1]
    y, x = np.mgrid[: HW[0], : HW[1]]
    for colour in COLOURS[:, ::-1]:
        near = np.clip(1 - np.abs(image - colour).max(axis=-1) / 128, 0, 1)
        found.append([(x * near).sum() / near.sum(), (y * near).sum() / near.sum()])
    return np.array(found)


DRAWS = [(0.0, False), (30.0, False), (-75.0, False), (0.0, True), (20.0, True)]


@pytest.mark.parametrize(("rotation", "flip"), DRAWS)
def test_targets_are_where_the_dots_are(rotation: float, flip: bool) -> None:
    crop = CropDraw(plain_crop(BOX, HW, 1.5).region_xywh, rotation, flip)
    clip = make(crop, person())
    targets = denormalise(clip.keypoints_norm[0].numpy(), HW)
    # In the mirrored picture the left hand of the person is where the right hand was drawn.
    rows = [0, 2, 1, 3] if flip else [0, 1, 2, 3]
    np.testing.assert_allclose(targets, dots(clip.frames)[rows], atol=0.35)
    assert clip.in_crop.all()


@pytest.mark.parametrize(("rotation", "flip"), DRAWS)
def test_crop_to_image_brings_the_targets_back(rotation: float, flip: bool) -> None:
    clip = make(CropDraw(plain_crop(BOX, HW, 1.5).region_xywh, rotation, flip), person())
    back = transform(denormalise(clip.keypoints_norm[0].double().numpy(), HW), clip.crop_to_image[0].numpy())
    np.testing.assert_allclose(back, POINTS[[0, 2, 1, 3]] if flip else POINTS, atol=1e-4)
    assert clip.crop_to_image.dtype == torch.float64


def test_facts_about_joints_swap_with_the_flip() -> None:
    one = person(annotated=(True, False, True, True), visibility=(1, -1, 0, 1))
    plain, flipped = (make(CropDraw(plain_crop(BOX, HW, 1.5).region_xywh, 0.0, flip), one) for flip in (False, True))
    assert plain.annotated.tolist() == [[True, False, True, True]]
    assert flipped.annotated.tolist() == [[True, True, False, True]]
    assert plain.visibility.tolist() == [[1, -1, 0, 1]]
    assert flipped.visibility.tolist() == [[1, 0, -1, 1]]
    assert plain.keypoints_norm[0, 1].tolist() == flipped.keypoints_norm[0, 2].tolist() == [0.0, 0.0]
    assert not plain.in_crop[0, 1]


def test_annotated_inside_the_crop_and_visible_are_three_facts() -> None:
    region = np.array([60.0, 50.0, 45.0, 60.0])  # leaves the head (80, 40) above it
    clip = make(CropDraw(region), person())
    assert clip.annotated.tolist() == [[True] * 4]
    assert clip.visibility.tolist() == [[1, 0, -1, 1]]
    assert clip.in_crop.tolist() == [[False, True, True, True]]
    assert clip.keypoints_norm[0, 0, 1] < 0


def test_edges_of_the_region_are_0_and_1() -> None:
    crop = CropDraw(np.array([60.0, 50.0, 45.0, 60.0]))
    corners = person(np.array([[60.0, 50.0], [105.0, 110.0], [105.0, 50.0], [60.0, 110.0]]))
    norm = make(crop, corners).keypoints_norm[0].numpy()
    np.testing.assert_allclose(norm, [[0, 0], [1, 1], [1, 0], [0, 1]], atol=1e-6)
    about = person(np.array([[60.01, 50.01], [104.99, 109.99], [105.01, 80.0], [59.99, 80.0]]))
    assert make(crop, about).in_crop.tolist() == [[True, True, False, False]]


def test_without_a_person_there_are_no_targets() -> None:
    clip = make(plain_crop(BOX, HW, 1.25))
    assert not clip.annotated.any()
    assert not clip.in_crop.any()
    assert clip.visibility.tolist() == [[-1] * 4]
    assert not clip.keypoints_norm.any()
    assert clip.num_nodes == 12
    assert clip.temporal_edge_index.shape == (2, 20)


def sequence(folder: Path, count: int = 3) -> None:
    for number in range(count):
        image = dotted()
        image[:10, :10] = 60 * (number + 1)  # each frame can be told from the others
        cv2.imwrite(str(folder / f"{number:06d}.png"), image)


def test_all_frames_of_a_clip_have_the_same_crop(tmp_path: Path) -> None:
    sequence(tmp_path)
    dataset = ClipDataset(
        [person(folder=tmp_path)], FrameReader(), ClipMaker(STICK, CONFIG), augment=AugmentConfig(), seed=1
    )
    for epoch in range(4):
        frames = dataset[epoch, 0].frames[0]
        middle = frames[:, :, 30:100, 20:80]
        assert torch.equal(middle[0], middle[1])
        assert torch.equal(middle[0], middle[2])


def test_frames_are_oldest_first(tmp_path: Path) -> None:
    sequence(tmp_path)
    one = PersonFrame(video(tmp_path), 2, np.array([-1.0, -1.0, 9.0, 12.0]))
    frames = ClipDataset([one], FrameReader(), ClipMaker(STICK, CONFIG), box_scale=1.0)[0].frames
    np.testing.assert_allclose(pixels(frames)[:, 60, 40, 0], [60, 120, 180], atol=0.01)


def test_the_draw_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    sequence(tmp_path)

    def frames(seed: int, key: tuple[int, int], before: tuple[tuple[int, int], ...] = ()) -> torch.Tensor:
        people = [person(folder=tmp_path)] * 3
        dataset = ClipDataset(people, FrameReader(), ClipMaker(STICK, CONFIG), augment=AugmentConfig(), seed=seed)
        for other in before:
            _ = dataset[other]
        return dataset[key].frames

    first = frames(0, (2, 1))
    assert torch.equal(frames(0, (2, 1), before=((0, 0), (2, 2), (2, 1))), first)
    for seed, key in ((1, (2, 1)), (0, (3, 1)), (0, (2, 0))):
        assert not torch.equal(frames(seed, key), first)


def test_without_augmentation_epochs_are_alike(tmp_path: Path) -> None:
    sequence(tmp_path)
    dataset = ClipDataset([person(folder=tmp_path)], FrameReader(), ClipMaker(STICK, CONFIG))
    assert torch.equal(dataset[0].frames, dataset[5, 0].frames)


def test_a_batch_holds_the_clips_that_its_keys_name(tmp_path: Path) -> None:
    sequence(tmp_path)
    people = [person(folder=tmp_path)] * 3
    dataset = ClipDataset(people, FrameReader(), ClipMaker(STICK, CONFIG), augment=AugmentConfig(), seed=0)
    keys = [Key(1, 2), Key(1, 0, counted=False), (3, 1), 2]
    clips = dataset.__getitems__(keys)
    for clip, key in zip(clips, ((1, 2), (1, 0), (3, 1), (0, 2)), strict=True):
        assert torch.equal(clip.frames, dataset[key].frames)
    assert [clip.counted.tolist() for clip in clips] == [[True], [False], [True], [True]]


def test_a_detection_is_never_augmented(tmp_path: Path) -> None:
    sequence(tmp_path)
    one = [PersonFrame(video(tmp_path), 2, BOX)]
    plain = ClipDataset(one, FrameReader(), ClipMaker(STICK, CONFIG))
    augmented = ClipDataset(one, FrameReader(), ClipMaker(STICK, CONFIG), augment=AugmentConfig())
    assert torch.equal(plain[0].frames, augmented[0].frames)


def test_people_of_annotations_and_of_detections(tmp_path: Path) -> None:
    one = person(folder=tmp_path)
    tracks = TrackSet(STICK, (one.video,), (one.track,))
    found = annotated_people(tracks)
    assert [(p.frame, p.row, p.score, p.box_xywh.tolist()) for p in found] == [(2, 0, 1.0, BOX.tolist())]
    scores, ids = np.array([0.9, 0.8, 0.7, 0.6]), np.array([5, -1, -1, -1])
    boxes = Boxes(Path("boxes.json"), (102, 100, 101, 102), np.arange(16.0).reshape(4, 4), scores, ids)
    people = detected_people(tracks, boxes)
    assert [p.detected_id for p in people] == [None, 5, None]
    # frame 1 (image 101) is not labelled
    assert [(p.frame, p.score) for p in people] == [(0, 0.8), (2, 0.9), (2, 0.6)]
    assert [p.frame for p in detected_people(tracks, boxes, frames=(1, 99))] == [2, 2]
    assert detected_people(tracks, boxes, frames=(1, 1)) == []
