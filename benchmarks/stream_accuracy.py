"""What an anchored crop costs in accuracy, and what it saves: a stream against clip mode, scored alike.

python benchmarks/stream_accuracy.py --model RUN [RUN ...] --data ANNOTATIONS [--frames A-B] [--images ROOT]
    [--settings "KEY=VALUE ..."] [--json FILE]

Clip mode is what ``posegraph eval`` does: the key frame's annotated box crops every frame of its clip. The stream runs
over each video from its first frame to the last that is scored, and is given the same boxes, frame by frame, under
their annotated track ids; frames without annotation are part of it. Both are scored on the same people, those of
frames A-B. Several models (seeds) give means and standard deviations; a difference is taken model by model.
--settings, once for every stream: keys of the ``stream`` section, for instance "hysteresis=0.5 lead=0", the others at
their defaults; without it a curve. With hysteresis 0 every crop is the key frame's own: the stream is then clip mode,
and how far apart their points are is printed, too. Passes are counted over the whole stream.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegraph import load
from posegraph.config import RunConfig, StreamConfig
from posegraph.data import TrackSet, read_tracks
from posegraph.data.clips import PersonFrame, annotated_people
from posegraph.data.people import People
from posegraph.data.tracks import Video, within_frames
from posegraph.data.video import FrameReader
from posegraph.engine.common_joints import on_common_joints
from posegraph.engine.evaluation import frame_range
from posegraph.engine.prediction import Poses, predict_people, predicted_tracks
from posegraph.engine.streaming import PoseStream, StreamStats
from posegraph.errors import PoseGraphError
from posegraph.files import write_json
from posegraph.metrics import score
from posegraph.models.base import PoseModel

CURVE = (
    *(f"hysteresis={share}" for share in (0, 0.25, 0.5, 0.75, 1)),
    "",
    *("lead=0", "lead=1", "size_range=[0.9,1.1]", "size_range=[0.7,1.5]"),
)
"""Tight to loose; the defaults; the other two keys, each alone."""


def stream_poses(
    model: PoseModel,
    people: Sequence[PersonFrame],
    reader: FrameReader,
    settings: StreamConfig,
    frames: tuple[int, int] | None = None,
) -> tuple[Poses, StreamStats]:
    """The people's poses from a stream over each of their videos, in the order of ``people``; NaN for those of frames
    after ``frames``."""
    stream = PoseStream(model, settings=settings)
    num_joints = model.skeleton.num_joints
    poses = Poses(np.full((len(people), num_joints, 2), np.nan), np.full((len(people), num_joints), np.nan))
    for video, in_frame in _by_video(people).items():
        stream.reset()
        last = max(in_frame) if frames is None else min(frames[1], video.num_frames - 1)
        shown: Path | None = None
        for row in range(last + 1):
            *between, now = _not_yet_shown(reader, video, row, model.config.clip_frames, shown)
            for path in between:
                stream.step(reader.read(path), People.nobody())
            numbers = in_frame.get(row, [])
            found = stream.step(reader.read(now), _people([people[number] for number in numbers]))
            poses.keypoints_px[numbers] = found.keypoints_px
            poses.scores[numbers] = found.keypoint_scores * found.box_scores[:, None]
            shown = now
    return poses, stream.stats


def _by_video(people: Sequence[PersonFrame]) -> dict[Video, dict[int, list[int]]]:
    """Video -> frame -> numbers of its people."""
    found: dict[Video, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, person in enumerate(people):
        found[person.video][person.frame].append(number)
    return {video: dict(frames) for video, frames in found.items()}


def _not_yet_shown(reader: FrameReader, video: Video, row: int, num_frames: int, shown: Path | None) -> list[Path]:
    """The frames of the clip that ends in ``row``, after the last one that the stream has had.

    Frames that the annotations do not list, but the disk holds, are part of clip mode's past: of the stream's, too.
    """
    clip = list(dict.fromkeys(reader.clip_paths(video, row, num_frames)))
    return clip[clip.index(shown) + 1 :] if shown in clip else clip


def _people(people: Sequence[PersonFrame]) -> People:
    if not people:
        return People.nobody()
    ids = [person.track.track_id for person in people if person.track is not None]
    return People(
        np.stack([person.box_xywh for person in people]),
        np.array([person.score for person in people]),
        np.array(ids, dtype=np.int64),
    )


class Comparison:
    """One model's clip mode on a data set, and streams beside it."""

    def __init__(
        self, model: PoseModel, data: Path, images: Path | None, frames: tuple[int, int] | None = None
    ) -> None:
        self.model, self.frames = model, frames
        self.reader = FrameReader(images, cache_frames=256)
        self.truth: TrackSet = within_frames(read_tracks(data, model.skeleton, keep_empty=True), frames)
        self.everybody = annotated_people(read_tracks(data, model.skeleton))
        first, last = frames or (0, np.inf)
        self.scored = [row for row, person in enumerate(self.everybody) if first <= person.frame <= last]
        if not self.scored:
            raise PoseGraphError(f"{data}: nobody to score in frames {frames}; give frames with annotated people")
        run = model.run_config
        self.clip_poses = predict_people(
            model,
            self._scored_people(),
            self.reader,
            box_scale=run.data.box_scale,
            keypoint_score=run.evaluation.keypoint_score,
        )
        self.metric, self.clip_mean = self._mean(self.clip_poses)

    def stream(self, settings: StreamConfig) -> dict[str, float]:
        """Score a stream, and count its passes."""
        poses, stats = stream_poses(self.model, self.everybody, self.reader, settings, self.frames)
        scored = Poses(poses.keypoints_px[self.scored], poses.scores[self.scored])
        _, mean = self._mean(scored)
        apart: NDArray[np.float64] = np.linalg.norm(scored.keypoints_px - self.clip_poses.keypoints_px, axis=-1)
        return {
            "mean": mean,
            "difference": mean - self.clip_mean,
            "extra_passes": stats.extra_passes,
            "re_anchored_share": stats.re_anchored / stats.person_frames,
            "new_tracks": stats.new_tracks,
            "person_frames": stats.person_frames,
            "median_apart_px": float(np.median(apart)),
            "largest_apart_px": float(apart.max()),
        }

    def _scored_people(self) -> list[PersonFrame]:
        return [self.everybody[number] for number in self.scored]

    def _mean(self, poses: Poses) -> tuple[str, float]:
        """Headline metric and its mean, over joints that the data annotate."""
        predictions = predicted_tracks(self._scored_people(), poses, self.truth.videos, self.model.skeleton)
        truth, predictions, _ = on_common_joints(self.truth, predictions)
        scores = score(truth, predictions, self.model.run_config.evaluation.pck_alpha, "track_id")
        table = scores.ap.table_with_ground_truth if scores.ap else scores.table
        return scores.metric, table["Mean"]


def stream_settings(text: str) -> StreamConfig:
    """``"hysteresis=0.5 lead=0"`` -> settings, the other keys at their defaults."""
    overrides = [f"stream.{one}" for one in text.split()]
    return RunConfig.from_dict({}, overrides, source=f"--settings {text!r}").stream


def summary(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean of each figure over the models; standard deviations where there are several."""
    found: dict[str, Any] = {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}
    if len(rows) > 1:
        found |= {f"{key}_sd": statistics.stdev(row[key] for row in rows) for key in ("mean", "difference")}
    return found


HEADER = f"{'stream':28} {'mean':>7} {'difference':>16} {'extra passes':>13} {'re-anchored':>12} {'apart px':>18}"


def line(name: str, row: dict[str, Any]) -> str:
    """A stream's row of the table."""
    difference = f"{row['difference']:+.2f}" + spread(row, "difference")
    apart = f"{row['median_apart_px']:.2g} (max {row['largest_apart_px']:.2g})"
    return (
        f"{name:28} {row['mean']:7.2f} {difference:>16} {row['extra_passes']:13.3f} "
        f"{row['re_anchored_share']:12.3f} {apart:>18}"
    )


def spread(row: dict[str, Any], key: str) -> str:
    """``" ± 0.41"`` where there are several models."""
    return f" ± {row[f'{key}_sd']:.2f}" if f"{key}_sd" in row else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", required=True, help="runs: one, or seeds of one training")
    parser.add_argument("--data", type=Path, required=True, help="annotated video")
    parser.add_argument("--frames", help="score these frames of every video, A-B, counted from 0")
    parser.add_argument("--images", type=Path, help="folder that image names start from")
    parser.add_argument("--settings", action="append", help="keys of the stream section; may be given several times")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    settings = {text: stream_settings(text) for text in args.settings or CURVE}
    compared = [Comparison(load(name), args.data, args.images, frame_range(args.frames)) for name in args.model]
    clip = summary([{"mean": one.clip_mean, "difference": 0.0} for one in compared])
    print(f"{compared[0].metric}, {len(compared[0].scored)} people, {len(compared)} models")
    print(f"clip mode {clip['mean']:.2f}{spread(clip, 'mean')}\n{HEADER}", flush=True)
    streams = {}
    for text, chosen in settings.items():
        name = text or "defaults"
        streams[name] = summary([one.stream(chosen) for one in compared])
        print(line(name, streams[name]), flush=True)
    result = {
        "models": args.model,
        "data": str(args.data),
        "frames": args.frames,
        "metric": compared[0].metric,
        "people": len(compared[0].scored),
        "clip_mode": clip,
        "streams": streams,
    }
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    main()
