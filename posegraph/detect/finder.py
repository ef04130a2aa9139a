"""Who is in the frames of a video: detection in some frames, following in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from posegraph.data.people import FramePoses, People
from posegraph.data.sources.frame import Frame
from posegraph.data.video import Image
from posegraph.detect.followers import Follower
from posegraph.detect.motion import MEMORY, Motion
from posegraph.detect.usable import usable_people


class PeopleFinder:
    """The people of one video's frames, one frame after the other.

    In every frame :meth:`detect` and then :meth:`follow` is called. Only ``detect`` looks at the image; ``follow``
    depends on what it was given since the finder was made, and on nothing else, so a run that was cut off is taken up
    by giving ``follow`` the same again, and :meth:`remember` the last ``past_images`` images.

    Args:
        look: What finds people in a frame, given the poses of the frame before, if there is one.
        follower: What gives them ids.
        every: Frames from one detection to the next. The frame after the one in which nobody is left is looked at too.
        motion: What ``look`` knows of the frames before; None: nothing.
        told: Gives the lines of :attr:`notices`.
        dropped: What was left out before, reason -> count.

    Attributes:
        dropped: Boxes left out, because no crop can be made of them, are added.
    """

    def __init__(
        self,
        look: Callable[[Frame, FramePoses | None], People],
        follower: Follower,
        *,
        every: int = 1,
        motion: Motion | None = None,
        told: Callable[[], list[str]] = list,
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        self.look, self.follower, self.every = look, follower, every
        self.dropped: Counter[str] = Counter(dropped)
        self._told = told
        self._motion = motion
        self._rested = 0
        self._somebody = self._lost = False
        self._image_hw: tuple[int, int] | None = None

    @property
    def past_images(self) -> int:
        """How many images before a frame are looked at with it."""
        return 0 if self._motion is None else MEMORY

    @property
    def notices(self) -> list[str]:
        """What the user should be told: who was chosen to find people and why, boxes that belong to no frame so far."""
        return self._told()

    def detect(self, frame: Frame, last: FramePoses | None = None) -> People | None:
        """The people found in the frame, with usable boxes; None where the detector rests.

        Args:
            frame: The frame.
            last: The poses of the frame before, as for :meth:`follow`.
        """
        self.remember(frame.image)
        image_hw = (frame.image.shape[0], frame.image.shape[1])
        anew = self._image_hw != image_hw
        if not (anew or self._lost or self._rested + 1 >= self.every):
            return None
        return usable_people(self.look(frame, None if anew else last), image_hw, self.dropped)

    def remember(self, image: Image) -> None:
        """Take note of a frame that an earlier run looked at; in :meth:`detect` it is done."""
        if self._motion is not None:
            self._motion.add(image)

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
        people = self.follower.follow(detected, last, image_hw)
        self._somebody, self._lost = len(people.track_ids) > 0, self._somebody and not len(people.track_ids)
        return people

    def reset(self) -> None:
        """Start anew with the next frame, as after a cut: everybody in it gets an id that nobody had before."""
        self.follower.reset()
        if self._motion is not None:
            self._motion.reset()
        self._rested = 0
        self._somebody = self._lost = False
        self._image_hw = None
