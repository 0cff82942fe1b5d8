"""An algorithm of one's own environment, in one line of a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.trainers.config_defaults import with_defaults
from pipeline_widgets.trainers.episodes import name_evaluator
from pipeline_widgets.trainers.gymnasium_spaces import name_of
from pipeline_widgets.trainers.sb3 import configs, training

SETTINGS: dict[str, type[configs.Settings]] = {
    "PPO": configs.PPOSettings,
    "A2C": configs.A2CSettings,
    "DQN": configs.DQNSettings,
    "SAC": configs.SACSettings,
    "TD3": configs.TD3Settings,
}


def algorithm(
    method: str,
    *,
    make_env: Callable[[], Any],
    normalize: bool | None = None,
    name: str | None = None,
    **defaults: Any,
) -> Algorithm:
    """Register an algorithm that trains in your own environment; works in a notebook cell.

    `ppo = sb3.algorithm("PPO", make_env=my_env, normalize=True)` has the form, the scores, the checkpoints
    and the agents of "SB3 PPO", and starts from its checkpoints where the spaces agree.

    Args:
        method: "PPO", "A2C", "DQN", "SAC" or "TD3".
        make_env: Makes one environment, without arguments. It is kept with the algorithm by value, as the
            code of a cell is.
        normalize: Whether observations and rewards are normalized by default.
        name: What experiments call it; by default such as "SB3 PPO my_env".
        **defaults: Other defaults than those of SB3 PPO for fields of its config, such as `steps=200_000`.

    Raises:
        ConfigError: There is no such method or field, or a default is refused.
    """
    if method not in SETTINGS:
        fix = f"Pass one of {', '.join(SETTINGS)}."
        raise ConfigError(f"There is no method {format_value(method)}.", fix=fix)
    if not callable(make_env):
        fix = "Pass a function that makes one environment: make_env=my_env, without brackets."
        raise ConfigError(f"make_env is {format_value(make_env)}.", fix=fix)
    named = name or f"SB3 {method} {name_of(make_env)}"
    if normalize is not None:
        defaults = {"normalize_observations": normalize, "normalize_rewards": normalize, **defaults}
    config = with_defaults(SETTINGS[method], named, f"{method}Config", defaults)

    def train(ctx: TrainContext) -> None:
        training.train(ctx, make_env)

    train.__name__, train.__doc__ = (
        f"sb3_{method.lower()}",
        f"{method} of Stable-Baselines3 in {name_of(make_env)}.",
    )

    def signature(settings: Any) -> dict[str, str]:
        return training.signature_of(settings, make_env)

    def evaluator(settings: Any) -> str:
        return name_evaluator(make_env, settings.evaluation_episodes)

    declared: dict[str, Any] = {
        **training.declaration(method),
        "config": config,
        "signature": signature,
        "evaluator": evaluator,
    }
    made = registry.algorithm(named, **declared)(train)
    made.validate({})  # refuses defaults that the form would refuse
    return made
