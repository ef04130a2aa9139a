"""How a person moves: joint angles, path on the ground and heading as functions of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posegraph.data.synthetic.body import (
    AXES,
    Body,
    Floats,
    Pose,
    Skeleton,
    contact_points,
    load_yaml,
    pose_body,
)

STEP_SECONDS = 1.0 / 60.0


def smoothstep(value: Floats) -> Floats:
    """0 below 0, 1 above 1, smooth between."""
    cut = np.clip(value, 0.0, 1.0)
    return np.asarray(cut * cut * (3.0 - 2.0 * cut))


@dataclass(frozen=True)
class Wander:
    """A smooth random signal: moves between the random `values` (K, ...) every `period` s."""

    period: float
    start: float
    values: Floats

    def __call__(self, time: Floats) -> Floats:
        """The signal (T, ...) at the times (T,), seconds."""
        place = np.clip((time - self.start) / self.period, 0.0, len(self.values) - 1.001)
        index = place.astype(int)
        part = smoothstep(place - index).reshape((-1,) + (1,) * (self.values.ndim - 1))
        return np.asarray(self.values[index] * (1.0 - part) + self.values[index + 1] * part)


def random_wander(rng: np.random.Generator, seconds: float, period: float, low: Floats, high: Floats) -> Wander:
    """A Wander over [-1, seconds + 1] within low..high."""
    knots = int(np.ceil((seconds + 2.0) / period)) + 3
    start = -1.0 - period * float(rng.uniform())
    return Wander(period, start, rng.uniform(low, high, (knots, *np.shape(low))))


@dataclass(frozen=True)
class Action:
    """One action of one person: `angles(time)` gives (T, B, 3) radians, left-side convention."""

    mean: Floats
    swing: Floats  # (2, B, 3) amplitude once and twice per cycle
    phase: Floats  # (2, B, 3)
    crouch_gain: Floats
    wander: Wander
    cycle: float
    start: float
    alternate: bool
    side: Floats
    crouch_cycle: float
    crouch_wander: float
    crouch_signal: Wander
    hop_height: float
    hop_times: float
    hop_phase: float
    turn: float

    def clock(self, time: Floats) -> Floats:
        """The phase (T,) of the cycle in radians."""
        return np.asarray(2.0 * np.pi * self.cycle * time + self.start)

    def crouch(self, time: Floats) -> Floats:
        """How deep the knees are bent, (T,) 0..1."""
        cyclic = (0.5 + 0.5 * np.cos(self.clock(time))) ** 2
        return np.asarray(self.crouch_cycle * cyclic + self.crouch_wander * self.crouch_signal(time) ** 2)

    def hop(self, time: Floats) -> Floats:
        """Height (T,) of the feet above the ground, metres."""
        wave = np.cos(self.hop_times * self.clock(time) + self.hop_phase)
        return np.asarray(self.hop_height * np.maximum(wave, 0.0))

    def angles(self, time: Floats) -> Floats:
        """Joint angles (T, B, 3), radians, left-side convention."""
        late = np.pi * (self.side < 0) if self.alternate else np.zeros_like(self.side)
        clock = self.clock(time)[:, None, None] + late[None, :, None]
        once = self.swing[0] * np.cos(clock + self.phase[0])
        twice = self.swing[1] * np.cos(2.0 * clock + self.phase[1])
        bent = self.crouch(time)[:, None, None] * self.crouch_gain
        return np.asarray(self.mean + once + twice + bent + self.wander(time))


def _channel_arrays(skeleton: Skeleton, channels: dict[str, Any]) -> dict[str, Floats]:
    shape = (len(skeleton.names), 3)
    keys = ("mean", "swing", "phase", "swing2", "phase2", "crouch", "low", "high")
    out = {key: np.zeros(shape) for key in keys}
    for bone, kind in enumerate(skeleton.kinds):
        for name, channel in channels.get(kind, {}).items():
            at = (bone, AXES.index(name))
            out["mean"][at] = channel.get("mean", 0.0)
            out["swing"][at], out["phase"][at] = channel.get("swing", (0.0, 0.0))
            out["swing2"][at], out["phase2"][at] = channel.get("swing2", (0.0, 0.0))
            out["crouch"][at] = channel.get("crouch", 0.0)
            out["low"][at], out["high"][at] = channel.get("wander", (0.0, 0.0))
    return {key: np.radians(value) for key, value in out.items()}


def make_action(rng: np.random.Generator, skeleton: Skeleton, entry: dict[str, Any], seconds: float) -> Action:
    """One person's own version of an action of `motion.yaml`."""
    arrays = _channel_arrays(skeleton, entry["channels"])
    vigour = rng.uniform(0.75, 1.2)
    own = rng.normal(1.0, 0.1, arrays["mean"].shape)
    hop = entry.get("hop", {})
    period = float(rng.uniform(*load_yaml("motion.yaml")["always"]["wander_seconds"]))
    return Action(
        mean=arrays["mean"] * own,
        swing=np.stack([arrays["swing"], arrays["swing2"]]) * vigour * own,
        phase=np.stack([arrays["phase"], arrays["phase2"]]),
        crouch_gain=arrays["crouch"],
        wander=random_wander(rng, seconds, period, arrays["low"], arrays["high"]),
        cycle=float(rng.uniform(*entry.get("cycle", (1.0, 1.0)))),
        start=float(rng.uniform(0.0, 2.0 * np.pi)),
        alternate=bool(entry.get("alternate", False)),
        side=skeleton.side.astype(float),
        crouch_cycle=float(entry.get("crouch_cycle", 0.0)),
        crouch_wander=float(entry.get("crouch_wander", 0.0)),
        crouch_signal=random_wander(rng, seconds, 0.9, np.zeros(()), np.ones(())),
        hop_height=float(hop.get("height", 0.0) * rng.uniform(0.6, 1.3)),
        hop_times=float(hop.get("times", 1)),
        hop_phase=float(np.radians(hop.get("phase", 0.0))),
        turn=float(np.radians(rng.uniform(*entry.get("turn", (0.0, 0.0))))),
    )


@dataclass(frozen=True)
class Motion:
    """Everything one body does: a schedule of actions with soft changes between them.

    always: small movements on top of every action.  starts: (A,) seconds at which each action is fully reached.
    heading_start: radians, 0 faces +z.  seconds: how long the schedule lasts.
    """

    body: Body
    always: Action
    actions: tuple[Action, ...]
    starts: Floats
    heading_start: float
    seconds: float

    def weights(self, time: Floats) -> Floats:
        """(T, A) share of every action, rows sum to 1."""
        reached = smoothstep((time[:, None] - self.starts[None, 1:]) / 0.5 + 1.0)
        up = np.concatenate([np.ones((len(time), 1)), reached], axis=1)
        following = np.concatenate([reached, np.zeros((len(time), 1))], axis=1)
        return np.asarray(up * (1.0 - following))

    def _mix(self, time: Floats, values: Sequence[Floats]) -> Floats:
        stacked = np.stack(list(values), axis=1)
        weights = self.weights(time).reshape((len(time), -1) + (1,) * (stacked.ndim - 2))
        return np.asarray((stacked * weights).sum(axis=1) / weights.sum(axis=1))

    def pose(self, time: Floats) -> Pose:
        """The bones at the times (T,), seconds; the walk starts over the world's origin."""
        angles = self._mix(time, [action.angles(time) for action in self.actions])
        angles = (angles + self.always.angles(time)) * self.body.skeleton.mirror
        grid, path = self._path()
        root = np.stack([np.interp(time, grid, path[:, axis]) for axis in range(3)], axis=1)
        return pose_body(self.body, angles, root, np.interp(time, grid, path[:, 3]))

    def _path(self) -> tuple[Floats, Floats]:
        """Dense times (G,) and (G, 4) root x, y, z in metres and heading in radians."""
        grid = np.arange(-0.5, self.seconds + 0.5, STEP_SECONDS)
        angles = self._mix(grid, [action.angles(grid) for action in self.actions])
        angles = (angles + self.always.angles(grid)) * self.body.skeleton.mirror
        zeros = np.zeros(len(grid))
        still = pose_body(self.body, angles, np.zeros((len(grid), 3)), zeros)
        feet = contact_points(self.body, still)
        lowest = feet[..., 1].argmin(axis=1)
        hop = self._mix(grid, [action.hop(grid) for action in self.actions])
        turn = self._mix(grid, [np.full(len(grid), action.turn) for action in self.actions])
        heading = self.heading_start + np.cumsum(turn) * STEP_SECONDS
        # The standing foot must not slide, so the body goes forward as fast as that foot goes back.
        back = np.gradient(feet[..., 2], STEP_SECONDS, axis=0)
        speed = _smooth(-back[np.arange(len(grid)), lowest], 0.4)
        path = np.empty((len(grid), 4))
        path[:, 0] = np.cumsum(speed * np.sin(heading)) * STEP_SECONDS
        path[:, 2] = np.cumsum(speed * np.cos(heading)) * STEP_SECONDS
        path[:, 1] = _smooth(-feet[..., 1].min(axis=1), 0.05) + hop
        path[:, 3] = heading
        return grid, path


def _smooth(signal: Floats, seconds: float) -> Floats:
    width = max(1, int(seconds / STEP_SECONDS)) | 1
    padded = np.pad(signal, width // 2, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")


def random_motion(rng: np.random.Generator, body: Body, seconds: float) -> Motion:
    """A random schedule of one to three actions for `seconds`."""
    data = load_yaml("motion.yaml")
    entries = list(data["actions"].values())
    share = np.array([entry["share"] for entry in entries])
    starts = [0.0]
    while starts[-1] + 1.0 < seconds and rng.uniform() < 0.75:
        starts.append(starts[-1] + float(rng.uniform(0.9, 2.2)))
    chosen = rng.choice(len(entries), size=len(starts), p=share / share.sum())
    return Motion(
        body=body,
        always=make_action(rng, body.skeleton, data["always"], seconds),
        actions=tuple(make_action(rng, body.skeleton, entries[i], seconds) for i in chosen),
        starts=np.array(starts),
        heading_start=float(rng.uniform(-np.pi, np.pi)),
        seconds=seconds,
    )
