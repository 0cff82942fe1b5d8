"""The training and the declarations that all ready algorithms share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.trainers.gymnasium_spaces import (
    SPACE_FACETS,
    describe_spaces,
    name_of,
    open_environment,
    spaces_of,
)
from pipeline_widgets.trainers.sb3.checkpoint_files import TRAINING_ONLY
from pipeline_widgets.trainers.sb3.configs import ACTIVATIONS, OffPolicySettings, Settings, TD3Settings
from pipeline_widgets.trainers.sb3.predictor import predict

#: An environment by its registered id, or a function that makes one.
MakeEnvironment = str | Callable[[], Any]

#: The artifact kind of what an algorithm makes: PPO and A2C train the same networks.
KINDS = {
    "PPO": "sb3:actor-critic",
    "A2C": "sb3:actor-critic",
    "DQN": "sb3:q",
    "SAC": "sb3:sac",
    "TD3": "sb3:td3",
}
#: The facets that have to agree with a start checkpoint.
FACETS = (*SPACE_FACETS, "normalization", "network")
_IMAGE_DIMENSIONS = 3
_DISCRETE = frozenset({"Discrete"})
_BOX = frozenset({"Box"})
_ACTIONS = {"DQN": _DISCRETE, "SAC": _BOX, "TD3": _BOX}


def declaration(name: str) -> dict[str, Any]:
    """Return what `@pw.algorithm` is told of every algorithm of this library.

    Args:
        name: Its class: "PPO", "A2C", "DQN", "SAC" or "TD3".
    """
    return {
        "produces": {"policy", KINDS[name]},
        "accepts": [Port("weights", {KINDS[name]}, match=FACETS)],
        "predict": predict,
        "requires": ("stable_baselines3",),
        "install": "pip install 'pipeline-widgets[sb3]'",
        "load_within": 120.0,
        "training_only": TRAINING_ONLY,
    }


def signature_of(config: Settings, make_env: MakeEnvironment) -> dict[str, str]:
    """Return the facets of what a config makes; the environment is made and closed for that.

    Args:
        config: The settings.
        make_env: The environment.

    Raises:
        ConfigError: It cannot be made, or the algorithm cannot act in it.
    """
    observation, action = _spaces(make_env) if isinstance(make_env, str) else spaces_of(make_env)
    facets = describe_spaces(observation, action)
    allowed = _ACTIONS.get(config.library_class)
    if allowed is not None and type(action).__name__ not in allowed:
        what = f"SB3 {config.library_class} cannot be trained on {name_of(make_env)!r}."
        fix = f"Choose an environment that acts in {' or '.join(sorted(allowed))}, or another algorithm."
        raise ConfigError(what, f"It acts in {facets['action']}.", fix)
    if config.normalize_observations and type(observation).__name__ not in {"Box", "Dict"}:
        what, why = "These observations cannot be normalized.", f"They are {facets['observation']}."
        raise ConfigError(what, why, "Set normalize_observations=False.")
    return {**facets, "normalization": config.normalization, "network": config.network}


@cache
def _spaces(env_id: str) -> tuple[Any, Any]:
    return spaces_of(env_id)


def train(ctx: TrainContext, make_env: MakeEnvironment) -> None:
    """Train by the config of a run.

    Args:
        ctx: What the train function got; its config is one of `configs`.
        make_env: The environment.
    """
    import stable_baselines3
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    from pipeline_widgets.trainers.sb3.callback import Callback
    from pipeline_widgets.trainers.sb3.evaluation import Evaluation
    from pipeline_widgets.trainers.sb3.starting import start

    config: Settings = ctx.config
    env: Any = make_vec_env(lambda: open_environment(make_env), n_envs=config.num_envs, seed=ctx.seed)
    if config.normalization != "none":
        observations, rewards = config.normalize_observations, config.normalize_rewards
        env = VecNormalize(env, norm_obs=observations, norm_reward=rewards, gamma=config.gamma)
    kind = getattr(stable_baselines3, config.library_class)
    model = start(
        ctx, kind, _policy(env.observation_space), env, **_arguments(config, env), device=config.device
    )
    evaluation = Evaluation(make_env, config.evaluation_episodes)
    callback = Callback(ctx, every=config.evaluate_every, evaluate=evaluation, handover=config.handover)
    model.learn(config.steps, callback=callback)
    env.close()


def _arguments(config: Settings, env: Any) -> dict[str, Any]:
    import torch

    activation = getattr(torch.nn, ACTIVATIONS[config.activation])
    arguments = config.arguments()
    if isinstance(config, TD3Settings) and config.action_noise > 0:
        import numpy as np
        from stable_baselines3.common.noise import NormalActionNoise

        shape = env.action_space.shape
        arguments["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, config.action_noise))
    if isinstance(config, OffPolicySettings):
        # The buffer must hold a row of all environments.
        arguments["buffer_size"] = max(config.buffer_size, config.num_envs)
    return {**arguments, "policy_kwargs": {"net_arch": list(config.net_arch), "activation_fn": activation}}


def _policy(observations: Any) -> str:
    kind = type(observations).__name__
    if kind == "Dict":
        return "MultiInputPolicy"
    is_image = (
        kind == "Box" and len(observations.shape) == _IMAGE_DIMENSIONS and observations.dtype == "uint8"
    )
    return "CnnPolicy" if is_image else "MlpPolicy"
