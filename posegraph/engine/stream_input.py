"""What a stream refuses: images that are none, boxes that are none, people without an identity of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posegraph.data.people import People
from posegraph.data.video import Image
from posegraph.errors import PoseGraphError


def check_frame(image: Image | None, people: People, frame: int) -> None:
    """Raise :class:`PoseGraphError`, naming the frame, for an image or people that no pose can be estimated from."""
    for problem in _problems(image, people):
        raise PoseGraphError(f"frame {frame}: {problem}")


def _problems(image: Image | None, people: People) -> Iterator[str]:
    if image is not None and (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size):
        yield f"image is {image.dtype} {list(image.shape)}; expected BGR bytes, uint8 [height, width, 3]"
    boxes, ids = people.boxes_xywh, people.track_ids
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) != len(ids) or len(boxes) != len(people.scores):
        found = f"{list(boxes.shape)}, {list(ids.shape)} and {list(people.scores.shape)}"
        yield f"boxes, ids and scores are {found}; expected [n, 4], [n] and [n]"
        return
    for box in boxes[~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] <= 0).any(axis=1)]:
        yield f"box {box.tolist()} is none; expected finite x, y and positive w, h: leave such boxes out"
    for track_id in ids[ids < 0]:
        yield f"track id {track_id}; expected 0 or more: number the people, or follow them with a tracker"
    numbers, counts = np.unique(ids, return_counts=True)
    for track_id in numbers[counts > 1]:
        yield f"track id {track_id} is given twice; a person appears once in a frame"
