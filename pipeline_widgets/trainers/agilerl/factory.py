"""An algorithm of one's own environment, in one line of a notebook."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.trainers.agilerl import algorithms, configs
from pipeline_widgets.trainers.config_defaults import with_defaults
from pipeline_widgets.trainers.episodes import name_evaluator
from pipeline_widgets.trainers.gymnasium_spaces import name_of

SETTINGS: dict[str, type[configs.Settings]] = {"PPO": configs.PPOSettings, "DQN": configs.DQNSettings}


def algorithm(
    method: str,
    *,
    make_env: Callable[[], Any],
    normalize: bool | None = None,
    name: str | None = None,
    **defaults: Any,
) -> Algorithm:
    """Register an algorithm that trains in your own environment; works in a notebook cell.

    `ppo = agilerl.algorithm("PPO", make_env=my_env)` has the form, the evolution, the scores, the checkpoints
    and the agents of "AgileRL PPO", and starts from its checkpoints where the spaces agree.

    Args:
        method: "PPO" or "DQN".
        make_env: Makes one environment, without arguments. It is kept with the algorithm by value, as the
            code of a cell is.
        normalize: Whether observations are normalized by default; PPO alone can.
        name: What experiments call it; by default such as "AgileRL PPO my_env".
        **defaults: Other defaults than those of the ready algorithm for fields of its config, such as
            `steps=200_000`.

    Raises:
        ConfigError: There is no such method or field, or a default is refused.
    """
    if method not in SETTINGS:
        fix = f"Pass one of {', '.join(SETTINGS)}."
        raise ConfigError(f"There is no method {format_value(method)}.", fix=fix)
    if not callable(make_env):
        fix = "Pass a function that makes one environment: make_env=my_env, without brackets."
        raise ConfigError(f"make_env is {format_value(make_env)}.", fix=fix)
    named = name or f"AgileRL {method} {name_of(make_env)}"
    if normalize is not None:
        defaults = {"normalize_observations": normalize, **defaults}
    config = with_defaults(SETTINGS[method], named, f"{method}Config", defaults)

    def train(ctx: TrainContext) -> None:
        algorithms.train_in(ctx, register(make_env), make_env)

    train.__name__, train.__doc__ = (
        f"agilerl_{method.lower()}",
        f"{method} of AgileRL in {name_of(make_env)}.",
    )

    def signature(settings: Any) -> dict[str, str]:
        return algorithms.signature_in(settings, make_env)

    def evaluator(settings: Any) -> str:
        return name_evaluator(make_env, settings.evaluation_episodes)

    declared: dict[str, Any] = {
        **algorithms.declaration(method),
        "config": config,
        "signature": signature,
        "evaluator": evaluator,
    }
    made = registry.algorithm(named, **declared)(train)
    made.validate({})  # refuses defaults that the form would refuse
    return made


def register(make_env: Callable[[], Any]) -> str:
    """Return an id under which Gymnasium makes an environment in this process: AgileRL takes nothing else.

    Args:
        make_env: Makes the environment.
    """
    import gymnasium

    env_id = f"own/{re.sub(r'[^A-Za-z0-9_]', '_', name_of(make_env))}-v0"

    def make(**_: Any) -> Any:
        return make_env()

    gymnasium.register(env_id, entry_point=make, disable_env_checker=True, order_enforce=False)
    return env_id
