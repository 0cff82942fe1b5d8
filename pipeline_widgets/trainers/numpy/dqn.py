"""DQN: deep Q-learning with a replay memory and double Q-learning, on Gymnasium environments."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.errors import CheckpointError, ConfigError
from pipeline_widgets.trainers.numpy import checkpoint_files, loop
from pipeline_widgets.trainers.numpy.environments import EpisodeTracker, Spaces, play
from pipeline_widgets.trainers.numpy.gymnasium_environment import (
    GymnasiumEnvironment,
    greedy_episodes,
    gymnasium_spaces,
    show_episode,
)
from pipeline_widgets.trainers.numpy.nn import MLP, Adam, Floats, Integers, Loss, gather, one_hot
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor
from pipeline_widgets.trainers.numpy.replay import ReplayMemory, Transitions

PART = "q_network"
EVALUATION_SEED = 10_007  # the same episodes for every experiment
LONGEST_EPISODE = 1_000  # steps; an evaluation ends there
CLIP = 10.0  # norm of the gradient


class DQNConfig(BaseModel):
    """Config of DQN."""

    model_config = ConfigDict(extra="forbid")

    env_id: str = Field(
        "CartPole-v1", description="A Gymnasium environment that observes a Box and acts in Discrete(n)."
    )
    steps: int = Field(
        80_000,
        ge=1,
        description="Total environment steps, rounded up to whole updates.",
        json_schema_extra={"unit": "environment steps"},
    )
    hidden_units: int = Field(
        64,
        ge=1,
        le=4096,
        description="Units in each of the two hidden layers.",
        json_schema_extra={"unit": "units"},
    )
    num_envs: int = Field(
        8,
        ge=1,
        le=4096,
        description="Environments stepped in parallel.",
        json_schema_extra={"unit": "environments"},
    )
    learning_rate: float = Field(2.3e-3, gt=0, le=1, description="Adam's step size.")
    discount: float = Field(0.99, ge=0, le=1, description="Discount of future rewards (gamma).")
    batch_size: int = Field(
        128,
        ge=1,
        le=65_536,
        description="Batch size: transitions per update.",
        json_schema_extra={"unit": "rows"},
    )
    updates: int = Field(
        1,
        ge=1,
        le=64,
        description="Updates per environment step.",
        json_schema_extra={"unit": "updates"},
    )
    memory: int = Field(
        50_000,
        ge=1_000,
        le=10_000_000,
        description="Size of the replay buffer.",
        json_schema_extra={"unit": "rows"},
    )
    warm_up: int = Field(
        1_000,
        ge=1,
        description="Transitions collected before training starts.",
        json_schema_extra={"unit": "rows"},
    )
    target_rate: float = Field(0.1, gt=0, le=1, description="Target network update rate (tau), per update.")
    exploration_steps: int = Field(
        8_000,
        ge=1,
        description="Environment steps over which exploration falls from 1 to its final value.",
        json_schema_extra={"unit": "environment steps"},
    )
    final_exploration: float = Field(0.05, ge=0, le=1, description="Final share of random actions (epsilon).")
    evaluation_episodes: int = Field(
        32,
        ge=1,
        le=4096,
        description="Greedy episodes per evaluation.",
        json_schema_extra={"unit": "episodes"},
    )
    handover: Handover = handover_field()


class QNetworkFacts(checkpoint_files.PartMetadata):
    """The facts that a checkpoint states about its network."""

    kind: Literal["q-network"] = "q-network"
    observation_dim: int = Field(ge=1, le=100_000)
    actions: int = Field(ge=1, le=100_000)
    hidden_units: int = Field(ge=1, le=4096)

    def network(self, rng: np.random.Generator) -> MLP:
        """Return a network of these sizes."""
        hidden = self.hidden_units
        return MLP([self.observation_dim, hidden, hidden, self.actions], rng, activation="relu")


class DQNTrainer:
    """Remembers what it does, and fits Q to one-step returns of random memories."""

    def __init__(self, ctx: TrainContext, config: DQNConfig, spaces: Spaces) -> None:
        self.config = config
        self.facts = QNetworkFacts(
            observation_dim=spaces.observation_dim,
            actions=spaces.actions.size,
            hidden_units=config.hidden_units,
        )
        self.network = _start_network(ctx, self.facts)
        self.target = copy.deepcopy(self.network)
        self.optimizer = Adam(self.network.parameters, config.learning_rate, clip=CLIP)
        self.environment = GymnasiumEnvironment(config.env_id, config.num_envs)
        self.evaluation = GymnasiumEnvironment(config.env_id, config.evaluation_episodes)
        self.tracker = EpisodeTracker(config.num_envs)
        self.memory = ReplayMemory(config.memory, spaces.observation_dim)
        self.observations: Floats | None = None
        self.rng = np.random.default_rng(0)
        self._ctx, self._spaces = ctx, spaces
        self._watched: list[Floats] = []
        if ctx.start is not None and ctx.start.role == "resume":
            arrays = checkpoint_files.load_arrays(ctx.start.path, checkpoint_files.TRAINING_PART)
            checkpoint_files.restore(self.optimizer.state, arrays, "optimizer")
            checkpoint_files.restore_network(self.target, arrays, "target")

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on; the first time, begin new episodes."""
        self.rng = rng
        if self.observations is None:
            self.observations = self.environment.reset(int(rng.integers(2**31)))

    def advance(self, step: int) -> dict[str, float]:
        """Act once in each environment, and learn from memories once there are enough."""
        exploration = self._act(step)
        metrics = {"training_score": float(self.tracker.episodes.returns.mean()), "exploration": exploration}
        if self.memory.count < self.config.warm_up:
            return metrics
        for _ in range(self.config.updates):
            metrics |= self._update()
        return metrics

    def evaluate(self) -> dict[str, float]:
        """Return the mean returns of recent episodes and of greedy ones."""
        self._watched.clear()
        episodes = play(
            self.evaluation,
            self.greedy,
            seed=EVALUATION_SEED,
            limit=LONGEST_EPISODE,
            watch=lambda observation: self._watched.append(observation.copy()),
        )
        return {
            "training_score": float(self.tracker.episodes.returns.mean()),
            "evaluation_score": float(episodes.returns.mean()),
        }

    def show(self, step: int) -> None:
        """Show the first episode of the latest evaluation."""
        show_episode(
            self._ctx,
            step,
            self.config.env_id,
            self._watched,
            seed=EVALUATION_SEED,
            act=self.greedy,
            spaces=self._spaces,
        )

    def save(self, folder: Path) -> None:
        """Write the network, its target and the state of the optimizer."""
        arrays = checkpoint_files.named("network", self.network.parameters)
        checkpoint_files.save(folder, PART, self.facts, arrays)
        optimizer = checkpoint_files.named("optimizer", self.optimizer.state)
        target = checkpoint_files.named("target", self.target.parameters)
        checkpoint_files.save_arrays(folder, checkpoint_files.TRAINING_PART, optimizer | target)

    def greedy(self, observations: Floats) -> Integers:
        """Return the actions of the highest value."""
        return self.network(observations).argmax(axis=1)

    def _act(self, step: int) -> float:
        if self.observations is None:
            raise RuntimeError("begin comes before advance")
        left = max(0.0, 1 - step / self.config.exploration_steps)
        exploration = self.config.final_exploration + left * (1 - self.config.final_exploration)
        explores = self.rng.random(self.config.num_envs) < exploration
        chance = self.rng.integers(0, self.facts.actions, self.config.num_envs)
        actions = np.where(explores, chance, self.greedy(self.observations))
        transition = self.environment.step(actions)
        self.tracker.add(transition)
        self.memory.add(self.observations, actions, transition)
        self.observations = transition.observations
        return exploration

    def _update(self) -> dict[str, float]:
        batch = self.memory.sample(self.config.batch_size, self.rng)
        targets = double_q_targets(self.network, self.target, batch, self.config.discount)
        loss = q_loss(self.network, batch.observations, batch.actions, targets)
        self.optimizer.step(loss.gradients)
        self.target.copy_from(self.network, rate=self.config.target_rate)
        return {"loss": loss.value, **loss.metrics}


def double_q_targets(network: MLP, target: MLP, batch: Transitions, discount: float) -> Floats:
    """Return one-step returns: the network picks the next action, the target network values it."""
    following = gather(target(batch.successors), network(batch.successors).argmax(axis=1))
    return batch.rewards + discount * (1 - batch.terminated) * following


def q_loss(network: MLP, observations: Floats, actions: Integers, targets: Floats) -> Loss:
    """Return half the mean squared error of the values of the actions taken."""
    activations = network.forward(observations)
    values = gather(activations[-1], actions)
    errors = values - targets
    count, size = activations[-1].shape
    gradient = one_hot(actions, size, errors.dtype) * (errors / count)[:, None]
    gradients = network.backward(activations, gradient)
    return Loss(float(0.5 * (errors**2).mean()), gradients, {"mean_q": float(values.mean())})


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: the function answers an observation with the action of the highest value.

    A list of observations gives a list of actions.
    """
    facts, network = _load(folder)

    def answer(rows: Floats, *, by_row: bool) -> list[Any]:
        return network(rows, by_row=by_row).argmax(axis=1).tolist()

    return RowPredictor(answer, facts.observation_dim, "observation")


def signature(config: Any) -> dict[str, str]:
    """Return the spaces of the environment and the sizes of the network."""
    units = config.hidden_units
    return {**gymnasium_spaces(config.env_id).facets, "network": f"MLP({units}, {units})"}


@algorithm(
    "DQN",
    produces={"policy", "q:dqn"},
    accepts=[Port("weights", {"q:dqn"}, match=("observation", "action", "network"))],
    config=DQNConfig,
    signature=signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=greedy_episodes,
)
def dqn(ctx: TrainContext) -> None:
    """Learn the values of actions from remembered steps (Mnih et al. 2015, Nature 518, 529-533).

    The targets are those of Double DQN (van Hasselt et al. 2016, arXiv:1509.06461); the target network
    follows by a moving average. One step is one step of one environment. Scores are mean
    undiscounted returns: the training score of the last 100 episodes of training, exploration included, the
    evaluation score of greedy episodes, the same ones in each evaluation. They go up and down, so the best
    checkpoint often is not the final one. Metrics: loss, mean_q, exploration (share of random actions).

    A resumed run restores network, target network and the state of Adam. Its memory starts empty, since a
    checkpoint with it would be many times larger, and it begins new episodes.
    """
    spaces = gymnasium_spaces(ctx.config.env_id)
    if not spaces.actions.discrete:
        why = f"It acts in {spaces.actions}."
        raise ConfigError(f"DQN cannot be trained on {ctx.config.env_id!r}.", why, "Use PPO for it.")
    trainer = DQNTrainer(ctx, ctx.config, spaces)
    loop.run(ctx, trainer, total=ctx.config.steps, stride=ctx.config.num_envs, show=trainer.show)


def _start_network(ctx: TrainContext, facts: QNetworkFacts) -> MLP:
    if ctx.start is None:
        return facts.network(loop.generator(ctx.seed, loop.INITIALIZATION))
    theirs, network = _load(ctx.start.path)
    if theirs != facts:
        why = f"It holds {theirs!r}; {facts!r} is needed."
        raise CheckpointError("The checkpoint does not fit the config.", why, checkpoint_files.FIX)
    return network


def _load(folder: Path) -> tuple[QNetworkFacts, MLP]:
    facts, arrays = checkpoint_files.load(folder, PART, QNetworkFacts)
    network = facts.network(checkpoint_files.Placeholder(arrays))
    checkpoint_files.restore_network(network, arrays, "network")
    return facts, network
