"""PPO: proximal policy optimization on Gymnasium environments."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.trainers.numpy import checkpoint_files, loop
from pipeline_widgets.trainers.numpy.actor_critic import predict
from pipeline_widgets.trainers.numpy.environments import Episodes
from pipeline_widgets.trainers.numpy.gymnasium_environment import (
    GymnasiumEnvironment,
    greedy_episodes,
    gymnasium_spaces,
    show_episode,
)
from pipeline_widgets.trainers.numpy.ppo_trainer import (
    EVALUATION_SEED,
    PPOSettings,
    PPOTrainer,
    start_model,
)


class PPOConfig(PPOSettings):
    """Config of PPO."""

    env_id: str = Field(
        "CartPole-v1",
        description="A Gymnasium environment that observes a Box and acts in Discrete(n) or a Box.",
    )
    steps: int = Field(
        65_536,
        ge=1,
        description="Total environment steps, rounded up to whole rollouts.",
        json_schema_extra={"unit": "environment steps"},
    )
    handover: Handover = handover_field()


def signature(config: Any) -> dict[str, str]:
    """Return the spaces of the environment and the sizes of the networks."""
    units = config.hidden_units
    return {**gymnasium_spaces(config.env_id).facets, "network": f"MLP({units}, {units})"}


def mean_return(episodes: Episodes) -> float:
    """Return the mean of the undiscounted returns."""
    return float(episodes.returns.mean())


@algorithm(
    "PPO",
    produces={"policy", "actor-critic:ppo"},
    accepts=[Port("weights", {"actor-critic:ppo"}, match=("observation", "action", "network"))],
    config=PPOConfig,
    signature=signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=greedy_episodes,
)
def ppo(ctx: TrainContext) -> None:
    """Train a policy by clipped updates from its own rollouts (Schulman et al. 2017, arXiv:1707.06347).

    Advantages are generalized advantage estimates (Schulman et al. 2016, arXiv:1506.02438). Policy and value
    function are separate networks over observations normalized by running statistics; discrete actions are
    categorical, continuous ones Gaussian, from [-1, 1] scaled to the bounds of the Box. One step is one step
    of one environment. Scores are mean undiscounted returns: the training score of the last 100 episodes of
    training, the evaluation score of greedy episodes, the same ones in each evaluation. Metrics:
    policy_loss, value_loss, entropy and kl (nats), clipped (share of rows whose ratio was clipped).

    A resumed run restores networks, normalization and the state of Adam; Gymnasium's episodes under way
    cannot be restored, so it begins new ones.
    """
    config: PPOConfig = ctx.config
    model = start_model(ctx, gymnasium_spaces(config.env_id), config.hidden_units, fresh=ctx.start is None)
    trainer = PPOTrainer(
        model,
        GymnasiumEnvironment(config.env_id, config.num_envs),
        GymnasiumEnvironment(config.env_id, config.evaluation_episodes),
        config,
        mean_return,
    )
    if ctx.start is not None and ctx.start.role == "resume":
        trainer.resume(ctx.start.path)

    def show(step: int) -> None:
        observed, spaces = trainer.watched, model.spaces
        show_episode(ctx, step, config.env_id, observed, seed=EVALUATION_SEED, act=model.act, spaces=spaces)

    stride = config.num_envs * config.rollout_length
    loop.run(ctx, trainer, total=config.steps, stride=stride, show=show)
