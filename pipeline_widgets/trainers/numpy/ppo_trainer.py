"""The trainer of proximal policy optimization, for PPO and LatentPPO alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.numpy import actor_critic, checkpoint_files
from pipeline_widgets.trainers.numpy.actor_critic import ActorCritic
from pipeline_widgets.trainers.numpy.environments import Environment, Episodes, EpisodeTracker, Spaces, play
from pipeline_widgets.trainers.numpy.loop import INITIALIZATION, generator
from pipeline_widgets.trainers.numpy.nn import Adam, Floats, Loss
from pipeline_widgets.trainers.numpy.rollouts import Batch, collect, to_batch

EVALUATION_SEED = 10_007  # the same episodes for every experiment, and none that training begins with
LONGEST_EPISODE = 1_000  # steps; an evaluation ends there


class PPOSettings(BaseModel):
    """Config that PPO and LatentPPO share."""

    model_config = ConfigDict(extra="forbid")

    hidden_units: int = Field(
        64,
        ge=1,
        le=4096,
        description="Units in each of the two hidden layers.",
        json_schema_extra={"unit": "units"},
    )
    num_envs: int = Field(
        32,
        ge=1,
        le=4096,
        description="Environments stepped in parallel.",
        json_schema_extra={"unit": "environments"},
    )
    rollout_length: int = Field(
        64,
        ge=1,
        le=65_536,
        description="Steps in each environment between updates.",
        json_schema_extra={"unit": "steps"},
    )
    learning_rate: float = Field(2.5e-3, gt=0, le=1, description="Adam's step size.")
    discount: float = Field(0.99, ge=0, le=1, description="Discount of future rewards (gamma).")
    gae_lambda: float = Field(
        0.95, ge=0, le=1, description="GAE lambda: bias against variance of the advantage estimates."
    )
    clip: float = Field(0.2, gt=0, lt=1, description="How far a probability ratio may move from 1.")
    epochs: int = Field(
        4,
        ge=1,
        le=100,
        description="Epochs: passes over a rollout per update.",
        json_schema_extra={"unit": "passes"},
    )
    minibatch_size: int = Field(
        256,
        ge=2,
        le=1_000_000,
        description="Minibatch size: rows per gradient step.",
        json_schema_extra={"unit": "rows"},
    )
    entropy_weight: float = Field(0.005, ge=0, description="Entropy bonus in the loss.")
    evaluation_episodes: int = Field(
        32,
        ge=1,
        le=4096,
        description="Greedy episodes per evaluation.",
        json_schema_extra={"unit": "episodes"},
    )


class PPOTrainer:
    """Alternates between rollouts of a policy and clipped updates of it.

    Args:
        model: What to train.
        environment: Where it acts while it learns.
        evaluation: As many environments as an evaluation plays episodes.
        config: Settings.
        score: The score of some episodes.
        initial_log_std: Of a continuous action, when training starts.
    """

    clip_norm: ClassVar[float] = 0.5

    def __init__(
        self,
        model: ActorCritic,
        environment: Environment,
        evaluation: Environment,
        config: PPOSettings,
        score: Callable[[Episodes], float],
    ) -> None:
        self.model = model
        self.environment, self.evaluation = environment, evaluation
        self.config = config
        self.score = score
        self.policy_optimizer = self._adam(model.policy_parameters)
        self.value_optimizer = self._adam(model.value.parameters)
        self.tracker = EpisodeTracker(environment.num_envs)
        self.rng = np.random.default_rng(0)
        self.observations: Floats | None = None
        #: What the first episode of the latest evaluation has looked like.
        self.watched: list[Any] = []

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on; the first time, begin new episodes."""
        self.rng = rng
        if self.observations is None:
            self.observations = self.environment.reset(int(rng.integers(2**31)))

    def advance(self, step: int) -> dict[str, float]:  # noqa: ARG002  its step size is constant
        """Do one rollout, and learn from it."""
        if self.observations is None:
            raise RuntimeError("begin comes before advance")
        steps = self.config.rollout_length
        rollout = collect(self.model, self.environment, self.observations, steps, self.rng, self.tracker)
        self.observations = rollout.transitions.observations[-1]
        batch = to_batch(
            self.model, rollout, discount=self.config.discount, trace_decay=self.config.gae_lambda
        )
        metrics = self._learn(batch)
        # Only now, so that a rollout and the update after it see the same normalization.
        self.model.normalizer.update(rollout.observations.reshape(-1, rollout.observations.shape[-1]))
        return {"training_score": self.score(self.tracker.episodes), **metrics}

    def evaluate(self) -> dict[str, float]:
        """Return the score of greedy episodes, the same ones in each evaluation."""
        self.watched.clear()
        episodes = play(
            self.evaluation, self.model.act, seed=EVALUATION_SEED, limit=LONGEST_EPISODE, watch=self.watch
        )
        return {
            "training_score": self.score(self.tracker.episodes),
            "evaluation_score": self.score(episodes),
            "mean_return": float(episodes.returns.mean()),
        }

    def watch(self, observation: Floats) -> None:
        """Keep what the first episode of an evaluation looks like."""
        self.watched.append(observation.copy())

    def save(self, folder: Path) -> None:
        """Write the networks and the state of the optimizers."""
        self.model.save(folder)
        policy = checkpoint_files.named("policy_optimizer", self.policy_optimizer.state)
        value = checkpoint_files.named("value_optimizer", self.value_optimizer.state)
        checkpoint_files.save_arrays(folder, checkpoint_files.TRAINING_PART, policy | value)

    def resume(self, folder: Path) -> None:
        """Restore the state of the optimizers."""
        arrays = checkpoint_files.load_arrays(folder, checkpoint_files.TRAINING_PART)
        checkpoint_files.restore(self.policy_optimizer.state, arrays, "policy_optimizer")
        checkpoint_files.restore(self.value_optimizer.state, arrays, "value_optimizer")

    def _adam(self, parameters: list[Floats]) -> Adam:
        return Adam(parameters, self.config.learning_rate, clip=self.clip_norm, epsilon=1e-5)

    def _learn(self, batch: Batch) -> dict[str, float]:
        """Pass over the rows some times, in minibatches; return the mean metrics."""
        history: list[dict[str, float]] = []
        parts = max(1, len(batch.log_probs) // self.config.minibatch_size)
        for _ in range(self.config.epochs):
            minibatches = np.array_split(self.rng.permutation(len(batch.log_probs)), parts)
            history += [self._update(batch.rows(index)) for index in minibatches]
        return {name: float(np.mean([metrics[name] for metrics in history])) for name in history[0]}

    def _update(self, rows: Batch) -> dict[str, float]:
        policy = policy_loss(
            self.model, rows, clip=self.config.clip, entropy_weight=self.config.entropy_weight
        )
        self.policy_optimizer.step(policy.gradients)
        value = value_loss(self.model, rows)
        self.value_optimizer.step(value.gradients)
        return {"policy_loss": policy.value, "value_loss": value.value, **policy.metrics}


def policy_loss(model: ActorCritic, batch: Batch, *, clip: float, entropy_weight: float) -> Loss:
    """Return the clipped surrogate, less the weighted entropy, averaged over rows."""
    activations = model.policy.forward(batch.observations)
    distribution = model.distribution(activations[-1])
    ratios = np.exp(distribution.log_prob(batch.actions) - batch.log_probs)
    unclipped = ratios * batch.advantages
    gains = np.minimum(unclipped, np.clip(ratios, 1 - clip, 1 + clip) * batch.advantages)
    entropy = float(distribution.entropy().mean())

    count = len(ratios)
    clipped = unclipped > gains
    log_prob_gradient = np.where(clipped, 0, -unclipped / count)
    gradients = distribution.backward(batch.actions, log_prob_gradient, -entropy_weight / count)
    metrics = {
        "entropy": entropy,
        "kl": float((ratios - 1 - np.log(ratios)).mean()),
        "clipped": float(clipped.mean()),
    }
    all_gradients = [*model.policy.backward(activations, gradients.outputs), *gradients.others]
    return Loss(-float(gains.mean()) - entropy_weight * entropy, all_gradients, metrics)


def value_loss(model: ActorCritic, batch: Batch) -> Loss:
    """Return half the mean squared error of the values."""
    activations = model.value.forward(batch.observations)
    errors = activations[-1][:, 0] - batch.returns
    gradient = (errors / len(errors))[:, None]
    return Loss(float(0.5 * (errors**2).mean()), model.value.backward(activations, gradient), {})


def start_model(
    ctx: TrainContext, spaces: Spaces, hidden_units: int, *, fresh: bool, initial_log_std: float = -0.5
) -> ActorCritic:
    """Return a fresh model, or the one of the start checkpoint.

    Raises:
        CheckpointError: The start checkpoint acts in other spaces, or is corrupt.
    """
    if fresh or ctx.start is None:
        return ActorCritic(spaces, hidden_units, generator(ctx.seed, INITIALIZATION), initial_log_std)
    model = actor_critic.load(ctx.start.path)
    theirs = (*model.spaces.facets.values(), model.hidden_units)
    ours = (*spaces.facets.values(), hidden_units)
    if theirs != ours:
        names = ("observation", "action", "hidden_units")
        why = "; ".join(
            f"{name} is {their}; {our} is needed"
            for name, their, our in zip(names, theirs, ours, strict=True)
            if their != our
        )
        raise CheckpointError("The checkpoint does not fit the config.", f"{why}.", checkpoint_files.FIX)
    return model
