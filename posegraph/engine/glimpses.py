"""What a stream's model sees in boxes of one image, past and tracks left alone.

# n boxes, J joints
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from posegraph.codec import taylor_peaks, to_norm
from posegraph.data.augment import plain_crop
from posegraph.data.video import Image
from posegraph.engine.streaming import PoseStream
from posegraph.errors import PoseGraphError
from posegraph.geometry import denormalise, image_to_crop, inverse, transform

Float = NDArray[np.float64]


class Glimpses:
    """Poses read from the heatmaps of single images, for :class:`~posegraph.detect.pose_search.PoseSearch`.

    Args:
        stream: Its encoder is used, and its figures count the crops; nothing else of it changes.
    """

    def __init__(self, stream: PoseStream) -> None:
        self._stream = stream

    @torch.inference_mode()
    def glimpse(self, image: Image, boxes_xywh: Float) -> tuple[Float, Float]:
        """Keypoints ``[n, J, 2]`` in pixels of a BGR image, and their confidences ``[n, J]``, in ``[n, 4]`` boxes.

        Raises:
            PoseGraphError: the model makes no heatmaps.
        """
        stream, input_hw = self._stream, self._stream.crops.input_hw
        regions = [plain_crop(box, input_hw, stream.box_scale).region_xywh for box in boxes_xywh]
        if not regions:
            return np.zeros((0, len(stream.rows), 2)), np.zeros((0, len(stream.rows)))
        matrices = [image_to_crop(region, input_hw) for region in regions]
        with stream.computing():
            heatmaps = torch.stack([seen.heatmaps for seen in stream.crops([image] * len(regions), matrices)])
        if not heatmaps.size(1):
            raise PoseGraphError(
                "detector 'self' finds people by the model's heatmaps, and this model makes none; give --boxes FILE or "
                "another --detector"
            )
        peaks = taylor_peaks(heatmaps[:, stream.rows].float())
        points = to_norm(peaks.points, (heatmaps.size(-2), heatmaps.size(-1))).double().cpu().numpy()
        points_px = denormalise(points, input_hw)
        keypoints = [transform(pose, inverse(matrix)) for pose, matrix in zip(points_px, matrices, strict=True)]
        stream.stats.searched_crops += len(regions)
        return np.stack(keypoints), peaks.values.clamp_min(0).double().cpu().numpy()
