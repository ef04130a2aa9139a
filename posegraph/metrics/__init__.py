"""Numbers that say how good predicted poses are."""

from posegraph.metrics.pck import PCK, pck
from posegraph.metrics.posetrack_ap import PoseTrackAP, posetrack_ap

__all__ = ["PCK", "PoseTrackAP", "pck", "posetrack_ap"]
