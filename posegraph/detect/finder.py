"""Who is in the frames of a video: detection in some frames, following in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from posegraph.data.people import FramePoses, People
from posegraph.data.sources.frame import Frame
from posegraph.detect.followers import Follower
from posegraph.detect.usable import usable_people


class PeopleFinder:
    """The people of one video's frames, one frame after the other.

    In every frame :meth:`detect` and then :meth:`follow` is called. Only ``detect`` looks at the image; ``follow``
    depends on what it was given since the finder was made, and on nothing else, so a run that was cut off is taken up
    by giving ``follow`` the same again.

    Args:
        look: What finds people in a frame; None: nothing does.
        follower: What gives them ids.
        every: Frames from one detection to the next.
        told: Gives the lines of :attr:`notices`.
        dropped: What was left out before, reason -> count.

    Attributes:
        dropped: Boxes left out, because no crop can be made of them, are added.
    """

    def __init__(
        self,
        look: Callable[[Frame], People] | None,
        follower: Follower,
        *,
        every: int = 1,
        told: Callable[[], list[str]] = list,
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        self.look, self.follower, self.every = look, follower, every
        self.dropped: Counter[str] = Counter(dropped)
        self._told = told
        self._rested = 0
        self._image_hw: tuple[int, int] | None = None

    @property
    def notices(self) -> list[str]:
        """What the user should be told: who was chosen to find people and why, boxes that belong to no frame so far."""
        return self._told()

    def detect(self, frame: Frame) -> People | None:
        """The people found in the frame, with usable boxes; None where the detector rests."""
        height, width = frame.image.shape[:2]
        due = self._image_hw != (height, width) or self._rested + 1 >= self.every
        if self.look is None or not due:
            return None
        return usable_people(self.look(frame), (height, width), self.dropped)

    def follow(self, detected: People | None, last: FramePoses | None, image_hw: tuple[int, int]) -> People:
        """The people of the frame, their ids set and unique.

        The first frame of another size starts anew, as :meth:`reset` does.

        Args:
            detected: What :meth:`detect` gave for this frame.
            last: The poses of the frame before, under the ids given there; None before the first.
            image_hw: Height and width of the frame.
        """
        if self._image_hw not in (None, image_hw):
            self.reset()
        if self._image_hw is None:
            last = None
        self._image_hw = image_hw
        self._rested = 0 if detected is not None else self._rested + 1
        return self.follower.follow(detected, last, image_hw)

    def reset(self) -> None:
        """Start anew with the next frame, as after a cut: everybody in it gets an id that nobody had before."""
        self.follower.reset()
        self._rested = 0
        self._image_hw = None
