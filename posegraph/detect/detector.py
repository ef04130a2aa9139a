"""What finds people in one image."""

from __future__ import annotations

from typing import Protocol

from posegraph.data.people import People
from posegraph.data.video import Image

LOWEST_SCORE = 0.1
"""Detectors give every person scored at least this. Unsure ones never start a track, but carry one on (ByteTrack)."""


class Detector(Protocol):
    """Finds people in an image on its own, whatever was in the images before."""

    def __call__(self, image: Image) -> People:
        """The people of a BGR image ``[H, W, 3]``, scored at least ``LOWEST_SCORE``; no track ids."""
        ...
