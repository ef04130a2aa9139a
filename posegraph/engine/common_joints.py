"""Scoring a model on data of another skeleton: the joints that both have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posegraph.data.formats.joints import matching_rows
from posegraph.data.tracks import TrackSet
from posegraph.skeleton import Skeleton


def on_common_joints(truth: TrackSet, predictions: TrackSet) -> tuple[TrackSet, TrackSet, tuple[str, ...]]:
    """Both sides with a skeleton that scores what the data annotate, and the joints that are not scored.

    Where the files name every joint that the skeleton scores nothing changes: a joint that they name and never annotate
    is the metric's business (poseval has a rule for it). Where they lack some, the model was made for other data, and
    what they never annotate says nothing about it.
    """
    skeleton = truth.skeleton
    named = np.zeros(skeleton.num_joints, dtype=np.bool_)
    for file in truth.files:
        named |= matching_rows(file.joints, skeleton) >= 0
    if named[list(skeleton.scored_rows.values())].all():
        return truth, predictions, ()
    annotated = np.zeros(skeleton.num_joints, dtype=np.bool_)
    for track in truth:
        annotated |= track.annotated.any(axis=0)
    scored = {official: skeleton.joints[row] for official, row in skeleton.scored_rows.items() if annotated[row]}
    left_out = tuple(official for official in skeleton.scored_rows if official not in scored)
    common = Skeleton.from_dict(skeleton.model_dump(mode="json") | {"scored": scored}, source=skeleton.name)
    return replace(truth, skeleton=common), replace(predictions, skeleton=common), left_out
