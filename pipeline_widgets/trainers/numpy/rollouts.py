"""Rollouts of a policy, and their advantages."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline_widgets.trainers.numpy.actor_critic import ActorCritic
from pipeline_widgets.trainers.numpy.distributions import Actions
from pipeline_widgets.trainers.numpy.environments import Environment, EpisodeTracker, Transition
from pipeline_widgets.trainers.numpy.nn import Booleans, Floats


class Rollout(NamedTuple):
    """The steps of a policy in n environments: arrays of (steps, n, ...)."""

    observations: Floats
    actions: npt.NDArray[Any]
    log_probs: Floats
    transitions: Transition


class Batch(NamedTuple):
    """Rows to learn from: normalized observations, actions and what came of them."""

    observations: Floats
    actions: Actions
    log_probs: Floats
    advantages: Floats
    returns: Floats

    def rows(self, index: npt.NDArray[Any]) -> Batch:
        """Return some rows, their advantages standardized."""
        batch = Batch(*(part[index] for part in self))
        advantages = batch.advantages - batch.advantages.mean()
        return batch._replace(advantages=advantages / (advantages.std() + 1e-8))


def collect(
    model: ActorCritic,
    environment: Environment,
    observations: Floats,
    steps: int,
    rng: np.random.Generator,
    tracker: EpisodeTracker,
) -> Rollout:
    """Act for some steps from `observations` on."""
    seen: list[tuple[Floats, npt.NDArray[Any], Floats]] = []
    transitions: list[Transition] = []
    for _ in range(steps):
        distribution = model.distribution(model.policy(model.normalizer(observations)))
        actions = distribution.sample(rng)
        seen.append((observations, actions, distribution.log_prob(actions)))
        transitions.append(environment.step(actions))
        tracker.add(transitions[-1])
        observations = transitions[-1].observations
    return Rollout(
        *(np.stack(parts) for parts in zip(*seen, strict=True)),
        transitions=Transition(*(np.stack(parts) for parts in zip(*transitions, strict=True))),
    )


def generalized_advantages(
    rewards: Floats,
    values: Floats,
    next_values: Floats,
    terminated: Booleans,
    done: Booleans,
    *,
    discount: float,
    trace_decay: float,
) -> Floats:
    """Return generalized advantage estimates (Schulman et al. 2016, arXiv:1506.02438).

    All arrays are (steps, n). An episode that was cut short still has its last value to look forward to; one
    that terminated has not. Neither looks into the episode after it.
    """
    errors = rewards + discount * np.where(terminated, 0, next_values) - values
    carried = discount * trace_decay * ~done
    advantages = np.zeros_like(errors)
    following = np.zeros_like(errors[0])
    for step in reversed(range(len(errors))):
        following = errors[step] + carried[step] * following
        advantages[step] = following
    return advantages


def to_batch(model: ActorCritic, rollout: Rollout, *, discount: float, trace_decay: float) -> Batch:
    """Return the rows of a rollout whose actions had an effect, with advantages and returns."""
    transitions = rollout.transitions
    shape = transitions.rewards.shape
    observations = model.normalizer(_flat(rollout.observations))
    values = model.values(observations)
    advantages = generalized_advantages(
        transitions.rewards,
        values.reshape(shape),
        model.values(model.normalizer(_flat(transitions.successors))).reshape(shape),
        transitions.terminated,
        transitions.done,
        discount=discount,
        trace_decay=trace_decay,
    ).ravel()
    batch = Batch(
        observations=observations,
        actions=_flat(rollout.actions),
        log_probs=_flat(rollout.log_probs),
        advantages=advantages,
        returns=advantages + values,
    )
    valid = _flat(transitions.valid)
    return Batch(*(part[valid] for part in batch))


def _flat(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Join the axes of steps and environments."""
    return array.reshape(-1, *array.shape[2:])
