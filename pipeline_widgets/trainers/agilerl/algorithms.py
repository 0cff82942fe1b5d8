"""The ready algorithms of AgileRL. Importing this imports neither that library nor torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.trainers.agilerl.checkpoint_files import TRAINING_ONLY
from pipeline_widgets.trainers.agilerl.configs import DQNConfig, PPOConfig, Settings
from pipeline_widgets.trainers.agilerl.predictor import predict
from pipeline_widgets.trainers.episodes import name_evaluator
from pipeline_widgets.trainers.gymnasium_spaces import SPACE_FACETS, describe_spaces, name_of, spaces_of

#: The facets that have to agree with a start checkpoint. Layers may differ: evolution changes them.
FACETS = (*SPACE_FACETS, "normalization")


def declaration(name: str) -> dict[str, Any]:
    """Return what `@pw.algorithm` is told of an algorithm of this library.

    Args:
        name: "PPO" or "DQN".
    """
    kind = f"agilerl:{name.lower()}"
    return {
        "produces": {"policy", kind},
        "accepts": [Port("weights", {kind}, match=FACETS)],
        "signature": signature,
        "evaluator": evaluator,
        "predict": predict,
        "requires": ("agilerl",),
        "install": "pip install 'pipeline-widgets[agilerl]'",
        "load_within": 120.0,
        "training_only": TRAINING_ONLY,
    }


def signature(config: Any) -> dict[str, str]:
    """Return the algorithm, the spaces of the environment, and what is normalized."""
    return signature_in(config, config.env_id)


def signature_in(config: Any, make_env: str | Callable[[], Any]) -> dict[str, str]:
    """Return the facets of what a config makes in an environment, which is made and closed for that.

    Args:
        config: The settings.
        make_env: A registered id, or a function that makes an environment.

    Raises:
        ConfigError: It cannot be made, or the algorithm cannot act in it.
    """
    observation, action = _spaces(make_env) if isinstance(make_env, str) else spaces_of(make_env)
    facets = describe_spaces(observation, action)
    if config.library_class == "DQN" and type(action).__name__ != "Discrete":
        what = f"AgileRL DQN cannot be trained on {name_of(make_env)!r}."
        raise ConfigError(what, f"It acts in {facets['action']}.", "Use AgileRL PPO for it.")
    normalized = getattr(config, "normalize_observations", False)
    return {
        "algorithm": config.library_class,
        **facets,
        "normalization": "observations" if normalized else "none",
    }


def evaluator(config: Any) -> str:
    """Return how the evaluation is named."""
    return name_evaluator(config.env_id, config.evaluation_episodes)


@algorithm("AgileRL PPO", config=PPOConfig, **declaration("PPO"))
def agilerl_ppo(ctx: TrainContext) -> None:
    """Proximal policy optimization (Schulman et al. 2017, arXiv:1707.06347) of AgileRL, with evolution.

    One step is one step of one environment of one agent. With a population of more than one, agents are
    selected by tournaments and mutated after each generation. The training score is the library's fitness of
    the best agent, whose actions PPO draws at random; the evaluation score is that of greedy episodes of it,
    the same ones in each evaluation.

    A run that starts from a checkpoint gives its agent's weights and statistics to the whole population. A
    resumed run restores the population, its optimizers and hyperparameters, and the generators; it begins
    new episodes.
    """
    train_in(ctx, ctx.config.env_id)


@algorithm("AgileRL DQN", config=DQNConfig, **declaration("DQN"))
def agilerl_dqn(ctx: TrainContext) -> None:
    """Deep Q-learning (Mnih et al. 2015, Nature 518, 529-533) of AgileRL, with evolution.

    Steps, scores and evolution are those of AgileRL PPO. A run that starts from a checkpoint has an empty
    replay memory, and explores as the config has it.

    A resumed run restores the population, its optimizers and hyperparameters, exploration, the replay memory
    and the generators; it begins new episodes.
    """
    train_in(ctx, ctx.config.env_id)


@cache
def _spaces(env_id: str) -> tuple[Any, Any]:
    return spaces_of(env_id)


def train_in(ctx: TrainContext, env_id: str, make_env: str | Callable[[], Any] | None = None) -> None:
    """Train by the config of a run.

    Args:
        ctx: What the train function got.
        env_id: The id under which Gymnasium makes the environment in this process.
        make_env: What evaluations call instead, and signatures name.
    """
    from pipeline_widgets.trainers.agilerl.building import make_trainer
    from pipeline_widgets.trainers.agilerl.training import train

    config: Settings = ctx.config
    train(
        ctx,
        lambda: make_trainer(config, env_id, ctx.seed),
        evaluate=make_env or env_id,
        episodes=config.evaluation_episodes,
        handover=config.handover,
    )
