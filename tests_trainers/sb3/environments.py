"""Environments of these tests: quick to learn, and hopeless without the statistics of normalization."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

SCALE, OFFSET = np.array([900.0, 40.0, 0.004, 0.02]), np.array([3_000.0, -70.0, 5.0, 2.0])


def scaled_cart_pole() -> Any:
    """Return CartPole in units as real sensors have them: far from 0, and of very different sizes."""
    env = gymnasium.make("CartPole-v1")
    bound = np.full(4, np.inf, np.float32)
    space = gymnasium.spaces.Box(-bound, bound, dtype=np.float32)
    return gymnasium.wrappers.TransformObservation(env, _scaled, space)


def _scaled(observation: Any) -> Any:
    return (observation * SCALE + OFFSET).astype(np.float32)


def with_dict_observations() -> Any:
    """Return CartPole that observes a mapping."""
    env = gymnasium.make("CartPole-v1")
    half = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    space = gymnasium.spaces.Dict({"cart": half, "pole": half})
    return gymnasium.wrappers.TransformObservation(
        env, lambda observation: {"cart": observation[:2], "pole": observation[2:]}, space
    )
