"""Which joints can be seen, judged by what was drawn over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegraph.data.synthetic.body import Floats, load_skeleton
from posegraph.data.synthetic.project import SHIFT, ProjectedActor

PERSON_STEP = 1000  # a part is drawn as 1 + person * PERSON_STEP + part, the ground as 0
PROP_START = 1_000_000  # a prop as PROP_START + its index

SEEN, HIDDEN, OUTSIDE = 2, 1, 0
SLACK = 0.06  # metres that an own part may lie before a joint's surface without hiding it
# Where to look, in parts of the stature: one stray pixel of an edge must not decide.
LOOKS = np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]) * 0.010


def _surface_depth(actor: ProjectedActor, instant: int, part: int, pixel: Floats) -> float:
    """Depth in metres of the part's front at a pixel (2,): the nearest of its closest points."""
    rings = slice(actor.figure.first_ring[part], actor.figure.first_ring[part + 1])
    points = actor.layers[0][instant, rings].reshape(-1, 2) / float(1 << SHIFT)
    near = np.argsort(((points - pixel) ** 2).sum(axis=1), kind="stable")[:5]
    return float(actor.ring_depth[instant, rings].reshape(-1)[near].min())


def _hides(actor: ProjectedActor, person: int, instant: int, joint: int, name: int) -> bool:
    """Whether what is drawn under the id `name` over the joint hides it."""
    if name == 0:
        return False
    if name >= PROP_START or (name - 1) // PERSON_STEP != person:
        return True
    front = _surface_depth(actor, instant, (name - 1) % PERSON_STEP, actor.joints[instant, joint, :2])
    surface = actor.joints[instant, joint, 2] - load_skeleton().landmark_radius[joint] * actor.stature
    return bool(front < surface - SLACK)


def see_joints(actors: list[ProjectedActor], ids: NDArray[np.int32], instant: int) -> Floats:
    """(P, J, 3) x, y, v of everyone's joints at one instant, given the picture of ids."""
    height, width = ids.shape
    out = np.zeros((len(actors), len(load_skeleton().landmark_names), 3))
    for person, actor in enumerate(actors):
        for joint, (x, y, _) in enumerate(actor.joints[instant]):
            if not (0.0 <= x <= width - 1 and 0.0 <= y <= height - 1):
                continue
            looks = np.array([x, y]) + LOOKS * actor.pixels_tall[instant]
            looks = np.clip(looks, 0.0, [width - 1, height - 1])
            places = np.rint(looks).astype(int)
            found, times = np.unique(ids[places[:, 1], places[:, 0]], return_counts=True)
            hidden = sum(
                int(times[i]) for i, name in enumerate(found.tolist()) if _hides(actor, person, instant, joint, name)
            )
            out[person, joint] = x, y, HIDDEN if hidden > len(LOOKS) // 2 else SEEN
    return out
