"""The memory of remembered steps that DQN learns from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline_widgets.trainers.numpy.environments import Transition
from pipeline_widgets.trainers.numpy.nn import Floats, Integers


class Transitions(NamedTuple):
    """Rows of what was seen and done, and what came of it."""

    observations: Floats
    actions: Integers
    rewards: Floats
    successors: Floats
    #: 1.0 where the episode terminated, else 0.0.
    terminated: Floats


class ReplayMemory:
    """The last `capacity` steps, without those that only began an episode.

    Args:
        capacity: Rows kept.
        observation_dim: Numbers of an observation.
    """

    def __init__(self, capacity: int, observation_dim: int) -> None:
        self.capacity = capacity
        #: Steps remembered so far, forgotten ones included.
        self.count = 0
        seen, row = (capacity, observation_dim), (capacity,)
        self._memories = Transitions(
            observations=np.zeros(seen, np.float32),
            actions=np.zeros(row, np.int64),
            rewards=np.zeros(row, np.float32),
            successors=np.zeros(seen, np.float32),
            terminated=np.zeros(row, np.float32),
        )

    def add(self, observations: Floats, actions: Integers, transition: Transition) -> None:
        """Remember a step of some environments."""
        valid = transition.valid
        rows = (self.count + np.arange(int(valid.sum()))) % self.capacity
        new: tuple[npt.NDArray[Any], ...] = (
            observations,
            actions,
            transition.rewards,
            transition.successors,
            transition.terminated,
        )
        for part, values in zip(self._memories, new, strict=True):
            part[rows] = values[valid]
        self.count += len(rows)

    def sample(self, size: int, rng: np.random.Generator) -> Transitions:
        """Draw memories, each as likely as any other."""
        rows = rng.integers(0, min(self.count, self.capacity), size)
        kept = self._memories
        return Transitions(
            kept.observations[rows],
            kept.actions[rows],
            kept.rewards[rows],
            kept.successors[rows],
            kept.terminated[rows],
        )
