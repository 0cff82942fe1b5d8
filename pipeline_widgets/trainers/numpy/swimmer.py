"""A swimmer of N links at low Reynolds number, and the task to bring it to a goal.

The swimmer lies in a plane and has no inertia: drag balances at each instant (resistive force theory, Gray
and Hancock 1955, J. Exp. Biol. 32, 802-814). Each link feels twice the drag across as along. By Purcell's
scallop theorem (Purcell 1977, Am. J. Phys. 45, 3-11) motion that looks the same backwards leads nowhere, so
joints have to move in coordination: random ones hardly move it.

Lengths are in body lengths, angles in radians, time in steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline_widgets.trainers.numpy.environments import ActionSpace, Spaces, Transition
from pipeline_widgets.trainers.numpy.nn import Booleans, Floats

ALONG, ACROSS = 1.0, 2.0  # drag coefficients for a unit of length
JOINT_SPEED = 0.6  # radians a step, at action 1
JOINT_LIMIT = 1.3  # radians
EPISODE = 120  # steps
REACHED = 0.2  # distance of the centre of mass to the goal
GOAL_DISTANCES = (0.8, 1.5)
INITIAL_BEND = 0.3  # standard deviation of the joint angles
PROGRESS_REWARD = 5.0  # for a body length nearer


class Swimmers:
    """n swimmers: the head's place and heading, and the joint angles.

    Args:
        count: n.
        links: Links of each, of equal length.
    """

    def __init__(self, count: int, links: int) -> None:
        self.links = links
        self.joints = links - 1
        self.length = 1 / links
        #: Centre of the first link, (n, 2).
        self.head = np.zeros((count, 2))
        #: Direction of the first link, (n,).
        self.heading = np.zeros(count)
        #: (n, joints).
        self.angles = np.zeros((count, self.joints))
        # The centre of link i is the head's plus these lengths of the tangents of the links up to i.
        self._reach = self.length * (np.tril(np.ones((links, links))) - 0.5 * np.eye(links))
        self._reach[:, 0] -= self.length / 2
        # Turning joint j turns all links after it.
        self._turns = np.tril(np.ones((links, links)))

    def bend(self, actions: Floats) -> None:
        """Move the joints by actions in [-1, 1], as far as they go; the water does the rest."""
        target = self.angles + JOINT_SPEED * np.clip(actions, -1, 1)
        change = np.clip(target, -JOINT_LIMIT, JOINT_LIMIT) - self.angles
        # Velocities at the middle of the step make it reversible: the scallop theorem holds to rounding.
        velocity = self._body_velocity(self.angles + change / 2, change)
        self.head += _rotate(velocity[:, :2], self.heading + velocity[:, 2] / 2)
        self.heading += velocity[:, 2]
        self.angles += change

    def centres(self) -> Floats:
        """Return the centres of mass, (n, 2)."""
        tangents = self._tangents(self.heading[:, None] + self._link_angles(self.angles))
        return self.head + self._reach.mean(axis=0) @ tangents

    def joint_places(self) -> Floats:
        """Return where the links begin and the last one ends, from the head on, (n, links + 1, 2)."""
        tangents = self._tangents(self.heading[:, None] + self._link_angles(self.angles))
        first = self.head[:, None] - self.length / 2 * tangents[:, :1]
        return np.concatenate([first, first + self.length * np.cumsum(tangents, axis=1)], axis=1)

    def axes(self) -> Floats:
        """Return the unit vectors of the mean direction of the links, (n, 2)."""
        tangents = self._tangents(self.heading[:, None] + self._link_angles(self.angles)).mean(axis=1)
        return tangents / (np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-6)

    def _body_velocity(self, angles: Floats, rates: Floats) -> Floats:
        """Return what free drag makes of joint rates: velocity and turn in the frame of the head, (n, 3).

        The velocities of the links are linear in q = (x, y, turn, joint rates), so the drag on q is a matrix;
        no force and no torque from outside is three equations for the first three.
        """
        tangents = self._tangents(self._link_angles(angles))
        normals = np.stack([-tangents[..., 1], tangents[..., 0]], axis=-1)
        # How the centre of each link moves with each rate: (n, link, 2, rate).
        swing = self._reach[None, :, None, :] * normals.transpose(0, 2, 1)[:, None]
        turning = swing @ self._turns
        translating = np.broadcast_to(np.eye(2), (*turning.shape[:3], 2))
        motion = np.concatenate([translating, turning], axis=-1)
        along = (tangents[:, :, None, :] @ motion)[:, :, 0]
        across = (normals[:, :, None, :] @ motion)[:, :, 0]
        spin = np.concatenate([np.zeros((self.links, 2)), self._turns], axis=1)
        drag = self.length * (
            ALONG * along.transpose(0, 2, 1) @ along
            + ACROSS * across.transpose(0, 2, 1) @ across
            + ACROSS * self.length**2 / 12 * spin.T @ spin
        )
        load = drag[:, :3, 3:] @ rates[:, :, None]
        return -np.linalg.solve(drag[:, :3, :3], load)[:, :, 0]

    def _link_angles(self, angles: Floats) -> Floats:
        """Return the directions of the links in the frame of the head, (n, links)."""
        return np.concatenate([np.zeros((len(angles), 1)), np.cumsum(angles, axis=1)], axis=1)

    @staticmethod
    def _tangents(directions: Floats) -> Floats:
        return np.stack([np.cos(directions), np.sin(directions)], axis=-1)


class SwimmerEnvironment:
    """n swimmers, each with a goal to reach within EPISODE steps.

    An observation is the joint angles, the goal in the frame of the swimmer (2), and its distance. An action
    is a rate for each joint. The reward is PROGRESS_REWARD for each body length that the swimmer comes
    nearer, and 1 at the goal; if `sparse`, only that 1.

    Args:
        num_envs: n.
        links: Links of each swimmer.
        sparse: Whether only the goal is rewarded.
    """

    def __init__(self, num_envs: int, links: int, *, sparse: bool = False) -> None:
        self.num_envs = num_envs
        self.sparse = sparse
        self.swimmers = Swimmers(num_envs, links)
        joints = links - 1
        self.spaces = Spaces(joints + 3, ActionSpace(discrete=False, size=joints))
        #: Where each has to go, (n, 2).
        self.goals = np.zeros((num_envs, 2))
        self._steps = np.zeros(num_envs, int)
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> Floats:
        """Begin new episodes, drawn from the seed, and return their first observations."""
        self._rng = np.random.default_rng(seed)
        self._begin(np.ones(self.num_envs, bool))
        return self._observe().observations

    def step(self, actions: Floats) -> Transition:
        """Bend all swimmers; where an episode ends, begin the next one."""
        before = self._observe().distances
        self.swimmers.bend(actions)
        self._steps += 1
        after = self._observe()
        terminated = after.distances < REACHED
        truncated = (self._steps >= EPISODE) & ~terminated
        rewards = terminated + (0 if self.sparse else PROGRESS_REWARD * (before - after.distances))
        done = terminated | truncated
        if done.any():
            self._begin(done)
        return Transition(
            observations=self._observe().observations if done.any() else after.observations,
            successors=after.observations,
            rewards=rewards.astype(np.float32),
            terminated=terminated,
            truncated=truncated,
            valid=np.ones(self.num_envs, bool),
        )

    def _begin(self, which: Booleans) -> None:
        count = int(which.sum())
        swimmers = self.swimmers
        swimmers.head[which] = 0
        swimmers.heading[which] = self._rng.uniform(-np.pi, np.pi, count)
        swimmers.angles[which] = self._rng.normal(0, INITIAL_BEND, (count, swimmers.joints))
        distances = self._rng.uniform(*GOAL_DISTANCES, (count, 1))
        directions = self._rng.uniform(-np.pi, np.pi, count)
        ahead = np.stack([np.cos(directions), np.sin(directions)], axis=1)
        self.goals[which] = swimmers.centres()[which] + distances * ahead
        self._steps[which] = 0

    def _observe(self) -> _Observed:
        offsets = self.goals - self.swimmers.centres()
        axes = self.swimmers.axes()
        ahead = (offsets * axes).sum(axis=1)
        aside = offsets[:, 1] * axes[:, 0] - offsets[:, 0] * axes[:, 1]
        distances = np.hypot(ahead, aside)
        parts = [self.swimmers.angles, np.stack([ahead, aside, distances], axis=1)]
        return _Observed(np.concatenate(parts, axis=1).astype(np.float32), distances)


class _Observed(NamedTuple):
    observations: Floats
    distances: Floats


def _rotate(vectors: Floats, angles: Floats) -> Floats:
    cos, sin = np.cos(angles), np.sin(angles)
    x, y = vectors.T
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
