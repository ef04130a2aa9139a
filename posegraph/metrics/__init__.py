"""Numbers that say how good predicted poses are."""

from posegraph.metrics.pck import PCK, pck
from posegraph.metrics.posetrack_ap import PoseTrackAP, posetrack_ap
from posegraph.metrics.scoring import Scores, score

__all__ = ["PCK", "PoseTrackAP", "Scores", "pck", "posetrack_ap", "score"]
