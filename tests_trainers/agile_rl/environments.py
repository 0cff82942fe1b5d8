"""Environments that the tests of AgileRL train in."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class Corridor(gymnasium.Env[Any, Any]):
    """Five places in a row; the right end pays, and ends the episode as twenty steps do."""

    observation_space: Any = gymnasium.spaces.Box(0.0, 1.0, (5,), np.float32)
    action_space: Any = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Begin on the left."""
        super().reset(seed=seed, options=options)
        self.at = self.done = 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Any]:
        """Go left, or right."""
        self.at, self.done = max(0, self.at + (1 if action == 1 else -1)), self.done + 1
        arrived = self.at == 4
        return self._seen(), float(arrived), arrived, self.done == 20, {}

    def _seen(self) -> Any:
        return np.eye(5, dtype=np.float32)[self.at]
