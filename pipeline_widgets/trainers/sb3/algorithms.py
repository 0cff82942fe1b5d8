"""The ready algorithms of Stable-Baselines3. Importing this imports neither that library nor torch."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.trainers.episodes import name_evaluator
from pipeline_widgets.trainers.sb3.configs import A2CConfig, DQNConfig, PPOConfig, SACConfig, TD3Config
from pipeline_widgets.trainers.sb3.training import declaration, signature_of, train


def signature(config: Any) -> dict[str, str]:
    """Return the spaces of the environment, what is normalized, and the network."""
    return signature_of(config, config.env_id)


def evaluator(config: Any) -> str:
    """Return how the evaluation is named."""
    return name_evaluator(config.env_id, config.evaluation_episodes)


@algorithm("SB3 PPO", config=PPOConfig, signature=signature, evaluator=evaluator, **declaration("PPO"))
def sb3_ppo(ctx: TrainContext) -> None:
    """Proximal policy optimization (Schulman et al. 2017, arXiv:1707.06347) of Stable-Baselines3.

    One step is one step of one environment. The training score is the mean return of the last 100 episodes
    of training, the evaluation score that of greedy episodes, the same ones in each evaluation, with the
    observations normalized by the statistics of that step. Metrics are those that the library logs.

    A run that starts from a checkpoint takes its weights and its statistics. A resumed run restores the
    optimizer, the schedules, the counters and the generators as well; it begins new episodes.
    """
    train(ctx, ctx.config.env_id)


@algorithm("SB3 A2C", config=A2CConfig, signature=signature, evaluator=evaluator, **declaration("A2C"))
def sb3_a2c(ctx: TrainContext) -> None:
    """Advantage actor-critic (Mnih et al. 2016, arXiv:1602.01783) of Stable-Baselines3.

    Steps, scores and metrics are those of SB3 PPO, whose checkpoints it can start from, and the reverse.

    A run that starts from a checkpoint takes its weights and its statistics. A resumed run restores the
    optimizer, the schedules, the counters and the generators as well; it begins new episodes.
    """
    train(ctx, ctx.config.env_id)


@algorithm("SB3 DQN", config=DQNConfig, signature=signature, evaluator=evaluator, **declaration("DQN"))
def sb3_dqn(ctx: TrainContext) -> None:
    """Deep Q-learning (Mnih et al. 2015, Nature 518, 529-533) of Stable-Baselines3.

    Steps, scores and metrics are those of SB3 PPO. A run that starts from a checkpoint takes its weights and
    its statistics; its replay buffer is empty, and exploration starts as the config has it.

    A resumed run restores the optimizer, exploration, the counters, the generators and the replay buffer as
    well; it begins new episodes.
    """
    train(ctx, ctx.config.env_id)


@algorithm("SB3 SAC", config=SACConfig, signature=signature, evaluator=evaluator, **declaration("SAC"))
def sb3_sac(ctx: TrainContext) -> None:
    """Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905) of Stable-Baselines3.

    Steps, scores and metrics are those of SB3 PPO. A run that starts from a checkpoint takes its weights and
    its statistics; its replay buffer is empty, and the weight of the entropy starts as the config has it.

    A resumed run restores the optimizers, the weight of the entropy, the counters, the generators and the
    replay buffer as well; it begins new episodes.
    """
    train(ctx, ctx.config.env_id)


@algorithm("SB3 TD3", config=TD3Config, signature=signature, evaluator=evaluator, **declaration("TD3"))
def sb3_td3(ctx: TrainContext) -> None:
    """Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018, arXiv:1802.09477).

    Of Stable-Baselines3; steps, scores and metrics are those of SB3 PPO. A run that starts from a checkpoint
    takes its weights and its statistics; its replay buffer is empty.

    A resumed run restores the optimizers, the counters, the generators and the replay buffer as well; it
    begins new episodes.
    """
    train(ctx, ctx.config.env_id)
