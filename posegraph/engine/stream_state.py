"""What a stream keeps of its tracks, and what it counts.

# J joints, C backbone channels, h x w backbone grid, H x W heatmap grid
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from posegraph.engine.anchor import Anchor


class Seen(NamedTuple):
    """One frame of one track, encoded under the track's region.

    Fields:
        features: ``[C, h, w]``.
        heatmaps: ``[J, H, W]``.
    """

    features: Tensor
    heatmaps: Tensor


ELSEWHERE = Seen(torch.empty(0), torch.empty(0))
"""Encoded by the stream that :meth:`~posegraph.engine.streaming.PoseStream.remember` stands in for, and not at hand."""


@dataclass(eq=False)
class Track:
    """What a stream keeps of one person.

    Fields:
        anchor: The crop region.
        last: Number of the frame in which the person was last given.
        seen: Frame number -> what was encoded of it under the present region; None: nothing yet.
    """

    anchor: Anchor
    last: int
    seen: dict[int, Seen | None] = field(default_factory=dict)


@dataclass
class StreamStats:
    """What a stream has done since it was made.

    Fields:
        frames: Calls of ``step``.
        person_frames: Poses given.
        encoded_crops: Crops that these took through the backbone: one a person-frame, and those of the past.
        new_tracks: Tracks begun, those taken up again after a pause included.
        re_anchored: Times that a crop was placed anew.
        searched_crops: Crops encoded besides, in search of people (:class:`~posegraph.engine.glimpses.Glimpses`).
    """

    frames: int = 0
    person_frames: int = 0
    encoded_crops: int = 0
    new_tracks: int = 0
    re_anchored: int = 0
    searched_crops: int = 0

    @property
    def extra_passes(self) -> float:
        """Crops encoded beyond the one of each person-frame, per person-frame."""
        return (self.encoded_crops - self.person_frames) / max(self.person_frames, 1)
