"""Greedy episodes by which policies are scored, whichever library has trained them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pipeline_widgets.trainers.gymnasium_spaces import name_of, open_environment

SEED = 10_007  # the same episodes for every experiment, and none that training begins with
LONGEST = 100_000  # steps; an episode that would go on for ever ends there


class Score(NamedTuple):
    """The mean return of some episodes, and its standard error."""

    value: float
    spread: float


def to_score(returns: Any) -> Score:
    """Return the mean of some returns, and its standard error; 0 of a single one.

    Args:
        returns: One number for each episode.
    """
    values = np.asarray(returns, np.float64)
    spread = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return Score(float(values.mean()), spread)


def name_evaluator(make_env: str | Callable[[], Any], episodes: int) -> str:
    """Return how an evaluation is named, by which checkpoints tell that they were scored by the same one.

    Args:
        make_env: A registered id, or a function that makes an environment.
        episodes: How many it plays.
    """
    return f"mean return of {episodes} greedy episodes of {name_of(make_env)}"


def play(
    make_env: str | Callable[[], Any],
    act: Callable[[Any], Any],
    episodes: int,
    *,
    seed: int = SEED,
    watch: Callable[[], None] = lambda: None,
) -> list[float]:
    """Play episodes side by side, and return their undiscounted returns.

    Args:
        make_env: A registered id, or a function that makes an environment.
        act: From a batch of observations to as many actions.
        episodes: How many.
        seed: The first episode begins with it, the next with the next number.
        watch: Called at each step; what it raises ends the evaluation.
    """
    environments = [open_environment(make_env) for _ in range(episodes)]
    returns = [0.0] * episodes
    seen = {at: env.reset(seed=seed + at)[0] for at, env in enumerate(environments)}
    for _ in range(LONGEST):
        if not seen:
            break
        watch()
        actions = act(_batch(list(seen.values())))
        for at, action in zip(list(seen), actions, strict=True):
            observation, reward, terminated, truncated, _ = environments[at].step(action)
            returns[at] += float(reward)
            seen[at] = observation
            if terminated or truncated:
                del seen[at]
    for env in environments:
        env.close()
    return returns


def _batch(observations: list[Any]) -> Any:
    if isinstance(observations[0], dict):
        keys: list[str] = list(observations[0])  # pyright: ignore[reportUnknownArgumentType]
        return {key: np.stack([each[key] for each in observations]) for key in keys}
    return np.stack(observations)
