"""Numbers that say how good predicted poses are."""

from posegraph.metrics.coco_files import coco_oks
from posegraph.metrics.curves import PRCurve, PRCurves, precision_recall
from posegraph.metrics.files import score_files
from posegraph.metrics.mota import MOTA, mota
from posegraph.metrics.oks import OKS, oks
from posegraph.metrics.pck import PCK, pck, pck_curve
from posegraph.metrics.posetrack21 import pose_map
from posegraph.metrics.posetrack_ap import PoseTrackAP, posetrack_ap
from posegraph.metrics.recovery import Recovery, recovery
from posegraph.metrics.scores import Scores
from posegraph.metrics.scoring import METRICS, score
from posegraph.metrics.stability import Jitter, jitter
from posegraph.metrics.worst_frames import FrameErrors, worst_frames

__all__ = [
    "METRICS",
    "MOTA",
    "OKS",
    "PCK",
    "FrameErrors",
    "Jitter",
    "PRCurve",
    "PRCurves",
    "PoseTrackAP",
    "Recovery",
    "Scores",
    "coco_oks",
    "jitter",
    "mota",
    "oks",
    "pck",
    "pck_curve",
    "pose_map",
    "posetrack_ap",
    "precision_recall",
    "recovery",
    "score",
    "score_files",
    "worst_frames",
]
