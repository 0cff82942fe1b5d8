"""A policy and a value function over normalized observations, as PPO trains them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pipeline_widgets.trainers.numpy import checkpoint_files
from pipeline_widgets.trainers.numpy.distributions import Actions, Categorical, DiagonalGaussian, Distribution
from pipeline_widgets.trainers.numpy.environments import ActionSpace, Spaces
from pipeline_widgets.trainers.numpy.nn import MLP, Arrays, Floats
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor

PART = "policy"


class ActorCriticFacts(checkpoint_files.PartMetadata):
    """The facts that a checkpoint states about its networks."""

    kind: Literal["actor-critic"] = "actor-critic"
    observation_dim: int = Field(ge=1, le=100_000)
    action_space: ActionSpace
    hidden_units: int = Field(ge=1, le=4096)


class Normalizer:
    """Running mean and variance of observations (Chan's parallel update), in float64."""

    def __init__(self, size: int) -> None:
        self.mean = np.zeros(size)
        self.variance = np.ones(size)
        self.count = np.full((), 1e-4)

    def __call__(self, observations: Floats) -> Floats:
        """Return observations of about zero mean and unit variance, clipped at 10."""
        scaled = (observations - self.mean) / np.sqrt(self.variance + 1e-8)
        return np.clip(scaled, -10, 10).astype(np.float32)

    def update(self, observations: Floats) -> None:
        """Take note of a batch."""
        count = len(observations)
        total = self.count + count
        mean, variance = observations.mean(axis=0, dtype=float), observations.var(axis=0, dtype=float)
        shift = mean - self.mean
        squares = self.variance * self.count + variance * count + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.variance[:] = squares / total
        self.count[...] = total

    @property
    def state(self) -> list[Floats]:
        """The arrays to save."""
        return [self.mean, self.variance, self.count]


class ActorCritic:
    """Two networks of two hidden layers: action distributions and values of observations.

    Args:
        spaces: What the policy sees and does.
        hidden_units: Of each hidden layer.
        rng: Draws the initial weights.
        initial_log_std: Log of the standard deviation of a continuous action, before training.
    """

    def __init__(
        self, spaces: Spaces, hidden_units: int, rng: np.random.Generator, initial_log_std: float = -0.5
    ) -> None:
        self.spaces = spaces
        self.hidden_units = hidden_units
        hidden = [spaces.observation_dim, hidden_units, hidden_units]
        self.policy = MLP([*hidden, spaces.actions.size], rng, output_scale=0.01)
        self.value = MLP([*hidden, 1], rng)
        self.log_std: Floats = np.full(spaces.actions.size, initial_log_std, np.float32)
        self.normalizer = Normalizer(spaces.observation_dim)

    @property
    def policy_parameters(self) -> list[Floats]:
        """The parameters that the policy loss has gradients for."""
        others = [] if self.spaces.actions.discrete else [self.log_std]
        return [*self.policy.parameters, *others]

    def distribution(self, outputs: Floats) -> Distribution:
        """Return the action distribution for outputs of the policy network."""
        if self.spaces.actions.discrete:
            return Categorical(outputs)
        return DiagonalGaussian(outputs, self.log_std)

    def act(self, observations: Floats, *, by_row: bool = False) -> Actions:
        """Return the greedy actions; `by_row` as each would be by itself, to the last bit."""
        return self.distribution(self.policy(self.normalizer(observations), by_row=by_row)).mode()

    def values(self, observations: Floats) -> Floats:
        """Return the values of normalized observations, (batch,)."""
        return self.value(observations)[:, 0]

    @property
    def _parts(self) -> dict[str, list[Floats]]:
        return {
            "policy": self.policy.parameters,
            "value": self.value.parameters,
            "log_std": [self.log_std],
            "normalizer": self.normalizer.state,
        }

    def save(self, folder: Path) -> None:
        """Write the networks into a checkpoint folder."""
        facts = ActorCriticFacts(
            observation_dim=self.spaces.observation_dim,
            action_space=self.spaces.actions,
            hidden_units=self.hidden_units,
        )
        arrays: Arrays = {}
        for prefix, part in self._parts.items():
            arrays |= checkpoint_files.named(prefix, part)
        checkpoint_files.save(folder, PART, facts, arrays)

    def restore(self, arrays: Arrays) -> None:
        """Take saved parameters over.

        Raises:
            CheckpointError: They are those of other networks.
        """
        for prefix, part in self._parts.items():
            checkpoint_files.restore(part, arrays, prefix)


def load(folder: Path) -> ActorCritic:
    """Read the networks from a checkpoint folder.

    Raises:
        CheckpointError: The files are missing, corrupt or foreign.
    """
    facts, arrays = checkpoint_files.load(folder, PART, ActorCriticFacts)
    spaces = Spaces(facts.observation_dim, facts.action_space)
    model = ActorCritic(spaces, facts.hidden_units, checkpoint_files.Placeholder(arrays))
    model.restore(arrays)
    return model


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: the function answers an observation with the greedy action.

    A discrete action is an int, a continuous one a list of numbers in the units of the environment; a list
    of observations gives a list of actions.
    """
    model = load(folder)

    def answer(rows: Floats, *, by_row: bool) -> list[Any]:
        space = model.spaces.actions
        actions = model.act(rows, by_row=by_row)
        return (actions if space.discrete else space.scaled(actions)).tolist()

    return RowPredictor(answer, model.spaces.observation_dim, "observation")
