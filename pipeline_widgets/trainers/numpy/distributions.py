"""Action distributions, with the gradients of their log-probabilities and entropies."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline_widgets.trainers.numpy.nn import Floats, Integers, gather, log_softmax, one_hot

#: (batch,) integers of a Categorical, (batch, size) numbers of a DiagonalGaussian.
Actions: TypeAlias = npt.NDArray[Any]

LOG_SQRT_2_PI = 0.5 * math.log(2 * math.pi)


class Gradients(NamedTuple):
    """Loss gradients of a distribution's parameters."""

    #: Of the network's outputs, (batch, size).
    outputs: Floats
    #: Of what is learned beside the network.
    others: list[Floats]


class Categorical:
    """One of `size` actions, by logits of shape (batch, size)."""

    def __init__(self, logits: Floats) -> None:
        self.log_probs = log_softmax(logits)

    def sample(self, rng: np.random.Generator) -> Integers:
        """Draw an action for each row."""
        return (self.log_probs + rng.gumbel(size=self.log_probs.shape)).argmax(axis=1)

    def mode(self) -> Integers:
        """Return the most likely action of each row."""
        return self.log_probs.argmax(axis=1)

    def log_prob(self, actions: Integers) -> Floats:
        """Return the log-probability of each row's action."""
        return gather(self.log_probs, actions)

    def entropy(self) -> Floats:
        """Return the entropy of each row, in nats."""
        return -(np.exp(self.log_probs) * self.log_probs).sum(axis=1)

    def backward(self, actions: Integers, log_prob_gradient: Floats, entropy_gradient: float) -> Gradients:
        """Return the gradients, from those of the log-probabilities (batch,) and of each entropy."""
        probs = np.exp(self.log_probs)
        towards = one_hot(actions, probs.shape[1], probs.dtype) - probs
        spread = -probs * (self.log_probs + self.entropy()[:, None])
        return Gradients(towards * log_prob_gradient[:, None] + spread * entropy_gradient, [])


class DiagonalGaussian:
    """`size` independent numbers, by means of shape (batch, size) and log standard deviations (size,)."""

    def __init__(self, means: Floats, log_std: Floats) -> None:
        self.means = means
        self.log_std = log_std
        self.std = np.exp(log_std)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw an action for each row."""
        return self.means + self.std * rng.standard_normal(self.means.shape).astype(self.means.dtype)

    def mode(self) -> Floats:
        """Return the most likely action of each row."""
        return self.means

    def log_prob(self, actions: Floats) -> Floats:
        """Return the log-density of each row's action."""
        scores = (actions - self.means) / self.std
        return (-0.5 * scores**2 - self.log_std - LOG_SQRT_2_PI).sum(axis=1)

    def entropy(self) -> Floats:
        """Return the entropy of each row, in nats."""
        entropy = (self.log_std + 0.5 + LOG_SQRT_2_PI).sum()
        return np.full(len(self.means), entropy, self.means.dtype)

    def backward(self, actions: Floats, log_prob_gradient: Floats, entropy_gradient: float) -> Gradients:
        """Return the gradients, from those of the log-densities (batch,) and of each entropy."""
        scores = (actions - self.means) / self.std
        weights = log_prob_gradient[:, None]
        log_std = (weights * (scores**2 - 1)).sum(axis=0) + entropy_gradient * len(actions)
        return Gradients(weights * scores / self.std, [log_std])


class Distribution(Protocol):
    """The interface that the policy loss needs, whatever the actions are: integers or numbers."""

    def sample(self, rng: np.random.Generator) -> Actions:
        """Draw an action for each row."""
        ...

    def mode(self) -> Actions:
        """Return the most likely action of each row."""
        ...

    def log_prob(self, actions: Actions) -> Floats:
        """Return the log-probability of each row's action."""
        ...

    def entropy(self) -> Floats:
        """Return the entropy of each row, in nats."""
        ...

    def backward(self, actions: Actions, log_prob_gradient: Floats, entropy_gradient: float) -> Gradients:
        """Return the gradients, from those of the log-probabilities (batch,) and of each entropy."""
        ...
