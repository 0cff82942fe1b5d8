"""Vectorized environments as the trainers see them, and what comes of their episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline_widgets.trainers.numpy.nn import Booleans, Floats


class ActionSpace(NamedTuple):
    """The actions of a policy: one of `size` actions, or `size` numbers, which `low` and `high` bound."""

    discrete: bool
    size: int
    #: Bounds of a continuous action, from which -1 and 1 are scaled; empty if the numbers are unbounded.
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"Discrete({self.size})" if self.discrete else f"Box({self.size})"

    def scaled(self, actions: Floats) -> Floats:
        """Return continuous actions in the units of the environment."""
        if not self.low:
            return actions
        low, high = np.asarray(self.low, np.float32), np.asarray(self.high, np.float32)
        return low + (np.clip(actions, -1, 1) + 1) / 2 * (high - low)


class Spaces(NamedTuple):
    """The observations of a policy, vectors of `observation_dim` numbers, and its actions."""

    observation_dim: int
    actions: ActionSpace

    @property
    def facets(self) -> dict[str, str]:
        """The spaces as facets of a signature."""
        return {"observation": f"Box({self.observation_dim})", "action": str(self.actions)}


class Transition(NamedTuple):
    """One step of n environments. Where an episode ended, the next one has begun."""

    #: Where the next action is taken, (n, observation_dim).
    observations: Floats
    #: What the actions led to, the same but where an episode ended.
    successors: Floats
    rewards: Floats
    terminated: Booleans
    truncated: Booleans
    #: False where the step only began an episode and the action had no effect.
    valid: Booleans

    @property
    def done(self) -> Booleans:
        """The environments whose episode ended."""
        return self.terminated | self.truncated


class Environment(Protocol):
    """n environments that are stepped together and begin new episodes by themselves."""

    num_envs: int
    spaces: Spaces

    def reset(self, seed: int) -> Floats:
        """Begin new episodes, drawn from the seed, and return their first observations."""
        ...

    def step(self, actions: Any) -> Transition:
        """Act: (n,) actions or (n, size) numbers, of a continuous space before scaling."""
        ...


class Episodes(NamedTuple):
    """The results of one episode in each environment."""

    returns: Floats
    #: Whether it ended by termination, not by running out of time.
    terminated: Booleans


def play(
    environment: Environment,
    act: Callable[[Floats], Any],
    *,
    seed: int,
    limit: int,
    watch: Callable[[Floats], object] = lambda _: None,
) -> Episodes:
    """Play one episode in each environment, of at most `limit` steps, and return what came of it.

    Args:
        environment: The environments.
        act: Returns the actions for observations.
        seed: What the episodes are drawn from.
        limit: Steps.
        watch: Called with what is observed in the first one, until its episode ends.
    """
    observations = environment.reset(seed)
    watch(observations[0])
    returns = np.zeros(environment.num_envs)
    going, terminated = np.ones(environment.num_envs, bool), np.zeros(environment.num_envs, bool)
    for _ in range(limit):
        transition = environment.step(act(observations))
        observations = transition.observations
        returns += transition.rewards * going
        terminated |= transition.terminated & going
        going &= ~transition.done
        if going[0]:
            watch(observations[0])
        if not going.any():
            break
    return Episodes(returns=returns, terminated=terminated)


class EpisodeTracker:
    """Sums up the episodes that end while a policy is trained.

    Args:
        num_envs: Environments that are stepped together.
        window: How many of the last episodes count.
    """

    def __init__(self, num_envs: int, window: int = 100) -> None:
        self._sums = np.zeros(num_envs)
        self._window = window
        self._returns: list[float] = []
        self._terminated: list[bool] = []

    def add(self, transition: Transition) -> None:
        """Take note of a step."""
        self._sums += transition.rewards * transition.valid
        done = transition.done
        self._returns = [*self._returns, *map(float, self._sums[done])][-self._window :]
        self._terminated = [*self._terminated, *map(bool, transition.terminated[done])][-self._window :]
        self._sums[done] = 0

    @property
    def episodes(self) -> Episodes:
        """The last episodes that ended; of those under way where none has ended yet."""
        if not self._returns:
            return Episodes(returns=self._sums.copy(), terminated=np.zeros(len(self._sums), bool))
        return Episodes(returns=np.array(self._returns), terminated=np.array(self._terminated))
