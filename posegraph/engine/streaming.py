"""A model on live video: one call a frame, and of every person one crop through the backbone.

# n people in the frame, N crops, T frames of a clip, J joints, C backbone channels, h x w and H x W the two grids
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray

from posegraph.config import StreamConfig
from posegraph.data.people import FramePoses, People
from posegraph.data.video import Image
from posegraph.engine.anchor import Anchor
from posegraph.engine.exporting.exported import StreamModel, device_of
from posegraph.engine.prediction import keypoint_confidence
from posegraph.engine.stream_crops import CropEncoder
from posegraph.engine.stream_input import check_frame
from posegraph.engine.stream_model import computing, stream_stages
from posegraph.engine.stream_state import ELSEWHERE, StreamStats, Track
from posegraph.errors import PoseGraphError
from posegraph.geometry import denormalise, image_to_crop, inverse, transform
from posegraph.models.base import Encoded, PoseOutput
from posegraph.skeleton import Skeleton

__all__ = ["PoseStream", "StreamStats"]


class PoseStream:
    """Poses of tracked people, frame by frame, causally: clip mode's answer for the price of a single image.

    A track's crop stays where it is while the person stays inside it (:class:`~posegraph.engine.anchor.Anchor`), so
    what was encoded of the frames before is the clip's past as it is. Where a crop moved, a person is new, or was not
    given in a frame, the missing past is cropped from the kept images and encoded in the same batch as everybody's
    current frame. The past is the stream's frames ``max(t - k, first)`` (spec section 1).

    Args:
        model: On its device, with its final weights: later changes may not be seen. It is not changed. Or an exported
            one (:func:`posegraph.load_exported`).
        skeleton: Joints of the output, found in the model's by name. None: the model's.
        settings: None: the ``stream`` section of the model's run.

    Raises:
        PoseGraphError: the skeleton has a joint that the model does not know, or an exported model is to be compiled.

    Attributes:
        stats: What was done so far.
        skeleton: Joints of the output.
        rows: Of these joints among the model's.
        crops: The model's encoder, for whoever else has crops of images.
        box_scale: Enlargement of a box to its crop.
    """

    def __init__(
        self, model: StreamModel, skeleton: Skeleton | None = None, *, settings: StreamConfig | None = None
    ) -> None:
        if model.config.future_frames:
            raise PoseGraphError(
                f"model.future_frames {model.config.future_frames}: the model looks at frames that a stream does not "
                "have yet; score it by `posegraph eval`, or train one with future_frames 0"
            )
        settings = model.run_config.stream if settings is None else settings
        self._num_frames = model.config.clip_frames
        # Without a past, a crop that stays spares nothing.
        self.settings = settings if self._num_frames > 1 else settings.model_copy(update={"hysteresis": 0.0})
        self.skeleton = model.skeleton if skeleton is None else skeleton
        self.stats = StreamStats()
        self.rows = _rows(self.skeleton, model.skeleton)
        self._config, self._run = model.config, model.run_config
        self.box_scale = model.run_config.data.box_scale
        self._model, self._device = stream_stages(model, self.settings), device_of(model)
        self.crops = CropEncoder(self._model, self._device, self._config.input_hw, self.settings)
        self._frame = -1
        self.reset()

    @property
    def regions(self) -> dict[int, NDArray[np.float64]]:
        """Track id -> ``[4]`` region, (x, y, w, h) in image pixels, that the track's last clip was cropped from."""
        return {track_id: track.anchor.region_xywh.copy() for track_id, track in self._tracks.items()}

    @property
    def past_images(self) -> int:
        """How many images before a step :meth:`remember` must be given, so that nothing differs in the last bit."""
        return 2 * (self._num_frames - 1)

    def computing(self) -> AbstractContextManager[None]:
        """What a call of the model happens in (:func:`~posegraph.engine.stream_model.computing`)."""
        return computing(self.settings, self._device)

    def reset(self) -> None:
        """Forget all tracks and images: the next frame is the first. For cuts; another image size does it by itself."""
        self._tracks: dict[int, Track] = {}
        self._images: dict[int, Image | None] = {}
        self._image_hw: tuple[int, int] | None = None
        self._first = self._frame + 1

    @torch.inference_mode()
    def step(self, image: Image, people: People) -> FramePoses:
        """The poses of the people in the stream's next frame, in their order. Frames without people belong here, too.

        Args:
            image: BGR ``[H, W, 3]`` uint8. It is kept, not copied, for the next frames: do not write into it.
            people: Their boxes and ids. Boxes may reach outside the image.

        Raises:
            PoseGraphError: no such image, a box that is no box, an id that is negative or given twice; nothing of the
                frame is then kept.
        """
        tracks = self._look(image, people)
        self.stats.frames += 1
        self.stats.person_frames += len(tracks)
        if not tracks:
            return FramePoses.nobody(len(self.rows))
        for track in tracks:
            track.seen = {frame: None if seen is ELSEWHERE else seen for frame, seen in track.seen.items()}
        with self.computing():
            self.stats.encoded_crops += self._encode(tracks)
            output = self._model(self._clips(tracks))
        return self._poses(people, tracks, output)

    @torch.inference_mode()
    def remember(self, image: Image | None, people: People) -> None:
        """Take note of a frame without estimating poses: the stream then goes on as if it had stepped.

        With the images of the last ``T - 1`` frames before the first step, it does so up to rounding errors. With those
        of the last ``2 (T - 1)``, to the last bit: whatever the step needs is then encoded in the same batches.

        Args:
            image: None where no later frame needs it. Without images, call :meth:`reset` where their size changes.
            people: As given to :meth:`step`.
        """
        tracks = self._look(image, people)
        for track in tracks:
            for frame, seen in track.seen.items():
                if seen is None and self._images[frame] is None:
                    track.seen[frame] = ELSEWHERE
        if image is not None:
            with self.computing():
                self._encode(tracks)

    def _look(self, image: Image | None, people: People) -> list[Track]:
        """Bookkeeping of a frame: images, tracks and regions."""
        check_frame(image, people, self._frame + 1)
        if image is not None:
            image_hw = (image.shape[0], image.shape[1])
            if self._image_hw not in (None, image_hw):
                self.reset()
            self._image_hw = image_hw
        self._frame += 1
        wanted = self._wanted()
        # Of a track that was last given before these, nothing would be part of the clip.
        oldest = min(wanted[0], self._frame - 1)
        self._tracks = {track_id: track for track_id, track in self._tracks.items() if track.last >= oldest}
        self._images[self._frame] = image
        self._images = {frame: kept for frame, kept in self._images.items() if frame in wanted}
        tracks = [
            self._follow(int(track_id), box)
            for track_id, box in zip(people.track_ids, people.boxes_xywh.astype(np.float64), strict=True)
        ]
        for track in tracks:
            track.seen = {frame: track.seen.get(frame) for frame in wanted}
        return tracks

    def _wanted(self) -> list[int]:
        """Numbers of the frames of a clip that ends now, each once."""
        return list(range(max(self._frame - self._num_frames + 1, self._first), self._frame + 1))

    def _follow(self, track_id: int, box_xywh: NDArray[np.float64]) -> Track:
        track = self._tracks.get(track_id)
        if track is None:
            anchor = Anchor(box_xywh, self._frame, self.settings, self._config.input_hw, self.box_scale)
            track = self._tracks[track_id] = Track(anchor, self._frame)
            self.stats.new_tracks += 1
        elif track.anchor.follow(box_xywh, self._frame):
            track.seen = {}
            self.stats.re_anchored += 1
        track.last = self._frame
        return track

    def _encode(self, tracks: list[Track]) -> int:
        """Crop and encode what no frame before has encoded, of all tracks at once, and count it."""
        missing = [(track, frame) for track in tracks for frame, seen in track.seen.items() if seen is None]
        images = [self._image(frame) for _, frame in missing]
        matrices = [self._matrix(track) for track, _ in missing]
        for (track, frame), seen in zip(missing, self.crops(images, matrices), strict=True):
            track.seen[frame] = seen
        return len(missing)

    def _image(self, frame: int) -> Image:
        image = self._images[frame]
        if image is None:
            raise PoseGraphError(
                f"frame {frame}: was remembered without its image, and frame {self._frame} has it in its past; give "
                f"remember() the images of the last {self._num_frames - 1} frames"
            )
        return image

    def _clips(self, tracks: list[Track]) -> Encoded:
        """The encoded frames of each track's clip; before the stream's first frame, that one is repeated."""
        frames = [max(self._frame - back, self._first) for back in reversed(range(self._num_frames))]
        clips = [seen for track in tracks for frame in frames if (seen := track.seen[frame]) is not None]
        shape = (len(tracks), self._num_frames)
        # Channels last, as the backbone gives them: nothing is transposed.
        features = torch.stack([seen.features.permute(1, 2, 0) for seen in clips]).permute(0, 3, 1, 2)
        heatmaps = torch.stack([seen.heatmaps for seen in clips])
        return Encoded(features.view(*shape, *features.shape[1:]), heatmaps.view(*shape, *heatmaps.shape[1:]))

    def _poses(self, people: People, tracks: list[Track], output: PoseOutput) -> FramePoses:
        kind = self._run.evaluation.keypoint_score
        points = denormalise(output.nodes[..., :2].double().cpu().numpy(), self._config.input_hw)
        keypoints = [
            transform(crop_px, inverse(self._matrix(track))) for crop_px, track in zip(points, tracks, strict=True)
        ]
        return FramePoses(
            people.track_ids,
            people.boxes_xywh,
            people.scores,
            np.stack(keypoints)[:, self.rows],
            keypoint_confidence(output, kind)[:, self.rows],
        )

    def _matrix(self, track: Track) -> NDArray[np.float64]:
        return image_to_crop(track.anchor.region_xywh, self._config.input_hw)


def _rows(wanted: Skeleton, known: Skeleton) -> list[int]:
    unknown = [joint for joint in wanted.joints if joint not in known.index]
    if unknown:
        raise PoseGraphError(
            f"skeleton {wanted.name!r}: the model does not know {', '.join(unknown)}; its joints are: "
            f"{', '.join(known.joints)}; give a skeleton with some of them"
        )
    return [known.index[joint] for joint in wanted.joints]
