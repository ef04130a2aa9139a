"""Who is in a frame: detectors, files of boxes, following by pose, and tracks."""

from posegraph.detect.detector import Detector
from posegraph.detect.finder import PeopleFinder
from posegraph.detect.opening import ChosenDetector, open_detector, open_finder
from posegraph.detect.tracker import Tracker

__all__ = ["ChosenDetector", "Detector", "PeopleFinder", "Tracker", "open_detector", "open_finder"]
