"""Gymnasium's spaces: as facets of a signature, as JSON, and back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from pipeline_widgets.errors import ConfigError, PipelineError, format_error, format_value

_DIGEST = 8  # hexadecimal digits
_UNBOUNDED = 1e9  # beyond that a bound says nothing that a reader would want to know
_NUMBERS = frozenset("iuf")  # kinds of arrays


def describe_space(space: Any) -> str:
    """Return a space as a short text: "Box(4) float32", "Discrete(2)", "Dict(camera: Box(3, 64, 64) uint8)".

    Bounds are left out, since those of a Box can be long: see `describe_bounds`.

    Args:
        space: A space of Gymnasium.
    """
    kind = type(space).__name__
    if kind == "Box":
        return f"Box({', '.join(map(str, space.shape))}) {space.dtype}"
    if kind == "Discrete":
        start = int(space.start)
        return f"Discrete({int(space.n)})" if start == 0 else f"Discrete({int(space.n)}, start={start})"
    if kind == "MultiDiscrete":
        return f"MultiDiscrete({', '.join(map(str, np.ravel(space.nvec).tolist()))})"
    if kind == "MultiBinary":
        return f"MultiBinary({', '.join(map(str, space.shape))})"
    if kind == "Dict":
        return f"Dict({', '.join(f'{name}: {describe_space(each)}' for name, each in space.spaces.items())})"
    if kind == "Tuple":
        return f"Tuple({', '.join(map(describe_space, space.spaces))})"
    return kind


def describe_bounds(space: Any) -> str:
    """Return the bounds of all boxes of a space as a short text, with a digest where they are many.

    "-2 to 2" for equal bounds, "unbounded", "none" for a space without a Box, else such as
    "-4.8 to 4.8 (3f1c9a2b)": the smallest, the largest, and a digest of all of them.

    Args:
        space: A space of Gymnasium.
    """
    boxes = list(_boxes(space))
    if not boxes:
        return "none"
    low = np.concatenate([np.ravel(box.low).astype(np.float64) for box in boxes])
    high = np.concatenate([np.ravel(box.high).astype(np.float64) for box in boxes])
    if (low <= -_UNBOUNDED).all() and (high >= _UNBOUNDED).all():
        return "unbounded"
    span = f"{_encode_bound(low.min())} to {_encode_bound(high.max())}"
    if np.unique(low).size == 1 and np.unique(high).size == 1:
        return span
    digest = hashlib.sha256(low.tobytes() + high.tobytes()).hexdigest()[:_DIGEST]
    return f"{span} ({digest})"


def describe_spaces(observation: Any, action: Any) -> dict[str, str]:
    """Return the facets of an environment: its spaces and their bounds, four short texts.

    Args:
        observation: The observation space of one environment.
        action: The action space of one environment.
    """
    return {
        "observation": describe_space(observation),
        "observation_bounds": describe_bounds(observation),
        "action": describe_space(action),
        "action_bounds": describe_bounds(action),
    }


#: The facets of `describe_spaces`, for `Port(match=...)`.
SPACE_FACETS = ("observation", "observation_bounds", "action", "action_bounds")


def open_environment(make_env: str | Callable[[], Any]) -> Any:
    """Return a new environment.

    Args:
        make_env: A registered id, such as "CartPole-v1", or a function that makes one.

    Raises:
        ConfigError: It cannot be made, or the function returns something else.
    """
    import gymnasium

    named = format_value(make_env) if isinstance(make_env, str) else name_of(make_env)
    try:
        env: Any = gymnasium.make(make_env) if isinstance(make_env, str) else make_env()
    except Exception as error:  # an environment's own code runs here
        fix = "Correct it, or install and import the package that registers it."
        raise ConfigError(f"The environment {named} cannot be made.", format_error(error), fix) from error
    if getattr(env, "observation_space", None) is None or getattr(env, "action_space", None) is None:
        fix = "Return a gymnasium.Env, with its observation_space and action_space."
        raise ConfigError(f"{named} is not an environment.", f"Got {format_value(env)}.", fix)
    return env


def spaces_of(make_env: str | Callable[[], Any]) -> tuple[Any, Any]:
    """Return the observation space and the action space of an environment, which is made and closed for that.

    Args:
        make_env: A registered id, or a function that makes an environment.

    Raises:
        ConfigError: It cannot be made.
    """
    env = open_environment(make_env)
    try:
        return env.observation_space, env.action_space
    finally:
        env.close()


def name_of(make_env: str | Callable[[], Any]) -> str:
    """Return the name of an environment: its id, or that of the function that makes it."""
    return (
        make_env if isinstance(make_env, str) else str(getattr(make_env, "__name__", type(make_env).__name__))
    )


def as_observations(space: Any, value: Any) -> tuple[Any, bool]:
    """Return observations as arrays with a batch axis, and whether it was a single one.

    Args:
        space: The observation space of one environment.
        value: An observation as JSON has it, or a list of them: numbers, nested lists, or for a Dict space a
            mapping from its keys.

    Raises:
        PipelineError: It has another shape, or is not made of numbers.
    """
    kind = type(space).__name__
    if kind == "Dict":
        keys = list(space.spaces)
        given_keys: Mapping[str, Any] = cast(Any, value) if isinstance(value, Mapping) else {}
        if set(given_keys) != set(keys):
            raise PipelineError("The observation does not have the keys of its space.", "", _fix(space))
        parts = {key: as_observations(space.spaces[key], given_keys[key]) for key in keys}
        if len({single for _, single in parts.values()}) != 1:
            raise PipelineError("Some keys hold one observation, others several.", "", _fix(space))
        return {key: part for key, (part, _) in parts.items()}, next(iter(parts.values()))[1]
    try:
        given = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise PipelineError("The observation is not made of numbers.", f"{error}.", _fix(space)) from error
    if given.dtype.kind not in _NUMBERS:
        raise PipelineError("The observation is not made of numbers.", "", _fix(space))
    shape = tuple(space.shape)
    if given.shape != shape and given.shape[1:] != shape:
        raise PipelineError("The observation has the wrong shape.", f"It is {given.shape}.", _fix(space))
    single = given.shape == shape
    array = given[None] if single else given
    if not np.isfinite(array).all():
        raise PipelineError("The observation holds NaN or infinities.", "", "Pass finite numbers.")
    _check_range(space, array)
    return array.astype(space.dtype), single


def example_of(space: Any) -> Any:
    """Return an observation of a space as JSON has it: zeros, or what is nearest to them.

    Args:
        space: The observation space of one environment.
    """
    kind = type(space).__name__
    if kind == "Dict":
        return {name: example_of(each) for name, each in space.spaces.items()}
    if kind == "Discrete":
        return int(space.start)
    zeros = np.zeros(space.shape, space.dtype)
    return (np.clip(zeros, space.low, space.high) if kind == "Box" else zeros).tolist()


def to_plain(action: Any) -> Any:
    """Return an action of numpy as numbers and lists."""
    return np.asarray(action).tolist()


def _check_range(space: Any, array: Any) -> None:
    """Refuse numbers that the type of the space cannot hold, such as 300 as a byte."""
    kind = type(space).__name__
    if kind == "Discrete":
        inside = (array >= space.start) & (array < space.start + space.n)
        if not (inside & (array == np.floor(array))).all():
            raise PipelineError("The observation is not one of its space.", "", _fix(space))
        return
    dtype = np.dtype(space.dtype)
    limits: Any = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype) if dtype.kind == "f" else None
    if limits is not None and ((array < limits.min) | (array > limits.max)).any():
        why = f"{dtype} holds {limits.min} to {limits.max}."
        raise PipelineError("The observation holds numbers that are too large.", why, "Pass smaller ones.")


def _fix(space: Any) -> str:
    return f"Pass one observation of {describe_space(space)}, or a list of them."


def _boxes(space: Any) -> list[Any]:
    kind = type(space).__name__
    if kind == "Box":
        return [space]
    if kind == "Dict":
        return [box for each in space.spaces.values() for box in _boxes(each)]
    if kind == "Tuple":
        return [box for each in space.spaces for box in _boxes(each)]
    return []


def _encode_bound(value: float) -> str:
    if not math.isfinite(value) or abs(value) >= _UNBOUNDED:
        return "-inf" if value < 0 else "inf"
    return f"{value:.6g}"
