"""LatentPPO: PPO whose actions are latents of a frozen decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.errors import CheckpointError, PipelineError
from pipeline_widgets.trainers.numpy import actor_critic, checkpoint_files, loop
from pipeline_widgets.trainers.numpy.action_vae import ActionDecoder, load_decoder
from pipeline_widgets.trainers.numpy.environments import ActionSpace, Episodes, Spaces, Transition
from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.ppo_trainer import (
    EVALUATION_SEED,
    PPOSettings,
    PPOTrainer,
    start_model,
)
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor
from pipeline_widgets.trainers.numpy.swim_video import pose_of, show_swim
from pipeline_widgets.trainers.numpy.swimmer import SwimmerEnvironment

INITIAL_LOG_STD = -0.2  # wide: latents are standard normal


class LatentPPOConfig(PPOSettings):
    """Config of LatentPPO."""

    steps: int = Field(
        100_000,
        ge=1,
        description="Total environment steps, rounded up to whole rollouts.",
        json_schema_extra={"unit": "environment steps"},
    )
    links: int = Field(
        6, ge=3, le=16, description="Links of the swimmer.", json_schema_extra={"unit": "links"}
    )
    sparse: bool = Field(default=False, description="Reward only reaching the goal.")
    num_envs: int = Field(
        50,
        ge=1,
        le=4096,
        description="Environments stepped in parallel.",
        json_schema_extra={"unit": "environments"},
    )
    rollout_length: int = Field(
        50,
        ge=1,
        le=65_536,
        description="Steps in each environment between updates.",
        json_schema_extra={"unit": "steps"},
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's step size.")
    discount: float = Field(0.985, ge=0, le=1, description="Discount of future rewards (gamma).")
    epochs: int = Field(
        6,
        ge=1,
        le=100,
        description="Epochs: passes over a rollout per update.",
        json_schema_extra={"unit": "passes"},
    )
    minibatch_size: int = Field(
        512,
        ge=2,
        le=1_000_000,
        description="Minibatch size: rows per gradient step.",
        json_schema_extra={"unit": "rows"},
    )
    entropy_weight: float = Field(0.001, ge=0, description="Entropy bonus in the loss.")
    evaluation_episodes: int = Field(
        200,
        ge=1,
        le=4096,
        description="Greedy episodes per evaluation.",
        json_schema_extra={"unit": "episodes"},
    )
    handover: Handover = handover_field()


class LatentSwimmer:
    """The swimmer as the policy meets it: the frozen decoder makes joint rates of its latents."""

    def __init__(self, environment: SwimmerEnvironment, decoder: ActionDecoder) -> None:
        self.num_envs = environment.num_envs
        self.spaces = latent_spaces(environment.spaces, decoder)
        self.environment = environment
        self._decoder = decoder

    def reset(self, seed: int) -> Floats:
        """Begin new episodes."""
        return self.environment.reset(seed)

    def step(self, actions: Floats) -> Transition:
        """Act by latents, (n, latent_dim)."""
        angles = self.environment.swimmers.angles
        return self.environment.step(self._decoder.decode(angles, actions))


class LatentPPOTrainer(PPOTrainer):
    """PPO that saves the decoder along, so that its checkpoints need nothing else."""

    decoder: ActionDecoder
    swimmer: SwimmerEnvironment

    def watch(self, observation: Floats) -> None:
        """Keep how the first swimmer of an evaluation lies."""
        del observation  # it does not tell where the swimmer is
        self.watched.append(pose_of(self.swimmer))

    def save(self, folder: Path) -> None:
        """Write networks, optimizers and decoder."""
        super().save(folder)
        self.decoder.save(folder)


def latent_spaces(spaces: Spaces, decoder: ActionDecoder) -> Spaces:
    """Return the spaces of a policy that acts through the decoder."""
    return spaces._replace(actions=ActionSpace(discrete=False, size=decoder.facts.latent_dim))


def success(episodes: Episodes) -> float:
    """Return the share of episodes that ended at the goal."""
    return float(episodes.terminated.mean())


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: the function answers an observation with joint actions in [-1, 1].

    The observation starts with the joint angles. A list of observations gives a list of actions.
    """
    model, decoder = actor_critic.load(folder), load_decoder(folder)

    def answer(rows: Floats, *, by_row: bool) -> list[Any]:
        latents = model.act(rows, by_row=by_row)
        joints = decoder.decode(rows[:, : decoder.facts.state_dim], latents, by_row=by_row)
        return np.clip(joints, -1, 1).tolist()

    return RowPredictor(answer, model.spaces.observation_dim, "observation")


def signature(config: Any) -> dict[str, str]:
    """Return the spaces of the swimmer, before the decoder, and the sizes of the networks."""
    spaces = SwimmerEnvironment(1, config.links).spaces
    return {**spaces.facets, "network": f"MLP({config.hidden_units}, {config.hidden_units})"}


def evaluator(config: Any) -> str:
    """Return the name of the episodes whose successes are the score."""
    return f"successes in {config.evaluation_episodes} greedy episodes of a swimmer with {config.links} links"


@algorithm(
    "LatentPPO",
    produces={"policy", "latent-policy"},
    accepts=[
        Port("decoder", {"decoder"}, match=("!latent_dim", "action")),
        Port("weights", {"latent-policy"}, match=("observation", "action", "network")),
    ],
    scratch=False,
    config=LatentPPOConfig,
    signature=signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=evaluator,
)
def latent_ppo(ctx: TrainContext) -> None:
    """Bring a swimmer to goals by PPO in the latent space of a frozen action decoder.

    The policy chooses latents, from which the decoder makes coordinated joint actions (the idea of PLAS, Zhou
    et al. 2020, arXiv:2011.07213, with PPO, Schulman et al. 2017, arXiv:1707.06347, as the learner). An
    observation is the joint angles (radians), the goal in the frame of the swimmer and its distance (body
    lengths). One step is one step of one environment. Scores are shares of episodes that reach the goal: the
    training score of the last 100 episodes of training, the evaluation score of greedy episodes to held-out
    goals. Metrics: mean_return, policy_loss, value_loss, entropy and kl (nats), clipped (share of rows whose
    ratio was clipped).

    Checkpoints hold the decoder too. Started from one of its own, it goes on with that policy and decoder.

    A resumed run restores networks, normalization and the state of Adam, and begins new episodes.

    Raises:
        PipelineError: There is no start checkpoint.
        CheckpointError: It does not fit the swimmer.
    """
    config: LatentPPOConfig = ctx.config
    if ctx.start is None:
        fix = "Start it from a Supervised experiment with dataset 'gait'."
        raise PipelineError("LatentPPO cannot start from scratch.", "It needs a decoder.", fix)
    decoder = load_decoder(ctx.start.path)
    training = _environment(config.num_envs, config, decoder)
    model = start_model(
        ctx,
        training.spaces,
        config.hidden_units,
        fresh=ctx.start.role == "decoder",
        initial_log_std=INITIAL_LOG_STD,
    )
    evaluation = _environment(config.evaluation_episodes, config, decoder)
    trainer = LatentPPOTrainer(model, training, evaluation, config, success)
    trainer.decoder, trainer.swimmer = decoder, evaluation.environment
    if ctx.start.role == "resume":
        trainer.resume(ctx.start.path)

    def show(step: int) -> None:
        show_swim(ctx, step, trainer.watched, seed=EVALUATION_SEED)

    stride = config.num_envs * config.rollout_length
    loop.run(ctx, trainer, total=config.steps, stride=stride, show=show)


def _environment(num_envs: int, config: LatentPPOConfig, decoder: ActionDecoder) -> LatentSwimmer:
    environment = SwimmerEnvironment(num_envs, config.links, sparse=config.sparse)
    joints = environment.swimmers.joints
    if (decoder.facts.state_dim, decoder.facts.action_dim) != (joints, joints):
        why = f"It was trained for {decoder.facts.action_dim} joints, the swimmer has {joints}."
        fix = "Set the same number of links in both experiments."
        raise CheckpointError("The decoder does not fit the swimmer.", why, fix)
    return LatentSwimmer(environment, decoder)
